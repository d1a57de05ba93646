/**
 * Templates turned into the values of one request. A value that would break what it is put into makes
 * the request unfit to be sent: nothing is cut, escaped or left out to make it fit.
 */
import type { Permit } from "../gate/decision.ts";
import type { HeaderTemplate } from "../gate/header-options.ts";
import type { NamedSource, Placeholder, PlainSource, Template } from "../gate/template.ts";
import type { AttributeValue, Principal } from "../model/principal.ts";
import { getAllFields } from "../wire/fields.ts";
import { decodeQueryPart } from "../wire/query.ts";
import { checkFieldValue } from "../wire/field-text.ts";

const LIMITS = {
  /** Characters of a rendered value: a service's head has to hold all of them, in 8 KiB as a rule. */
  value: 4096,
} as const;

/** Why a request cannot be sent. The text is for the operator and holds no value. */
export class Unfit {
  readonly detail: string;

  constructor(detail: string) {
    this.detail = detail;
  }
}

/** Undefined: something that the template names is absent, so there is no value. */
export type Rendered = string | undefined | Unfit;

/** Appends the fields that have a value. Returns the first that is unfit. */
export function renderFields(
  templates: readonly HeaderTemplate[],
  permit: Permit,
  into: string[],
): Unfit | undefined {
  for (const { name, value } of templates) {
    const rendered = renderField(value, permit);
    if (rendered instanceof Unfit) return new Unfit(`${name}: ${rendered.detail}`);
    if (rendered !== undefined) into.push(name, rendered);
  }
  return undefined;
}

/** A value for a header field (RFC 9110 section 5.5). */
export function renderField(template: Template, permit: Permit): Rendered {
  let text = "";
  for (const part of template) {
    const value = typeof part === "string" ? part : valueOf(part, permit);
    if (typeof value !== "string") return value;
    // A field has no charset: what is beyond ASCII reads differently from service to service. What
    // came in as a field goes out byte by byte as it came.
    if (!isBytes(part) && !ASCII.test(value)) return NOT_ASCII;
    text += value;
  }
  if (text.length > LIMITS.value) return TOO_LONG;
  return checkFieldValue(text) ? text : NOT_A_VALUE;
}

/** A value for a place that holds any text: it is encoded there. */
export function renderText(template: Template, permit: Permit): Rendered {
  let text = "";
  for (const part of template) {
    const value = typeof part === "string" ? part : valueOf(part, permit);
    if (typeof value !== "string") return value;
    if (isBytes(part) && !ASCII.test(value)) return NOT_ASCII;
    text += value;
  }
  if (text.length > LIMITS.value) return TOO_LONG;
  return text.isWellFormed() ? text : NOT_TEXT;
}

/** A value as JSON. A lone attribute or list keeps its type; everything else is a text. */
export function renderJson(template: Template, permit: Permit): Rendered {
  const [only, ...more] = template;
  if (more.length === 0 && only !== undefined && typeof only !== "string") {
    const typed = typedValue(only, permit);
    if (typed !== undefined) return typed;
  }
  const text = renderText(template, permit);
  return typeof text === "string" ? JSON.stringify(text) : text;
}

function typedValue(placeholder: Placeholder, { principal }: Permit): string | undefined {
  if (placeholder.source === "principal.roles") return JSON.stringify(principal.roles);
  if (placeholder.source !== "principal.attributes") return undefined;
  const { attributes } = principal;
  const value = Object.hasOwn(attributes, placeholder.name)
    ? attributes[placeholder.name]
    : undefined;
  if (value === undefined || typeof value === "string") return undefined;
  return typeof value === "bigint" ? String(value) : JSON.stringify(value);
}

const ASCII = /^[\t\x20-\x7e]*$/;
const NOT_ASCII = new Unfit("a value with control bytes or beyond ASCII");
const NOT_A_VALUE = new Unfit("control bytes, or white space at the ends of the value");
const NOT_TEXT = new Unfit("a value that is not Unicode text");
const TOO_LONG = new Unfit(`a value of more than ${LIMITS.value} characters`);
const COMMA = new Unfit("a comma within an item of a list");
const REPEATED = new Unfit("a query parameter that is given more than once");
const UNREADABLE = new Unfit("a query that cannot be decoded");

function isBytes(part: string | Placeholder): boolean {
  return typeof part !== "string" && part.source === "request.header";
}

const PLAIN: Readonly<Record<PlainSource, (permit: Permit) => Rendered>> = {
  "principal.subject": ({ principal }) => known(principal, principal.subject),
  "principal.authenticator": ({ principal }) => known(principal, principal.authenticator),
  "principal.kind": ({ principal }) => principal.kind,
  "principal.roles": ({ principal }) =>
    principal.roles.length === 0 ? undefined : joined(principal.roles),
  "request.path": ({ request }) => request.path,
  "request.method": ({ request }) => request.method,
  "request.host": ({ request }) => (request.host === "" ? undefined : request.host),
  "request.id": ({ requestId }) => requestId,
  decision: ({ decisionId }) => decisionId,
};

const NAMED: Readonly<Record<NamedSource, (permit: Permit, name: string) => Rendered>> = {
  "principal.attributes": ({ principal: { attributes } }, name) =>
    Object.hasOwn(attributes, name) ? attributeText(attributes[name]) : undefined,
  params: ({ params }, name) => params[name],
  "request.query": ({ request }, name) => queryValue(request.query, name),
  "request.header": ({ request }, name) => headerValue(getAllFields(request.head.fields, name)),
};

function valueOf(placeholder: Placeholder, permit: Permit): Rendered {
  return "name" in placeholder
    ? NAMED[placeholder.source](permit, placeholder.name)
    : PLAIN[placeholder.source](permit);
}

function known(principal: Principal, value: string): string | undefined {
  return principal.kind === "anonymous" ? undefined : value;
}

function attributeText(value: AttributeValue | undefined): Rendered {
  if (value === undefined || typeof value === "string") return value;
  return typeof value === "object" ? joined(value) : String(value);
}

/** One item must not be able to pass for two. */
function joined(items: readonly string[]): string | Unfit {
  return items.some((item) => item.includes(",")) ? COMMA : items.join(",");
}

/** Services disagree about which of two counts, and the policy saw both. */
function queryValue(query: string | undefined, name: string): Rendered {
  if (query === undefined) return undefined;
  let found: string | undefined;
  for (const pair of query.split("&")) {
    const equals = pair.indexOf("=");
    const key = decodeQueryPart(equals < 0 ? pair : pair.slice(0, equals));
    if (key === undefined) return UNREADABLE;
    if (key !== name || pair === "") continue;
    if (found !== undefined) return REPEATED;
    const value = decodeQueryPart(equals < 0 ? "" : pair.slice(equals + 1));
    if (value === undefined) return UNREADABLE;
    found = value;
  }
  return found;
}

/** RFC 9110 section 5.3: lines of one name may be joined so. */
function headerValue(values: readonly string[]): string | undefined {
  return values.length === 0 ? undefined : values.join(", ");
}
