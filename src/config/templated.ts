/**
 * Which texts of the configuration are templates: there `${principal.subject}` and the like stand for
 * values of a request, beside the `${env:NAME}` and `${file:path}` that stand for values of this place
 * everywhere.
 */
import type { Path } from "../wire/document/place.ts";

/** Below `routes[]`; `*` is any one key. */
const PLACES: readonly (readonly string[])[] = [
  ["request", "headers", "set", "*"],
  ["request", "headers", "add", "*"],
  ["request", "body", "set", "*"],
  ["response", "body", "set", "*"],
  ["request", "query", "set", "*"],
  ["request", "query", "add", "*"],
  ["response", "headers", "set", "*"],
  ["response", "headers", "add", "*"],
];

export function isTemplated(path: Path): boolean {
  if (path[0] !== "routes" || path.length < 3) return false;
  const within = path.slice(2);
  return PLACES.some(
    (place) =>
      place.length === within.length &&
      place.every((step, index) => step === "*" || step === within[index]),
  );
}
