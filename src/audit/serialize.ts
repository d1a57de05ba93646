/**
 * Records → JSON lines, schema v1 (docs/audit.md): keys in code-unit order, RFC 8785 form, each
 * record serialised once. Later a line's bytes are the leaf of a Merkle tree, so nothing may ever
 * write them anew.
 *
 * What it refuses: a record longer than its limit (RecordTooLong). What is absent or an empty list
 * is left out, except inside a principal's attributes, whose values are kept as policy saw them.
 *
 * Written by hand, because walking objects and sorting their keys costs several times as much
 * (bench/audit.ts). Principals and scopes are the same objects for as long as a credential is
 * remembered, so their bytes are made once.
 */
import { maskApiKeys } from "../crypto/api-key-text.ts";
import type { EventRecord } from "../model/events.ts";
import type { Actor } from "../model/facts.ts";
import type { PeerCertificate } from "../model/peer-tls.ts";
import type { Authn, InputRead, ShadowDecision } from "../model/policy.ts";
import type { Principal } from "../model/principal.ts";
import type {
  CompletionRecord,
  DecisionRecord,
  RecordedCredential,
  RecordedUsage,
} from "../model/records.ts";
import { Recurring } from "../model/recurring.ts";
import { Cuts, type CutField } from "./cuts.ts";
import { KnownTexts } from "./known-texts.ts";
import { bytesOf, type Lines, type Literal } from "./lines.ts";
import { K } from "./record-members.ts";
import { writeBody, writeRpc } from "./write-inspected.ts";
import { writeAttribute } from "./write-attribute.ts";
import { writeIssue, writeKey } from "./write-key.ts";
import { createTimeText } from "./time-text.ts";
import type { ValueHash } from "./value-hash.ts";

export const RECORD_LIMITS = {
  /** Characters of `path` and `query`: as long as a listener takes by default, so explain has all of it. */
  target: 8192,
  /** The same for callers without an identity: nobody will explain those, and strangers pay nothing for them. */
  strangerTarget: 1024,
  /** Characters of `host`, of `method`, of a param and of `detail`. */
  field: 1024,
  /** Characters of `requestId`, which a caller may choose. */
  requestId: 256,
  /**
   * Bytes of a line. A principal is as large as the head that its token came in; several times the
   * largest head. What is longer is refused, so that one caller cannot fill the memory.
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

export interface SerializerDeps {
  /** Makes a raw query fit for a record. */
  readonly maskQuery: (query: string) => string;
  readonly hash: ValueHash;
}

/**
 * Each verb adds one line, without its line feed, or throws with part of the line added. Not for
 * sharing between logs.
 *
 * What many records have in common is made once and found again by what it is made of: `authn` (one
 * object a second for each credential), principals and lists of scopes (one object for as long as
 * they are remembered; `Recurring`), and the names of listeners, routes, services, hosts and endpoints.
 * A record is then some twenty-five pieces instead of sixty.
 */
export class Serializer {
  readonly #deps: SerializerDeps;
  readonly #cuts: Cuts;
  readonly #time = createTimeText();
  readonly #firsts = new Recurring<Authn, First>();
  readonly #principals = new Recurring<Principal, Literal>();
  readonly #actors = new Recurring<Actor, Literal>();
  readonly #certificates = new Recurring<PeerCertificate, Literal>();
  readonly #lists = new Recurring<readonly string[], Literal>();
  readonly #ends = new KnownTexts(K.end);
  readonly #hosts = new KnownTexts(K.host);
  readonly #listeners = new KnownTexts(K.listener);
  readonly #methods = new KnownTexts(K.method);
  readonly #peers = new KnownTexts(K.peerAddress);
  readonly #policies = new KnownTexts(K.determining);
  readonly #reasons = new KnownTexts(K.reason);
  readonly #routes = new KnownTexts(K.route);
  readonly #services = new KnownTexts(K.service);
  readonly #upstreams = new KnownTexts(K.upstream);
  readonly #usages = new Recurring<RecordedUsage, Literal>();

  constructor(deps: SerializerDeps) {
    this.#deps = deps;
    this.#cuts = new Cuts(deps.hash);
  }

  /** `stranger`: the caller has no identity. */
  decision(lines: Lines, record: DecisionRecord, stranger: boolean): void {
    const start = lines.size;
    this.#cuts.begin();
    this.#writeFirst(lines, record);
    this.#writeMiddle(lines, record, stranger ? STRANGER_FIELDS : FIELDS);
    this.#writeLast(lines, record, stranger ? STRANGER_FIELDS : FIELDS);
    checkLength(lines.size - start);
  }

  completion(lines: Lines, record: CompletionRecord): void {
    const start = lines.size;
    lines.raw(K.completion).quoted(record.decisionId);
    lines.raw(K.durationMs).thousandths(record.durationMs).raw(this.#ends.member(record.end));
    if (record.grpcStatus !== undefined) lines.raw(K.grpcStatus).number(record.grpcStatus);
    lines.raw(K.requestBytes).number(record.requestBytes);
    lines.raw(K.responseBytes).number(record.responseBytes);
    lines.raw(K.status).number(record.status);
    lines.raw(K.time).text(this.#time(record.timeMs)).raw(K.completionType);
    if (record.upstream !== undefined) lines.raw(this.#upstreams.member(record.upstream));
    if (record.upstreamMs !== undefined) {
      lines.raw(K.upstreamMs).thousandths(record.upstreamMs);
    }
    lines.raw(K.version);
    checkLength(lines.size - start);
  }

  summary(lines: Lines, summary: Summary): void {
    const start = lines.size;
    lines.text('{"counts":[');
    for (const [index, entry] of summary.counts.entries()) {
      lines.text(index > 0 ? ',{"cause":' : '{"cause":').quoted(entry.cause);
      lines.text(',"count":').number(entry.count).text(',"listener":').quoted(entry.listener);
      lines.raw(this.#reasons.member(entry.reason)).raw(K.close);
    }
    lines.text('],"from":').text(this.#time(summary.fromMs));
    lines.raw(K.time).text(this.#time(summary.toMs)).text(',"type":"summary"').raw(K.version);
    checkLength(lines.size - start);
  }

  event(lines: Lines, record: EventRecord): void {
    const start = lines.size;
    const { address, decisions = [], figures, principal } = record;
    lines.raw(K.open);
    if (address !== undefined) lines.text('"address":').quoted(address).raw(K.comma);
    if (decisions.length > 0) lines.text('"decisions":').list(decisions).raw(K.comma);
    lines.text('"detail":').quoted(record.detail).text(',"event":').quoted(record.event);
    if (figures !== undefined) writeFigures(lines.text(',"figures":'), figures);
    if (principal !== undefined) lines.text(',"principal":').quoted(principal);
    lines.raw(K.time).text(this.#time(record.timeMs)).text(',"type":"event"').raw(K.version);
    checkLength(lines.size - start);
  }

  /** `action` to `erroring`. */
  #writeFirst(lines: Lines, record: DecisionRecord): void {
    const { authn, actor, asked, body } = record;
    const { hash } = this.#deps;
    if (body !== undefined || actor !== undefined || asked !== undefined) {
      writeFirst(lines, record, {
        actor: actor && this.#actorOf(actor),
        body: body && bytesOf((own) => writeBody(own, body, hash)),
      });
    } else if (authn === undefined) writeFirst(lines, record);
    else this.#writeFirstOf(authn, lines, record);
    lines.quoted(record.decisionId);
    if (record.detail !== undefined) {
      lines.raw(K.detail).quoted(this.#cuts.keep(record.detail, FIELDS.detail));
    }
    if (record.determining.length > 0) this.#writeDetermining(lines, record.determining);
    if (record.device !== undefined) {
      lines.raw(K.device);
      writeRecurring(lines, record.device, this.#principals, writePrincipal);
    }
    if (record.erroring.length > 0) lines.raw(K.erroring).list(record.erroring);
  }

  /** What is written of an actor, who is the same one for as long as the credential is remembered. */
  #actorOf(actor: Actor): Literal {
    const known = this.#actors.get(actor);
    if (known !== undefined) return known;
    const bytes = bytesOf((own) => writeActor(own, actor));
    if (this.#actors.again(actor)) this.#actors.keep(actor, bytes);
    return bytes;
  }

  /** Nearly always one policy. */
  #writeDetermining(lines: Lines, ids: readonly string[]): void {
    lines.raw(this.#policies.member(ids[0] ?? ""));
    for (let index = 1; index < ids.length; index++) lines.raw(K.comma).quoted(ids[index] ?? "");
    lines.raw(K.closeList);
  }

  /** `host` to `query`. */
  #writeMiddle(lines: Lines, record: DecisionRecord, fields: RecordFields): void {
    const { host, method, path, query } = record;
    if (host !== undefined) lines.raw(this.#hosts.member(this.#cuts.keep(host, fields.host)));
    if (record.httpVersion !== undefined) lines.raw(K.httpVersion[record.httpVersion]);
    if (record.issue !== undefined) writeIssue(lines.raw(K.issue), record.issue);
    if (record.key !== undefined) writeKey(lines.raw(K.key), record.key);
    lines.raw(this.#listeners.member(record.listener));
    if (method !== undefined) {
      lines.raw(this.#methods.member(this.#cuts.keep(maskApiKeys(method), fields.method, method)));
    }
    this.#writeParams(lines, record.params);
    if (path !== undefined) {
      lines.raw(K.path).quoted(this.#cuts.keep(maskApiKeys(path), fields.path, path));
    }
    lines.raw(this.#peers.member(record.peerAddress));
    if (record.peerCertificate !== undefined) {
      lines.raw(K.peerCertificate);
      writeRecurring(lines, record.peerCertificate, this.#certificates, writeCertificate);
    }
    lines.raw(K.peerPort).number(record.peerPort);
    if (record.principal !== undefined) {
      lines.raw(K.principal);
      writeRecurring(lines, record.principal, this.#principals, writePrincipal);
    }
    if (query !== undefined) {
      // A keyed hash is no query: its mask would be `*`.
      const isHash = record.redacted?.includes("query") === true;
      const masked = isHash ? query : maskApiKeys(this.#deps.maskQuery(query));
      lines.raw(K.query).quoted(this.#cuts.keep(masked, fields.query, query));
    }
  }

  /** `reads` to `workload`. */
  #writeLast(lines: Lines, record: DecisionRecord, fields: RecordFields): void {
    this.#writeReads(lines, record.reads);
    lines.raw(this.#reasons.member(record.reason));
    if (record.redacted !== undefined) lines.raw(K.redacted).list(record.redacted);
    const { requestId } = record;
    const shown = maskApiKeys(requestId);
    lines.raw(K.requestId).quoted(this.#cuts.keep(shown, fields.requestId, requestId));
    if (record.route !== undefined) lines.raw(this.#routes.member(record.route));
    if (record.rpc !== undefined) writeRpc(lines.raw(K.rpc), record.rpc);
    if (record.scopes.length > 0) {
      lines.raw(K.scopes);
      writeRecurring(lines, record.scopes, this.#lists, writeList);
    }
    if (record.service !== undefined) lines.raw(this.#services.member(record.service));
    if (record.servicePath !== undefined) {
      lines.raw(K.servicePath).quoted(this.#cuts.keep(record.servicePath, fields.servicePath));
    }
    if (record.shadow !== undefined) this.#writeShadow(lines, record.shadow);
    if (record.stream !== undefined) lines.raw(K.stream).quoted(record.stream);
    lines.raw(K.time).text(this.#time(record.timeMs));
    if (record.trace !== undefined) lines.raw(K.trace).quoted(record.trace);
    this.#cuts.write(lines);
    lines.raw(K.decisionType);
    if (record.usage !== undefined) {
      lines.raw(K.usage);
      writeRecurring(lines, record.usage, this.#usages, writeUsage);
    }
    if (record.workload === undefined) {
      lines.raw(K.version);
      return;
    }
    lines.raw(K.versionThen);
    writeRecurring(lines, record.workload, this.#principals, writePrincipal);
    lines.raw(K.close);
  }

  #writeParams(lines: Lines, params: Readonly<Record<string, string>>): void {
    const names = Object.keys(params);
    if (names.length === 0) return;
    if (names.length > 1) names.sort(byCodeUnit);
    lines.raw(K.params);
    for (let index = 0; index < names.length; index++) {
      const name = names[index] ?? "";
      const value = maskApiKeys(params[name] ?? "");
      if (index > 0) lines.raw(K.comma);
      lines.quoted(name).raw(K.colon);
      const long = value.length > RECORD_LIMITS.field;
      lines.quoted(long ? this.#cuts.keep(value, paramField(name)) : value);
    }
    lines.raw(K.close);
  }

  #writeReads(lines: Lines, reads: readonly InputRead[]): void {
    if (reads.length === 0) return;
    lines.raw(K.reads);
    for (let index = 0; index < reads.length; index++) {
      const read = reads[index];
      if (read === undefined) continue;
      if (index > 0) lines.raw(K.comma);
      lines.raw(K.open);
      if (read.values.length > 0) this.#writeHashes(lines, read);
      lines.raw(K.readKind).quoted(read.kind).raw(K.readName).quoted(read.name);
      lines.raw(read.unreadable === true ? K.closeUnreadable : K.close);
    }
    lines.raw(K.closeList);
  }

  #writeShadow(lines: Lines, { bundle, determining, reason }: ShadowDecision): void {
    lines.raw(K.shadow).quoted(bundle);
    if (determining.length > 0) this.#writeDetermining(lines, determining);
    lines.raw(this.#reasons.member(reason)).raw(K.close);
  }

  #writeHashes(lines: Lines, read: InputRead): void {
    lines.raw(K.hashes);
    for (let index = 0; index < read.values.length; index++) {
      if (index > 0) lines.raw(K.comma);
      lines.quoted(this.#deps.hash(read.kind, read.name, read.values[index] ?? ""));
    }
    lines.raw(K.closeHashes);
  }

  /** From `authn` to the name `decisionId`: the same for all requests of a credential within a second. */
  #writeFirstOf(authn: Authn, lines: Lines, record: DecisionRecord): void {
    const { action, bundle, clientAddress, credentials, decision } = record;
    const known = this.#firsts.get(authn);
    if (
      known !== undefined &&
      known.credentials === credentials &&
      known.action === action &&
      known.bundle === bundle &&
      known.clientAddress === clientAddress &&
      known.decision === decision
    ) {
      lines.raw(known.bytes);
    } else if (this.#firsts.again(authn)) {
      const bytes = bytesOf((own) => writeFirst(own, record));
      this.#firsts.keep(authn, { action, bundle, clientAddress, credentials, decision, bytes });
      lines.raw(bytes);
    } else {
      writeFirst(lines, record);
    }
  }
}

/** What is written of `value`, which many records have in common. */
function writeRecurring<T extends object>(
  lines: Lines,
  value: T,
  known: Recurring<T, Literal>,
  write: (lines: Lines, value: T) => void,
): void {
  const ready = known.get(value);
  if (ready !== undefined) {
    lines.raw(ready);
  } else if (known.again(value)) {
    const bytes = bytesOf((own) => write(own, value));
    known.keep(value, bytes);
    lines.raw(bytes);
  } else {
    write(lines, value);
  }
}

function writeList(lines: Lines, values: readonly string[]): void {
  lines.list(values);
}

/** What the beginning of a record was made of. */
interface First {
  readonly action: string | undefined;
  readonly bundle: string;
  readonly clientAddress: string | undefined;
  readonly credentials: readonly RecordedCredential[];
  readonly decision: DecisionRecord["decision"];
  readonly bytes: Literal;
}

interface RecordFields extends Readonly<
  Record<"detail" | "host" | "method" | "path" | "query" | "requestId" | "servicePath", CutField>
> {}

const FIELDS: RecordFields = {
  detail: { key: "detail", kind: "detail", limit: RECORD_LIMITS.field },
  host: { key: "host", kind: "host", limit: RECORD_LIMITS.field },
  method: { key: "method", kind: "method", limit: RECORD_LIMITS.field },
  path: { key: "path", kind: "path", limit: RECORD_LIMITS.target },
  query: { key: "query", kind: "raw-query", limit: RECORD_LIMITS.target },
  requestId: { key: "requestId", kind: "request-id", limit: RECORD_LIMITS.requestId },
  servicePath: { key: "servicePath", kind: "path", limit: RECORD_LIMITS.target },
};

const STRANGER_FIELDS: RecordFields = {
  ...FIELDS,
  path: { ...FIELDS.path, limit: RECORD_LIMITS.strangerTarget },
  query: { ...FIELDS.query, limit: RECORD_LIMITS.strangerTarget },
  servicePath: { ...FIELDS.servicePath, limit: RECORD_LIMITS.strangerTarget },
};

function paramField(name: string): CutField {
  return { key: `params.${name}`, kind: "path", limit: RECORD_LIMITS.field };
}

/** What is in few records. */
interface Rare {
  readonly actor?: Literal | undefined;
  readonly body?: Literal | undefined;
}

function writeFirst(lines: Lines, record: DecisionRecord, { actor, body }: Rare = {}): void {
  lines.raw(K.open);
  if (record.action !== undefined) lines.raw(K.action).quoted(record.action).raw(K.comma);
  if (actor !== undefined) lines.raw(K.actor).raw(actor).raw(K.comma);
  if (record.asked !== undefined) {
    const { by, decisionId, timeMs } = record.asked;
    lines.raw(K.asked).quoted(by).raw(K.askedBy).quoted(decisionId);
    if (timeMs !== undefined) lines.raw(K.askedTime).quoted(new Date(timeMs).toISOString());
    lines.raw(K.closeMember);
  }
  if (record.authn !== undefined) writeAuthn(lines, record.authn);
  if (body !== undefined) lines.raw(K.body).raw(body).raw(K.comma);
  lines.raw(K.bundle).quoted(record.bundle);
  if (record.clientAddress !== undefined) {
    lines.raw(K.clientAddress).quoted(record.clientAddress);
  }
  writeCredentials(lines, record.credentials);
  lines.raw(record.decision === "permit" ? K.permit : K.deny);
}

function writeAuthn(lines: Lines, authn: Authn): void {
  lines.raw(K.authn);
  if (authn.acr !== undefined) lines.raw(K.acr).quoted(authn.acr).raw(K.comma);
  lines.raw(K.ageSeconds).number(authn.ageSeconds);
  if (authn.amr.length > 0) lines.raw(K.amr).list(authn.amr);
  lines.raw(K.authenticator).quoted(authn.authenticator);
  lines
    .raw(authn.bound ? K.bound : K.unbound)
    .quoted(authn.kind)
    .raw(K.closeMember);
}

function writeCredentials(lines: Lines, credentials: readonly RecordedCredential[]): void {
  if (credentials.length === 0) return;
  lines.raw(K.credentials);
  for (let index = 0; index < credentials.length; index++) {
    const credential = credentials[index];
    if (credential === undefined) continue;
    if (index > 0) lines.raw(K.comma);
    lines.raw(K.credentialHash).quoted(credential.hash);
    lines.raw(K.credentialKind).quoted(credential.kind);
    lines.raw(K.credentialOutcome).quoted(credential.outcome).raw(K.close);
  }
  lines.raw(K.closeList);
}

function writeCertificate(lines: Lines, certificate: PeerCertificate): void {
  const { issuer, serial, spiffeId, subject, thumbprint } = certificate;
  lines.text('{"issuer":').quoted(issuer).text(',"serial":').quoted(serial);
  if (spiffeId !== undefined) lines.text(',"spiffeId":').quoted(spiffeId);
  lines.text(',"subject":').quoted(subject);
  lines.text(',"thumbprint":').quoted(thumbprint).raw(K.close);
}

function writeActor(lines: Lines, actor: Actor): void {
  const { authenticator, behind, clientId, issuer, subject } = actor;
  lines.text('{"authenticator":').quoted(authenticator);
  if (behind.length > 0) lines.text(',"behind":').list(behind);
  if (clientId !== undefined) lines.text(',"clientId":').quoted(clientId);
  if (issuer !== undefined) lines.text(',"issuer":').quoted(issuer);
  lines.text(',"subject":').quoted(subject).raw(K.close);
}

function writeFigures(lines: Lines, figures: Readonly<Record<string, number | string>>): void {
  lines.raw(K.open);
  for (const [index, name] of Object.keys(figures).toSorted(byCodeUnit).entries()) {
    const value = figures[name] ?? "";
    if (index > 0) lines.raw(K.comma);
    lines.quoted(name).raw(K.colon);
    if (typeof value === "number") lines.number(value);
    else lines.quoted(value);
  }
  lines.raw(K.close);
}

function writeUsage(lines: Lines, { cost, plan }: RecordedUsage): void {
  lines.raw(K.open);
  if (cost !== 1) lines.text('"cost":').number(cost);
  if (plan !== undefined) lines.text(cost === 1 ? '"plan":' : ',"plan":').quoted(plan);
  lines.raw(K.close);
}

function writePrincipal(lines: Lines, principal: Principal): void {
  const names = Object.keys(principal.attributes).toSorted(byCodeUnit);
  lines.raw(K.open);
  if (names.length > 0) {
    lines.text('"attributes":{');
    for (const [index, name] of names.entries()) {
      if (index > 0) lines.raw(K.comma);
      writeAttribute(lines.quoted(name).raw(K.colon), principal.attributes[name] ?? "");
    }
    lines.raw(K.closeMember);
  }
  lines.text('"authenticator":').quoted(principal.authenticator);
  if (principal.groups.length > 0) lines.text(',"groups":').list(principal.groups);
  lines.text(',"kind":').quoted(principal.kind);
  if (principal.roles.length > 0) lines.text(',"roles":').list(principal.roles);
  lines.text(',"subject":').quoted(principal.subject).raw(K.close);
}

function checkLength(bytes: number): void {
  if (bytes > RECORD_LIMITS.line) throw new RecordTooLong(`a record of ${bytes} bytes`);
}

/** JavaScript compares strings by UTF-16 code units, which is the order of RFC 8785 section 3.2.3. */
function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
