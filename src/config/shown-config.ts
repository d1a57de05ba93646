/**
 * The configuration as an operator may see it: as it is written, so that what `${env:…}` and
 * `${file:…}` stand for is never in it, and without what may be a secret that was written out.
 *
 * What is masked: values under names that speak of secrets, what requests get set or added on their
 * way to a service (its keys are often written there), arguments of commands, and the user part and the query of
 * URLs (wire/document/secret-place.ts). The file itself is at hand to who may read it.
 */
import type { JsonObject, JsonValue } from "../model/json.ts";
import { isSecretPlace } from "../wire/document/secret-place.ts";

const MASK = "***";

/** `document`: parsed, not expanded. */
export function shownConfig(document: unknown): JsonObject {
  const shown = show(document, []);
  return typeof shown === "object" && shown !== null && !Array.isArray(shown)
    ? (shown as JsonObject)
    : {};
}

function show(value: unknown, path: readonly string[]): JsonValue {
  if (typeof value === "string") return shownText(value, path);
  if (typeof value === "number") return isHidden(path) ? MASK : value;
  // A whole number beyond 2^53 would be rounded by who reads the JSON.
  if (typeof value === "bigint") return isHidden(path) ? MASK : String(value);
  if (typeof value === "boolean" || value === null || value === undefined) return value ?? null;
  if (Array.isArray(value)) return value.map((item, index) => show(item, [...path, String(index)]));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, show(member, [...path, name])]),
  );
}

function shownText(text: string, path: readonly string[]): string {
  if (isExpression(text)) return text;
  if (isHidden(path)) return MASK;
  return text.replaceAll(USER_OF_URL, `$1${MASK}@`).replaceAll(QUERY_OF_URL, `$1?${MASK}`);
}

/** An expression and nothing beside it: it names where a secret is, and holds none. */
function isExpression(text: string): boolean {
  return /^\$\{(?:env|file):[^{}]*\}$/.test(text);
}

/** `scheme://user:password@`; a user alone may be a token too. */
const USER_OF_URL = /([a-z][a-z0-9+.-]*:\/\/)[^/?#\s]*@/gi;

/** Keys of receivers are often written there. */
const QUERY_OF_URL = /([a-z][a-z0-9+.-]*:\/\/[^?#\s]*)\?[^#\s]+/gi;

/** More than what no message repeats: whole places that hold keys of others, or where messages are taken. */
function isHidden(path: readonly string[]): boolean {
  const within = (...names: readonly string[]): boolean =>
    path.some((_, at) => names.every((name, index) => path[at + index] === name));
  const set = (what: string): boolean =>
    within("request", what, "set") || within("request", what, "add");
  if (set("headers") || set("query") || set("body")) return true;
  if (path.includes("command")) return true;
  // The path of what a webhook, a witness or a sink takes messages at is often its key.
  const isPlace = ["witnesses", "webhook", "sinks"].some((place) => path.includes(place));
  return (isPlace && path.at(-1) === "url") || isSecretPlace(path);
}
