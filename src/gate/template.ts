/**
 * Texts with placeholders, `tenant ${principal.attributes.tenant}`: parsed once when the configuration
 * is loaded into a list of literal texts and of what stands for a value of the request.
 *
 * `$${` stands for a literal `${`. Refused are placeholders that are not listed here, and names of
 * header fields that carry credentials or in which only the proxy speaks: a copy under another name
 * would get past what is stripped.
 */
import { HOP_BY_HOP } from "../wire/fields.ts";
import { isIdentityName, spokenName } from "../wire/identity-fields.ts";

/** What has one value for each request. */
export type PlainSource =
  | "principal.subject"
  | "principal.authenticator"
  | "principal.kind"
  | "principal.roles"
  | "request.path"
  | "request.method"
  | "request.host"
  | "request.id"
  | "decision";

/** What has a value for each name. */
export type NamedSource = "principal.attributes" | "params" | "request.query" | "request.header";

export type Placeholder =
  | { readonly source: PlainSource }
  | { readonly source: NamedSource; readonly name: string };

/** Literal texts and placeholders in order. A constant is one text, or nothing at all. */
export type Template = readonly (string | Placeholder)[];

const PLAIN: readonly PlainSource[] = [
  "principal.subject",
  "principal.authenticator",
  "principal.kind",
  "principal.roles",
  "request.path",
  "request.method",
  "request.host",
  "request.id",
  "decision",
];
const NAMED: readonly NamedSource[] = [
  "principal.attributes",
  "params",
  "request.query",
  "request.header",
];

/** Said where a placeholder is not one of them. */
const LIST = [...PLAIN, ...NAMED.map((source) => `${source}.NAME`)];
const REMEDY = `one of ${LIST.map((text) => `\${${text}}`).join(", ")}, or $\${ for a literal \${`;

/** Fields with credentials in them: the gate alone reads these. */
const CREDENTIAL_FIELDS: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "proxy-authorization",
]);

const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]{1,256}$/;
const WORD = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;
/** `$${`, `${…}`, or a `${` without an end. */
const EXPRESSION = /\$\$\{|\$\{([^{}]*)\}|\$\{/g;

/** The parts of the text, or what would be right. */
export function parseTemplate(
  text: string,
): { readonly template: Template } | { readonly remedy: string } {
  const parts: (string | Placeholder)[] = [];
  let literal = "";
  let from = 0;
  for (const match of text.matchAll(EXPRESSION)) {
    literal += text.slice(from, match.index);
    from = match.index + match[0].length;
    if (match[0] === "$${") {
      literal += "${";
      continue;
    }
    const found = match[1] === undefined ? { remedy: REMEDY } : placeholder(match[1]);
    if ("remedy" in found) return found;
    if (literal !== "") parts.push(literal);
    literal = "";
    parts.push(found);
  }
  literal += text.slice(from);
  if (literal !== "") parts.push(literal);
  return { template: parts };
}

/** The text of a template without placeholders; undefined where there are some. */
export function constantText(template: Template): string | undefined {
  const [first = "", ...more] = template;
  return more.length === 0 && typeof first === "string" ? first : undefined;
}

/** Its placeholders. */
export function placeholders(template: Template): readonly Placeholder[] {
  return template.filter((part) => typeof part !== "string");
}

function placeholder(text: string): Placeholder | { readonly remedy: string } {
  const plain = PLAIN.find((source) => source === text);
  if (plain !== undefined) return { source: plain };
  const source = NAMED.find((one) => text.startsWith(`${one}.`));
  if (source === undefined) return { remedy: REMEDY };
  const name = text.slice(source.length + 1);
  if (source === "request.header") return headerPlaceholder(name);
  if (source === "request.query") {
    return name === "" ? { remedy: "the name of a query parameter" } : { source, name };
  }
  return WORD.test(name) ? { source, name } : { remedy: REMEDY };
}

function headerPlaceholder(written: string): Placeholder | { readonly remedy: string } {
  const name = written.toLowerCase();
  const spoken = spokenName(name);
  if (!FIELD_NAME.test(name)) return { remedy: "the name of a header field" };
  if (CREDENTIAL_FIELDS.has(spoken)) {
    return { remedy: "another field: this one carries credentials, which are never copied" };
  }
  if (HOP_BY_HOP.has(spoken) || isIdentityName(name)) {
    return { remedy: "another field: what a caller sends in this one is dropped" };
  }
  return { source: "request.header", name };
}
