/**
 * A decision record as the question that policies were asked. Everything that a decision depended on is
 * in it, but for the values of headers and query parameters: those are redacted, and reading one that
 * is not known stops the evaluation (WithheldRead) instead of guessing.
 *
 * Known without its value: that a header or parameter was absent, where the record says that it was
 * looked for, where the query has no such name, and for names in which only we speak. A query with
 * masked values could be one that cannot be decoded, on which policies fail: unless one has read it and
 * did not.
 */
import type { Actor } from "../../model/facts.ts";
import type { Authn, InputLookup, InputRead, PolicyRequest } from "../../model/policy.ts";
import type { Principal } from "../../model/principal.ts";
import { parseAuthority } from "../../wire/authority.ts";
import { isIdentityName } from "../../wire/identity-fields.ts";
import type { VocabularyInspection } from "../../model/vocabulary.ts";
import { BAD_QUERY } from "../cedar/evaluation-error.ts";
import { parseFormQuery } from "../decide/form-query.ts";
import { type RecordedBodies, type SeenBody, seenBody } from "./recorded-body.ts";

/** What of a record a second evaluation reads; a decision of the audit log has all of it. */
export interface RecordedQuestion extends RecordedBodies {
  readonly action?: string | undefined;
  readonly actor?: Recorded<Actor, "issuer" | "clientId"> | undefined;
  readonly authn?: Recorded<Authn, "acr"> | undefined;
  readonly clientAddress?: string | undefined;
  readonly device?: Principal | undefined;
  readonly erroring: readonly string[];
  readonly host?: string | undefined;
  readonly method?: string | undefined;
  readonly params: Readonly<Record<string, string>>;
  readonly path?: string | undefined;
  readonly peerAddress: string;
  readonly principal?: Principal | undefined;
  readonly query?: string | undefined;
  readonly reads: readonly RecordedRead[];
  readonly route?: string | undefined;
  readonly scopes: readonly string[];
  readonly servicePath?: string | undefined;
  /** RFC 3339. */
  readonly time: string;
  /** By member. */
  readonly truncated: Readonly<Record<string, unknown>>;
  readonly workload?: Principal | undefined;
}

/** What is not known is left out of a record. */
type Recorded<T, Optional extends keyof T> = Omit<T, Optional> & Partial<Pick<T, Optional>>;

export interface RecordedRead {
  readonly kind: InputRead["kind"];
  readonly name: string;
  /** Of each value; empty where it was absent. */
  readonly hashes: readonly string[];
  /** It could not be read, on which the policy failed. */
  readonly unreadable?: true | undefined;
}

/** Stops the evaluation: the value that was read is not in the record. */
export class WithheldRead extends Error {
  override readonly name = "WithheldRead";
}

/** One is enough: what was read is in `RecordedInputs`, and a stack would cost as much as the decision. */
const WITHHELD = new WithheldRead("a value is not in the record");

const MASKED = "*";
const NONE: readonly string[] = [];

/**
 * The question; undefined where policies were not asked: no route, or no principal. `principal` is the
 * record's own, or the same one as another object. `inspectionOf`: what policies are to see of a
 * route's bodies.
 */
export function requestOf(
  record: RecordedQuestion,
  principal: Principal | undefined = record.principal,
  inspectionOf: (route: string) => VocabularyInspection | undefined = () => undefined,
): RecordedRequest | undefined {
  const { authn, method, path, route } = record;
  if (principal === undefined || authn === undefined) return undefined;
  if (method === undefined || path === undefined || route === undefined) return undefined;
  const inspect = inspectionOf(route);
  return new RecordedRequest(record, { principal, method, path, route, inspect });
}

/** What policies are asked; what none of them reads is not made out of the record. */
export class RecordedRequest implements PolicyRequest {
  readonly #record: RecordedQuestion;
  #inputs: RecordedInputs | undefined;
  readonly principal: Principal;
  readonly action: string;
  readonly route: string;
  readonly path: string;
  readonly method: string;
  /** What of its body is known. */
  readonly seen: SeenBody;

  constructor(
    record: RecordedQuestion,
    parts: Pick<PolicyRequest, "principal" | "method" | "path" | "route"> & {
      readonly inspect: VocabularyInspection | undefined;
    },
  ) {
    this.seen = seenBody(record, parts.inspect);
    this.#record = record;
    this.principal = parts.principal;
    this.action = record.action ?? parts.method;
    this.route = parts.route;
    this.path = parts.path;
    this.method = parts.method;
  }

  get host(): string {
    return parseAuthority(this.#record.host ?? "")?.host ?? "";
  }

  get params(): PolicyRequest["params"] {
    return this.#record.params;
  }

  /** What an operation declares is read of the path after a rewrite. */
  get servicePath(): string | undefined {
    return this.#record.servicePath;
  }

  /** `inputs` knows of them. */
  get query(): undefined {
    return undefined;
  }

  get fields(): readonly string[] {
    return NONE;
  }

  get inputs(): RecordedInputs {
    return (this.#inputs ??= new RecordedInputs(this.#record));
  }

  get ip(): string {
    return this.#record.clientAddress ?? this.#record.peerAddress;
  }

  get timeMs(): number {
    return Date.parse(this.#record.time);
  }

  get scopes(): readonly string[] {
    return this.#record.scopes;
  }

  get authn(): Authn {
    return this.#record.authn as Authn;
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

  get body(): SeenBody["body"] {
    const { body, unknown } = this.seen;
    return unknown.includes("body") ? this.inputs.withhold("context.body") : body;
  }

  get rpc(): SeenBody["rpc"] {
    const { rpc, unknown } = this.seen;
    return unknown.includes("rpc") ? this.inputs.withhold("context.rpc") : rpc;
  }
}

/** Members that policies see and of which only the beginning is in the record. */
export function cutMembers({ truncated }: RecordedQuestion): readonly string[] {
  let cut = NONE;
  for (const name in truncated) {
    if (isSeen(name)) cut = [...cut, `context.${name}`];
    // What an operation declares is read of it.
    if (name === "servicePath") cut = [...cut, "context.parameters"];
  }
  return cut;
}

function isSeen(member: string): boolean {
  return (
    member === "path" || member === "host" || member === "method" || member.startsWith("params.")
  );
}

type InputMembers = Pick<RecordedQuestion, "erroring" | "query" | "reads" | "truncated">;

/** Headers and query parameters of a record by name, as far as it says what they were. */
export class RecordedInputs implements InputLookup {
  readonly #record: InputMembers;
  #parsed: ReadonlyMap<string, readonly string[]> | undefined;
  /** What was read last that is not known, for people. */
  missing = "";

  constructor(record: InputMembers) {
    this.#record = record;
  }

  /** Throws WithheldRead, and BAD_QUERY where what is there cannot be decoded. */
  values(kind: InputRead["kind"], name: string): readonly string[] {
    if (kind === "query") return this.#parameter(name);
    if (isIdentityName(name) || this.#wasAbsent(kind, name)) return NONE;
    return this.withhold(`context.headers ${JSON.stringify(name)}`);
  }

  #parameter(name: string): readonly string[] {
    const { query, reads, truncated } = this.#record;
    if (query === undefined) return NONE;
    if (reads.some(({ unreadable }) => unreadable === true)) throw BAD_QUERY;
    const whole = !query.includes(MASKED) && truncated["query"] === undefined;
    if (whole) return this.#values(query).get(name) ?? NONE;
    if (!this.#wasDecoded()) return this.withhold(`context.query ${JSON.stringify(name)}`);
    if (this.#wasAbsent("query", name)) return NONE;
    const found = this.#values(query).get(name);
    if (found?.every((value) => value !== MASKED) === true) return found;
    if (found === undefined && this.#hasAllNames(query)) return NONE;
    return this.withhold(`context.query ${JSON.stringify(name)}`);
  }

  #values(query: string): ReadonlyMap<string, readonly string[]> {
    return (this.#parsed ??= parseFormQuery(query));
  }

  #wasAbsent(kind: InputRead["kind"], name: string): boolean {
    return this.#record.reads.some(
      (read) => read.kind === kind && read.name === name && read.hashes.length === 0,
    );
  }

  /** A policy has read the query, and found something or at least did not fail. */
  #wasDecoded(): boolean {
    const { reads, erroring } = this.#record;
    return reads.some(
      ({ kind, hashes }) => kind === "query" && (hashes.length > 0 || erroring.length === 0),
    );
  }

  /** A piece without `=`, and a name of great length, is masked whole. */
  #hasAllNames(query: string): boolean {
    return this.#record.truncated["query"] === undefined && !query.split("&").includes(MASKED);
  }

  /** Throws WithheldRead. */
  withhold(name: string): never {
    this.missing = name;
    throw WITHHELD;
  }
}
