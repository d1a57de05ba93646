/**
 * Records → JSON lines, schema v1 (docs/audit.md): keys in code-unit order, RFC 8785 form, each
 * record serialised once. Later a line's bytes are the leaf of a Merkle tree, so nothing may ever
 * write them anew.
 *
 * What it refuses: a record longer than its limit (RecordTooLong). What is absent or an empty list
 * is left out, except inside a principal's attributes, whose values are kept as policy saw them.
 *
 * Written by hand, because sorting keys and walking objects costs five times as much. Measured with
 * bench/audit.ts, a decision with four reads and its completion together, until the bytes are in a
 * buffer: see there. Principals and scopes are the same objects for as long as a credential lives,
 * so their text is made once.
 */
import type { Authn, InputRead } from "../model/policy.ts";
import type { AttributeValue, Principal } from "../model/principal.ts";
import type { CompletionRecord, DecisionRecord, RecordedCredential } from "../model/records.ts";
import {
  createNames,
  createTimeText,
  milliseconds,
  number,
  quote,
  quoteList,
} from "./json-text.ts";
import type { HashedKind, ValueHash } from "./value-hash.ts";

export const RECORD_LIMITS = {
  /** Characters of `path` and `query`: as long as a listener takes by default, so explain has all of it. */
  target: 8192,
  /** The same for callers without an identity: nobody will explain those, and strangers pay nothing for them. */
  strangerTarget: 1024,
  /** Characters of `host`, of a param and of `detail`. */
  field: 1024,
  /** Characters of `requestId`, which a caller may choose. */
  requestId: 256,
  /**
   * Characters of a line. A principal is as large as the head that its token came in; several times
   * the largest head. What is longer is refused, so that one caller cannot fill the memory.
   */
  line: 262_144,
} as const;

/** The record is longer than a line may be. The request that it stands for must be refused. */
export class RecordTooLong extends Error {
  override readonly name = "RecordTooLong";
}

/** What was only counted, from `fromMs` to `toMs`. */
export interface Summary {
  readonly fromMs: number;
  readonly toMs: number;
  readonly counts: readonly SummaryCount[];
}

export interface SummaryCount {
  readonly listener: string;
  readonly reason: string;
  /** Why there is no record of its own. */
  readonly cause: "rate" | "space" | "unwritable";
  readonly count: number;
}

export interface Serializer {
  /** A line without its line feed. `stranger`: the caller has no identity. */
  decision(record: DecisionRecord, stranger: boolean): string;
  completion(record: CompletionRecord): string;
  summary(summary: Summary): string;
}

export interface SerializerDeps {
  /** Makes a raw query fit for a record. */
  readonly maskQuery: (query: string) => string;
  readonly hash: ValueHash;
}

/** One serializer for a log. Not for sharing between threads. */
export function createSerializer(deps: SerializerDeps): Serializer {
  const name = createNames();
  const time = createTimeText();
  const principal = remember(principalText);
  const list = remember(quoteList);
  return {
    decision: (record, stranger) =>
      bounded(decisionText({ record, stranger, deps, name, time, principal, list })),
    completion: (record) => bounded(completionText(record, { name, time })),
    summary: (summary) => bounded(summaryText(summary, { name, time })),
  };
}

interface Texts {
  readonly name: (text: string) => string;
  readonly time: (timeMs: number) => string;
}

interface DecisionTexts extends Texts {
  readonly record: DecisionRecord;
  readonly stranger: boolean;
  readonly deps: SerializerDeps;
  readonly principal: (principal: Principal) => string;
  readonly list: (values: readonly string[]) => string;
}

function decisionText(parts: DecisionTexts): string {
  const { record, name, deps } = parts;
  const cuts = new Cuts(deps.hash);
  const target = parts.stranger ? RECORD_LIMITS.strangerTarget : RECORD_LIMITS.target;
  let line = record.authn === undefined ? "{" : `{"authn":${authnText(record.authn, parts)},`;
  line += `"bundle":${name(record.bundle)}`;
  if (record.credentials.length > 0) {
    line += `,"credentials":${credentialsText(record.credentials, name)}`;
  }
  line += `,"decision":${name(record.decision)},"decisionId":${quote(record.decisionId)}`;
  if (record.detail !== undefined) {
    line += `,"detail":${cuts.field("detail", "detail", record.detail)}`;
  }
  if (record.determining.length > 0) line += `,"determining":${names(record.determining, name)}`;
  if (record.erroring.length > 0) line += `,"erroring":${names(record.erroring, name)}`;
  if (record.host !== undefined) line += `,"host":${cuts.field("host", "path", record.host)}`;
  line += `,"listener":${name(record.listener)}`;
  if (record.method !== undefined) {
    line += `,"method":${cuts.field("method", "path", record.method)}`;
  }
  line += paramsText(record.params, cuts);
  if (record.path !== undefined)
    line += `,"path":${cuts.text("path", "path", record.path, target)}`;
  line += `,"peerAddress":${quote(record.peerAddress)},"peerPort":${number(record.peerPort)}`;
  if (record.principal !== undefined) line += `,"principal":${parts.principal(record.principal)}`;
  if (record.query !== undefined)
    line += `,"query":${queryText(record.query, { deps, cuts, target })}`;
  if (record.reads.length > 0) line += `,"reads":${readsText(record.reads, { name, deps })}`;
  line += `,"reason":${name(record.reason)}`;
  line += `,"requestId":${cuts.text("requestId", "request-id", record.requestId, RECORD_LIMITS.requestId)}`;
  if (record.route !== undefined) line += `,"route":${name(record.route)}`;
  if (record.scopes.length > 0) line += `,"scopes":${parts.list(record.scopes)}`;
  if (record.service !== undefined) line += `,"service":${name(record.service)}`;
  return `${line},"time":${parts.time(record.timeMs)}${cuts.render()},"type":"decision","v":1}`;
}

function completionText(record: CompletionRecord, { name, time }: Texts): string {
  let line = `{"decisionId":${quote(record.decisionId)},"durationMs":${milliseconds(record.durationMs)}`;
  line += `,"end":${name(record.end)},"requestBytes":${number(record.requestBytes)}`;
  line += `,"responseBytes":${number(record.responseBytes)},"status":${number(record.status)}`;
  line += `,"time":${time(record.timeMs)},"type":"completion"`;
  if (record.upstream !== undefined) line += `,"upstream":${name(record.upstream)}`;
  if (record.upstreamMs !== undefined) line += `,"upstreamMs":${milliseconds(record.upstreamMs)}`;
  return `${line},"v":1}`;
}

function summaryText(summary: Summary, { name, time }: Texts): string {
  const counts = summary.counts.map(
    (entry) =>
      `{"cause":${name(entry.cause)},"count":${number(entry.count)},"listener":${name(entry.listener)},"reason":${name(entry.reason)}}`,
  );
  return `{"counts":[${counts.join(",")}],"from":${time(summary.fromMs)},"time":${time(summary.toMs)},"type":"summary","v":1}`;
}

function authnText(authn: Authn, { name, list }: DecisionTexts): string {
  let text = authn.acr === undefined ? "{" : `{"acr":${quote(authn.acr)},`;
  text += `"ageSeconds":${number(authn.ageSeconds)}`;
  if (authn.amr.length > 0) text += `,"amr":${list(authn.amr)}`;
  return `${text},"authenticator":${name(authn.authenticator)},"bound":${String(authn.bound)},"kind":${name(authn.kind)}}`;
}

function credentialsText(
  credentials: readonly RecordedCredential[],
  name: (text: string) => string,
): string {
  let text = "[";
  for (const credential of credentials) {
    if (text !== "[") text += ",";
    text += `{"hash":${quote(credential.hash)},"kind":${name(credential.kind)},"outcome":${name(credential.outcome)}}`;
  }
  return `${text}]`;
}

function paramsText(params: Readonly<Record<string, string>>, cuts: Cuts): string {
  const keys = Object.keys(params);
  if (keys.length === 0) return "";
  if (keys.length > 1) keys.sort(byCodeUnit);
  let text = "";
  for (const key of keys) {
    text += `${text === "" ? "" : ","}${quote(key)}:${cuts.field(`params.${key}`, "path", params[key] ?? "")}`;
  }
  return `,"params":{${text}}`;
}

function queryText(
  query: string,
  parts: { readonly deps: SerializerDeps; readonly cuts: Cuts; readonly target: number },
): string {
  return parts.cuts.text("query", "raw-query", parts.deps.maskQuery(query), parts.target, query);
}

function readsText(
  reads: readonly InputRead[],
  parts: { readonly name: (text: string) => string; readonly deps: SerializerDeps },
): string {
  let text = "[";
  for (const read of reads) {
    text += text === "[" ? "{" : ",{";
    if (read.values.length > 0) {
      const hashes = read.values.map((value) => parts.deps.hash(read.kind, read.name, value));
      text += `"hashes":${quoteList(hashes)},`;
    }
    text += `"kind":${parts.name(read.kind)},"name":${quote(read.name)}}`;
  }
  return `${text}]`;
}

function principalText(principal: Principal): string {
  const attributes = Object.keys(principal.attributes)
    .toSorted(byCodeUnit)
    .map((key) => `${quote(key)}:${attributeText(principal.attributes[key] ?? "")}`);
  let text = attributes.length === 0 ? "{" : `{"attributes":{${attributes.join(",")}},`;
  text += `"authenticator":${quote(principal.authenticator)}`;
  if (principal.groups.length > 0) text += `,"groups":${quoteList(principal.groups)}`;
  text += `,"kind":${quote(principal.kind)}`;
  if (principal.roles.length > 0) text += `,"roles":${quoteList(principal.roles)}`;
  return `${text},"subject":${quote(principal.subject)}}`;
}

/** A JSON number is exact up to 2^53; beyond it a 64-bit integer is written as `{"long":"…"}`. */
function attributeText(value: AttributeValue): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") return number(value);
  return typeof value === "bigint" ? `{"long":"${value}"}` : quoteList(value);
}

function names(values: readonly string[], name: (text: string) => string): string {
  let text = "[";
  for (let index = 0; index < values.length; index++) {
    text += `${index > 0 ? "," : ""}${name(values[index] ?? "")}`;
  }
  return `${text}]`;
}

/** Fields that were too long, with the length and the keyed hash of the whole. */
class Cuts {
  readonly #hash: ValueHash;
  #entries: { readonly key: string; readonly text: string }[] | undefined;

  constructor(hash: ValueHash) {
    this.#hash = hash;
  }

  field(key: string, kind: HashedKind, value: string): string {
    return this.text(key, kind, value, RECORD_LIMITS.field);
  }

  /** `value` quoted, cut to `limit` characters; `whole` is what is hashed where that is another text. */
  text(key: string, kind: HashedKind, value: string, limit: number, whole: string = value): string {
    if (value.length <= limit) return quote(value);
    const bytes = Buffer.byteLength(whole, "utf8");
    const text = `${quote(key)}:{"bytes":${bytes},"hash":${quote(this.#hash(kind, key, whole))}}`;
    this.#entries ??= [];
    this.#entries.push({ key, text });
    return quote(cutAt(value, limit));
  }

  /** The `truncated` member with its comma, or nothing. */
  render(): string {
    if (this.#entries === undefined) return "";
    const sorted = this.#entries.toSorted((a, b) => byCodeUnit(a.key, b.key));
    return `,"truncated":{${sorted.map((entry) => entry.text).join(",")}}`;
  }
}

/** Never between the halves of a surrogate pair. */
function cutAt(text: string, limit: number): string {
  const last = text.charCodeAt(limit - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? limit - 1 : limit);
}

/** JavaScript compares strings by UTF-16 code units, which is the order of RFC 8785 section 3.2.3. */
function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function bounded(line: string): string {
  if (line.length > RECORD_LIMITS.line) {
    throw new RecordTooLong(`a record of ${line.length} characters`);
  }
  return line;
}

/** Text by the identity of a frozen object; it goes when the object goes. */
function remember<T extends object>(make: (value: T) => string): (value: T) => string {
  const known = new WeakMap<T, string>();
  return (value) => {
    const found = known.get(value);
    if (found !== undefined) return found;
    const text = make(value);
    known.set(value, text);
    return text;
  };
}
