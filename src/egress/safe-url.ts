/** Where a secret of ours may be sent: by TLS, or without leaving this machine. */
import { isLoopbackHost } from "../wire/loopback.ts";

export function isSafeUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.password !== "" || url.hash !== "") return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopbackHost(url.hostname));
}
