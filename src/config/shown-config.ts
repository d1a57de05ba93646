/**
 * The configuration as an operator may see it: as it is written, so that what `${env:…}` and
 * `${file:…}` stand for is never in it, and without what may be a secret that was written out.
 *
 * What is masked: values under names that speak of secrets, what requests get set or added on their
 * way to a service (its keys are often written there), arguments of commands, and the user part of URLs. Better
 * a harmless value too much than one secret too few: the file itself is at hand to who may read it.
 */
import type { JsonObject, JsonValue } from "../model/json.ts";

const MASK = "***";

/** Names under which a text is a secret. Paths of files (`passwordFile`) are none. */
const SECRET_NAME = /(?:secret|password|passphrase|token|apikey|api-key)s?$/i;

/** `document`: parsed, not expanded. */
export function shownConfig(document: unknown): JsonObject {
  const shown = show(document, []);
  return typeof shown === "object" && shown !== null && !Array.isArray(shown)
    ? (shown as JsonObject)
    : {};
}

function show(value: unknown, path: readonly string[]): JsonValue {
  if (typeof value === "string") return shownText(value, path);
  if (typeof value === "number") return isSecret(path) ? MASK : value;
  // A whole number beyond 2^53 would be rounded by who reads the JSON.
  if (typeof value === "bigint") return isSecret(path) ? MASK : String(value);
  if (typeof value === "boolean" || value === null || value === undefined) return value ?? null;
  if (Array.isArray(value)) return value.map((item, index) => show(item, [...path, String(index)]));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, show(member, [...path, name])]),
  );
}

function shownText(text: string, path: readonly string[]): string {
  if (isExpression(text)) return text;
  if (isSecret(path)) return MASK;
  return text.replaceAll(USER_OF_URL, `$1${MASK}@`);
}

/** An expression and nothing beside it: it names where a secret is, and holds none. */
function isExpression(text: string): boolean {
  return /^\$\{(?:env|file):[^{}]*\}$/.test(text);
}

/** `scheme://user:password@`; a user alone may be a token too. */
const USER_OF_URL = /([a-z][a-z0-9+.-]*:\/\/)[^/?#\s]*@/gi;

function isSecret(path: readonly string[]): boolean {
  const within = (...names: readonly string[]): boolean =>
    path.some((_, at) => names.every((name, index) => path[at + index] === name));
  const set = (what: string): boolean =>
    within("request", what, "set") || within("request", what, "add");
  if (set("headers") || set("query") || set("body")) return true;
  if (path.includes("command")) return true;
  // Fields by which we prove who we are to a webhook, a witness or a store: whatever their names.
  if (path.at(-2) === "headers" && !/^\d+$/.test(path.at(-1) ?? "")) return true;
  // So is the path of what such a place takes messages at.
  const isPlace = path.includes("witnesses") || path.includes("webhook");
  if (isPlace && path.at(-1) === "url") return true;
  // Of a list, the name is that of the list; a number is no name.
  const name = path.findLast((part) => !/^\d+$/.test(part)) ?? "";
  return SECRET_NAME.test(name);
}
