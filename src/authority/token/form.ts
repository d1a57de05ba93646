/**
 * A request's parameters, as OAuth sends them: `application/x-www-form-urlencoded` in the body of a POST
 * (RFC 6749 section 3.2 and appendix B).
 *
 * Refuses every other method and type, content codings, any query (credentials must not stand in URLs, section 2.3.1), a
 * parameter that is sent twice (except `resource` and `audience`, of which RFC 8693 allows several), what is
 * no UTF-8, and more than the bounds. What has no value counts as left out, what nobody knows is ignored.
 */
import type { Exchange } from "../../http/exchange.ts";
import { readWholeBody, type WholeBody } from "../../http/whole-body.ts";
import { getAllFields } from "../../wire/fields.ts";
import { isIdentityCoded } from "../../wire/media-type.ts";
import { decodeQueryPart } from "../../wire/query.ts";
import { TokenFault } from "./token-fault.ts";

const LIMITS = {
  /** Two tokens of 16 KiB, an assertion and `authorization_details`, with escapes. */
  bodyBytes: 64 * 1024,
  /** The RFCs know some twenty. */
  parameters: 32,
  /** Of `resource` and `audience` each; a key is for eight services at most. */
  repeated: 8,
} as const;

export interface Form {
  /** Undefined: left out, or without a value. */
  one(name: string): string | undefined;
  all(name: string): readonly string[];
}

const FORM = /^application\/x-www-form-urlencoded[ \t]*(?:;[ \t]*charset="?utf-8"?[ \t]*)?$/i;
const REPEATED: ReadonlySet<string> = new Set(["resource", "audience"]);

/** Reads the body. Never settles where the caller goes away before it has sent it. */
export async function takeForm(exchange: Exchange): Promise<Form | TokenFault> {
  const { method, target, fields } = exchange.head;
  if (method !== "POST") {
    const options = { reason: "method-not-allowed", fields: ["allow", "POST"] } as const;
    return new TokenFault("invalid_request", "the request is not a POST", options);
  }
  if (target.includes("?")) {
    return new TokenFault("invalid_request", "parameters stand in the URL, not in the body");
  }
  const [type, ...more] = getAllFields(fields, "content-type");
  if (type === undefined || more.length > 0 || !FORM.test(type)) {
    return new TokenFault(
      "invalid_request",
      "the body is not application/x-www-form-urlencoded in UTF-8",
    );
  }
  if (!isIdentityCoded(getAllFields(fields, "content-encoding"))) {
    return new TokenFault("invalid_request", "the body has a content coding");
  }
  const body = await new Promise<WholeBody>((resolve) => {
    readWholeBody(exchange, LIMITS.bodyBytes, resolve);
  });
  if (body.fault !== undefined) {
    const options = { reason: body.fault };
    return new TokenFault("invalid_request", "the body could not be read", options);
  }
  return readForm(body.bytes);
}

/** Takes the bytes of a body. */
export function readForm(bytes: Buffer): Form | TokenFault {
  const text = bytes.toString("latin1");
  // What nobody would leave unescaped.
  if (!/^[\x20-\x7e]*$/.test(text)) return unreadable();
  const values = new Map<string, string[]>();
  let count = 0;
  for (const pair of text === "" ? [] : text.split("&")) {
    const equals = pair.indexOf("=");
    const name = decode(equals < 0 ? pair : pair.slice(0, equals));
    const value = decode(equals < 0 ? "" : pair.slice(equals + 1));
    if (name === undefined || value === undefined) return unreadable();
    count += 1;
    if (count > LIMITS.parameters) {
      return new TokenFault("invalid_request", `more than ${LIMITS.parameters} parameters`);
    }
    const known = values.get(name);
    if (known === undefined) values.set(name, [value]);
    else if (!REPEATED.has(name)) {
      return new TokenFault("invalid_request", "a parameter is sent more than once");
    } else if (known.length === LIMITS.repeated) {
      return new TokenFault("invalid_request", `more than ${LIMITS.repeated} of one parameter`);
    } else known.push(value);
  }
  return {
    one: (name) => given(values.get(name) ?? [])[0],
    all: (name) => given(values.get(name) ?? []),
  };
}

/** RFC 6749 section 3.2: without a value, as if it were left out. */
function given(values: readonly string[]): readonly string[] {
  return values.filter((value) => value !== "");
}

/** Undefined also for control characters, which only an escape can bring in. */
function decode(text: string): string | undefined {
  const value = decodeQueryPart(text);
  if (value === undefined || !text.includes("%")) return value;
  // oxlint-disable-next-line no-control-regex -- they are what is refused
  return /[\0-\x1f\x7f]/.test(value) ? undefined : value;
}

function unreadable(): TokenFault {
  return new TokenFault("invalid_request", "the body is not URL-encoded UTF-8");
}
