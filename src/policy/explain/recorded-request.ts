/**
 * A decision record as the question that it answers: the request as policies saw it, and which parts of
 * it the record does not hold (hidden-environment.ts). Explain and replay ask the same question.
 *
 * Nothing is made of the record before somebody reads it: replay goes through months of them. To read of the
 * request what the record does not hold throws an UnknownRead; whoever puts `hidden` in its place reads none.
 */
import type { Actor } from "../../model/facts.ts";
import type {
  Authn,
  InputLookup,
  InputRead,
  PolicyIssue,
  PolicyRequest,
} from "../../model/policy.ts";
import type { Principal } from "../../model/principal.ts";
import type { RpcCall } from "../../model/rpc.ts";
import { parseAuthority } from "../../wire/authority.ts";
import { CedarRecord, EMPTY_RECORD } from "../cedar/values.ts";
import { parseFormQuery } from "../decide/form-query.ts";
import { recordedIssue, type RecordedIssueMembers } from "../recorded-issue.ts";
import type { HiddenParts } from "./hidden-environment.ts";
import {
  type BodyViews,
  knownBody,
  type KnownBody,
  knownRpc,
  type RecordedBody,
} from "./recorded-body.ts";
import {
  recordedHeaders,
  recordedQuery,
  type RecordedHash,
  type RecordedInputs,
  type RecordedTags,
} from "./recorded-inputs.ts";
import { PartialRecord, type Unknown, UnknownRead } from "./unknown.ts";

/** What of a decision record the question comes from: the members of `audit/record-schema.ts`. */
export interface RecordedQuestion extends RecordedInputs, RecordedIssueMembers {
  readonly actor?: RecordedActor | undefined;
  /** Of a question that somebody else asked; its address is the subject's, or not known. */
  readonly asked?: { readonly time?: string | undefined } | undefined;
  readonly authn?: RecordedAuthn | undefined;
  readonly body?: RecordedBody | undefined;
  readonly clientAddress?: string | undefined;
  readonly device?: Principal | undefined;
  readonly host?: string | undefined;
  readonly method?: string | undefined;
  readonly params: Readonly<Record<string, string>>;
  readonly path?: string | undefined;
  readonly peerAddress: string;
  readonly principal?: Principal | undefined;
  /** Names of members that are keyed hashes and not what they were. */
  readonly redacted?: readonly string[] | undefined;
  readonly route?: string | undefined;
  readonly rpc?: RpcCall | undefined;
  readonly scopes: readonly string[];
  readonly servicePath?: string | undefined;
  /** RFC 3339. */
  readonly time: string;
  readonly workload?: Principal | undefined;
}

type RecordedAuthn = Omit<Authn, "acr"> & { readonly acr?: string | undefined };
export type RecordedActor = Omit<Actor, "issuer" | "clientId"> & {
  readonly issuer?: string | undefined;
  readonly clientId?: string | undefined;
};

export type { RecordedHash } from "./recorded-inputs.ts";

export interface AskingAgain {
  /** Without it (its key is lost or elsewhere) no recorded value can be compared. */
  readonly hash?: RecordedHash | undefined;
  /** The record's own, as another object; left out: the record's. */
  readonly principal?: Principal | undefined;
  /** What policies look at of the bodies of its route; left out: what the record has. */
  readonly views?: BodyViews | undefined;
}

/**
 * Undefined where policies cannot have been asked: the caller, the route or the request itself was not
 * known.
 */
export function recordedRequest(
  record: RecordedQuestion,
  again: AskingAgain = {},
): RecordedRequest | undefined {
  const { authn, method, path, route } = record;
  const { principal = record.principal } = again;
  if (principal === undefined || authn === undefined) return undefined;
  if (method === undefined || path === undefined) return undefined;
  const issue = recordedIssue(record);
  if (issue !== undefined) {
    const parts = { principal, method, path, route: "", authn, issue };
    return new RecordedRequest(record, parts, again);
  }
  if (route === undefined) return undefined;
  return new RecordedRequest(record, { principal, method, path, route, authn }, again);
}

/** What every question has. */
interface Parts {
  readonly principal: Principal;
  readonly method: string;
  readonly path: string;
  readonly route: string;
  readonly authn: RecordedAuthn;
  readonly issue?: PolicyIssue | undefined;
}

const NO_FIELDS: readonly string[] = [];

export class RecordedRequest implements PolicyRequest {
  readonly #record: RecordedQuestion;
  readonly #parts: Parts;
  readonly #again: AskingAgain;
  #hidden: HiddenRecord | undefined;
  #inputs: InputLookup | undefined;
  readonly principal: Principal;
  readonly action: string;
  readonly route: string;
  readonly issue: PolicyIssue | undefined;

  constructor(record: RecordedQuestion, parts: Parts, again: AskingAgain) {
    this.#record = record;
    this.#parts = parts;
    this.#again = again;
    this.principal = parts.principal;
    this.action = record.action ?? parts.method;
    this.route = parts.route;
    this.issue = parts.issue;
  }

  /** What the record does not hold. */
  get hidden(): HiddenRecord {
    return (this.#hidden ??= new HiddenRecord(this.#record, this.#again));
  }

  get path(): string {
    return this.#known("path", this.#parts.path);
  }

  get method(): string {
    return this.#known("method", this.#parts.method);
  }

  /** The record has it with its port, policies see it without. */
  get host(): string {
    const { host } = this.#record;
    return this.#known("host", host === undefined ? "" : (parseAuthority(host)?.host ?? host));
  }

  get params(): PolicyRequest["params"] {
    return this.#known("params", this.#record.params);
  }

  /** What an operation declares is read of the path after a rewrite. */
  get servicePath(): string | undefined {
    return this.#known("parameters", this.#record.servicePath);
  }

  /** `inputs` knows of them. */
  get query(): undefined {
    return undefined;
  }

  get fields(): readonly string[] {
    return NO_FIELDS;
  }

  get inputs(): InputLookup {
    return (this.#inputs ??= createInputs(this.#record, this.hidden));
  }

  get ip(): string {
    const { clientAddress, asked, peerAddress } = this.#record;
    return clientAddress ?? (asked === undefined ? peerAddress : "");
  }

  get timeMs(): number {
    return Date.parse(this.#record.asked?.time ?? this.#record.time);
  }

  get scopes(): readonly string[] {
    return this.#record.scopes;
  }

  get authn(): Authn {
    return this.#parts.authn as Authn;
  }

  get workload(): Principal | undefined {
    return this.#record.workload;
  }

  get device(): Principal | undefined {
    return this.#record.device;
  }

  get actor(): Actor | undefined {
    return this.#record.actor as Actor | undefined;
  }

  get body(): PolicyRequest["body"] {
    return this.#known("body", this.hidden.body.values);
  }

  get rpc(): RpcCall | undefined {
    return this.#known("rpc", this.hidden.call);
  }

  /** Throws UnknownRead. */
  #known<T>(member: string, value: T): T {
    const unknown = this.hidden.context.get(member);
    if (unknown !== undefined) throw new UnknownRead(unknown);
    return value;
  }
}

const ALL_KNOWN: ReadonlyMap<string, Unknown> = new Map();

/** Of a record; each part is found out when somebody asks. */
export class HiddenRecord implements HiddenParts {
  readonly #record: RecordedQuestion;
  readonly #again: AskingAgain;
  #headers: RecordedTags | undefined;
  #query: { readonly tags: RecordedTags | undefined } | undefined;
  /** Of `context`. */
  readonly context: ReadonlyMap<string, Unknown>;
  readonly body: KnownBody;
  readonly call: RpcCall | undefined;

  constructor(record: RecordedQuestion, again: AskingAgain) {
    const { views, hash } = again;
    this.#record = record;
    this.#again = again;
    this.body = knownBody(record.body, { views, hash });
    const { call, unknown: rpc } = knownRpc(record.rpc, views);
    this.call = call;
    // What can be cut is not told where a key is asked for.
    const cut = recordedIssue(record) === undefined ? cutMembers(record) : ALL_KNOWN;
    this.context = contextOf(cut, { body: this.body.unknown, rpc });
  }

  get headers(): RecordedTags {
    return (this.#headers ??= recordedHeaders(this.#record, this.#again.hash));
  }

  /** Undefined where the record holds all of it. */
  get query(): RecordedTags | undefined {
    this.#query ??= { tags: recordedQuery(this.#record, this.#again.hash) };
    return this.#query.tags;
  }
}

function contextOf(
  cut: ReadonlyMap<string, Unknown>,
  { body, rpc }: { readonly body: Unknown | undefined; readonly rpc: Unknown | undefined },
): ReadonlyMap<string, Unknown> {
  if (body === undefined && rpc === undefined) return cut;
  const all = new Map(cut);
  if (body !== undefined) all.set("body", body);
  if (rpc !== undefined) all.set("rpc", rpc);
  return all;
}

/** Texts that were too long for the record. */
function cutMembers({ truncated, params }: RecordedQuestion): ReadonlyMap<string, Unknown> {
  let any = false;
  for (const _ in truncated) any = true;
  if (!any) return ALL_KNOWN;
  const unknown = new Map<string, Unknown>();
  for (const name of ["path", "host", "method"]) {
    if (truncated[name] !== undefined) {
      unknown.set(name, { name: `context.${name}`, type: "string" });
    }
  }
  if (truncated["path"] !== undefined || truncated["servicePath"] !== undefined) {
    unknown.set("parameters", cutParameters());
  }
  const cut = Object.keys(params).filter((name) => truncated[`params.${name}`] !== undefined);
  if (cut.length > 0) unknown.set("params", cutParams(params, cut));
  return unknown;
}

/** Some of them are segments of the path; which those are is not known here. */
function cutParameters(): Unknown {
  const name = "context.parameters";
  const open = { maybeAbsent: true, mayErr: true };
  const options = { name, known: EMPTY_RECORD, unknown: new Map<string, Unknown>(), open };
  return { name, value: new PartialRecord(options), maybeAbsent: true };
}

function cutParams(params: Readonly<Record<string, string>>, cut: readonly string[]): Unknown {
  const name = "context.params";
  const known = new CedarRecord(new Map(Object.entries(params)));
  const unknown = new Map(
    cut.map((own) => [own, { name: `${name}.${own}`, type: "string" } as const]),
  );
  return { name, value: new PartialRecord({ name, known, unknown }) };
}

/** Headers and query parameters by name, with the values that the record holds. Throws UnknownRead. */
function createInputs({ query = "" }: RecordedQuestion, hidden: HiddenRecord): InputLookup {
  let parsed: ReadonlyMap<string, readonly string[]> | undefined;
  return {
    values(kind: InputRead["kind"], name: string): readonly string[] {
      const tags = kind === "header" ? hidden.headers : hidden.query;
      return tags?.texts(name) ?? (parsed ??= parseFormQuery(query)).get(name) ?? NO_VALUES;
    },
  };
}

const NO_VALUES: readonly string[] = [];
