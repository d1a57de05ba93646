/**
 * Whether a request is a browser going to a page, so that it can be sent elsewhere; a script, an API
 * client or a part of a page is not, and gets an answer that it can read (Fetch Metadata; where a
 * browser sends none, by `Accept`).
 */
import type { RequestHead } from "../model/http.ts";
import { getAllFields } from "./fields.ts";

export function isNavigation({ method, fields, upgrade }: RequestHead): boolean {
  if ((method !== "GET" && method !== "HEAD") || upgrade !== undefined) return false;
  const modes = getAllFields(fields, "sec-fetch-mode");
  if (modes.length > 0) {
    const [destination] = getAllFields(fields, "sec-fetch-dest");
    return modes.length === 1 && modes[0] === "navigate" && destination === "document";
  }
  // Old browsers say what they want of a page; what takes anything, as curl does, is no browser.
  return getAllFields(fields, "accept").some((value) => /(?:^|,)\s*text\/html\b/i.test(value));
}
