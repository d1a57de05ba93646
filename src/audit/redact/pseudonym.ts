/** What stands in a record in place of a redacted value. */
import { createHmac } from "node:crypto";
import type { Person } from "./person-keys.ts";

/** What the value was; a value that is the same in two places of one kind has one pseudonym. */
export type PseudonymKind = "subject" | "address" | "attribute" | "credential" | "group" | "text";

const PREFIX = "hmac:";

/** `hmac:` and base64url HMAC-SHA-256(key, kind NUL value) in UTF-8. */
export function pseudonym(key: Uint8Array, kind: PseudonymKind, value: string): string {
  const hash = createHmac("sha256", key).update(`${kind}\0${value}`, "utf8").digest("base64url");
  return PREFIX + hash;
}

export function isPseudonym(text: string): boolean {
  return /^hmac:[A-Za-z0-9_-]{43}$/.test(text);
}

/** `<authenticator>/<subject>` as a record has it whose subject is redacted. */
export function personPseudonym(key: Uint8Array, { authenticator, subject }: Person): string {
  return `${authenticator}/${pseudonym(key, "subject", subject)}`;
}

/** Of `<authenticator>/<subject>`; undefined for another text. */
export function personOf(id: string): Person | undefined {
  const slash = id.indexOf("/");
  if (slash <= 0 || slash === id.length - 1) return undefined;
  return { authenticator: id.slice(0, slash), subject: id.slice(slash + 1) };
}
