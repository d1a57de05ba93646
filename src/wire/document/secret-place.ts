/**
 * Places of a configuration where a secret may be written out: what stands there is repeated in no message
 * and shown to nobody. Better a harmless value too much than one secret too few.
 */
import type { Path } from "./place.ts";

/** Names under which a text is a secret. Paths of files (`passwordFile`) are none. */
const SECRET_NAME = /(?:secret|password|passphrase|token|apikey|api-key)s?$/i;

export function isSecretPlace(path: Path): boolean {
  // Fields by which we prove who we are to a webhook, a witness or a store: whatever their names.
  if (path.at(-2) === "headers" && typeof path.at(-1) === "string" && !isIndex(path.at(-1))) {
    return true;
  }
  // Of a list, the name is that of the list; a number is no name.
  const name = path.findLast((step) => !isIndex(step)) ?? "";
  return SECRET_NAME.test(String(name));
}

function isIndex(step: string | number | undefined): boolean {
  return /^\d+$/.test(String(step));
}
