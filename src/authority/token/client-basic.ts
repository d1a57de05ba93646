/** The client's id and secret in `Authorization: Basic …`, each URL-encoded (RFC 6749 section 2.3.1). */
import { decodeQueryPart } from "../../wire/query.ts";

export interface BasicCredentials {
  readonly id: string;
  readonly secret: string;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Undefined where it is not that. */
export function readBasic(token68: string): BasicCredentials | undefined {
  if (!BASE64.test(token68)) return undefined;
  const text = Buffer.from(token68, "base64").toString("latin1");
  // What is not ASCII would have been escaped.
  if (!/^[\x20-\x7e]*$/.test(text)) return undefined;
  const colon = text.indexOf(":");
  if (colon === -1) return undefined;
  const id = decodeQueryPart(text.slice(0, colon));
  const secret = decodeQueryPart(text.slice(colon + 1));
  if (id === undefined || secret === undefined || id === "" || secret === "") return undefined;
  return { id, secret };
}
