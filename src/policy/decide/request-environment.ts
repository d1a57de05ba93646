/**
 * A PolicyRequest as policies see it. Nothing is turned into a Cedar value before a policy reads it,
 * and header and query reads are noted for the record.
 */
import type { Fields } from "../../model/http.ts";
import type { InputRead, PolicyRequest } from "../../model/policy.ts";
import type { Principal } from "../../model/principal.ts";
import { RPC_NAMES, type RpcCall } from "../../model/rpc.ts";
import { isIdentityName } from "../../wire/identity-fields.ts";
import { HEADERS, QUERY } from "../cedar-names.ts";
import { Datetime } from "../cedar/datetime.ts";
import type { Entity, Environment } from "../cedar/environment.ts";
import { EvaluationError } from "../cedar/evaluation-error.ts";
import type { FileEntities } from "./file-entities.ts";
import { parseFormQuery } from "./form-query.ts";
import type { IpAddress } from "../cedar/ip-address.ts";
import type { PlacedEntity } from "../cedar/policy-index.ts";
import { type DeclaredParameters, OperationParameters } from "./operation-parameters.ts";
import { attributesRecord } from "./attributes-record.ts";
import { actorRecord, authnRecord, callerAddress } from "./context-values.ts";
import { IssueContext } from "./issue-context.ts";
import type { PrincipalView } from "./principal-view.ts";
import {
  CedarRecord,
  CedarSet,
  EMPTY_RECORD,
  type EntityUid,
  type Value,
} from "../cedar/values.ts";

export interface RequestPlace {
  readonly view: PrincipalView;
  /** Makes the view of whom the context names. */
  readonly viewOf: (principal: Principal) => PrincipalView;
  readonly action: PlacedEntity & {
    /** Of an operation: what it declares. */
    readonly parameters?: DeclaredParameters | undefined;
  };
  readonly resource: PlacedEntity;
  /** Routes, services, actions and their groups, by key. */
  readonly entities: ReadonlyMap<string, Entity>;
  /** What data files say of all others. */
  readonly files: FileEntities;
}

export class RequestEnvironment implements Environment {
  readonly principal: EntityUid;
  readonly action: EntityUid;
  readonly resource: EntityUid;
  readonly #request: PolicyRequest;
  readonly #place: RequestPlace;
  #context: CedarRecord | undefined;
  #headers: Entity | undefined;
  #query: Entity | undefined;
  #reads: InputRead[] | undefined;

  constructor(request: PolicyRequest, place: RequestPlace) {
    this.#request = request;
    this.#place = place;
    this.principal = place.view.uid;
    this.action = place.action.uid;
    this.resource = place.resource.uid;
  }

  get context(): CedarRecord {
    return (this.#context ??= this.#makeContext());
  }

  #makeContext(): CedarRecord {
    const { viewOf } = this.#place;
    const { issue } = this.#request;
    if (issue !== undefined) return new IssueContext(this.#request, issue, viewOf);
    return new RequestContext(this.#request, viewOf, () => this.#parameters());
  }

  /** Undefined where the action is no operation. */
  #parameters(): CedarRecord | undefined {
    const declared = this.#place.action.parameters;
    if (declared === undefined) return undefined;
    const { path, servicePath = path } = this.#request;
    const find = this.#lookup("query");
    const note = this.#note("query");
    return new OperationParameters(declared, servicePath, (name) => note(name, find));
  }

  /** Undefined when no policy read a header or query parameter. */
  get reads(): readonly InputRead[] | undefined {
    return this.#reads;
  }

  entity(uid: EntityUid): Entity | undefined {
    if (uid === this.principal || uid.key === this.principal.key) return this.#place.view.entity;
    if (uid.key === HEADERS.key) return (this.#headers ??= this.#tagged("header"));
    if (uid.key === QUERY.key) return (this.#query ??= this.#tagged("query"));
    const { entities, files } = this.#place;
    return this.#beside(uid) ?? entities.get(uid.key) ?? files.entity(uid.key);
  }

  /** Whom the context names beside the principal. */
  #beside({ key }: EntityUid): Entity | undefined {
    const { workload, device } = this.#request;
    for (const one of [workload, device]) {
      if (one === undefined) continue;
      const view = this.#place.viewOf(one);
      if (view.uid.key === key) return view.entity;
    }
    return undefined;
  }

  #tagged(kind: InputRead["kind"]): Entity {
    const find = this.#lookup(kind);
    const note = this.#note(kind);
    const tags = new TrackedTags((name) => note(name, find));
    return { attributes: EMPTY_RECORD, tags, ancestors: NO_ANCESTORS };
  }

  #lookup(kind: InputRead["kind"]): Find {
    const { fields, query, inputs } = this.#request;
    if (inputs !== undefined) return (name) => inputs.values(kind, name);
    return kind === "header" ? (name) => valuesOfField(fields, name) : createQueryLookup(query);
  }

  /** Looks up, and notes for the record what was found, also where it cannot be read. */
  #note(kind: InputRead["kind"]): (name: string, find: Find) => readonly string[] {
    return (name, find) => {
      let values: readonly string[] | undefined;
      try {
        values = find(name);
        return values;
      } finally {
        const reads = (this.#reads ??= []);
        // `context.query` and `context.parameters` may both have read it.
        const known = reads.some((read) => read.kind === kind && read.name === name);
        if (!known)
          reads.push(values === undefined ? unreadable(kind, name) : { kind, name, values });
      }
    };
  }
}

function unreadable(kind: InputRead["kind"], name: string): InputRead {
  return { kind, name, values: NO_VALUES, unreadable: true };
}

/** Values of a name, as policies see them. Throws an EvaluationError where they cannot be read. */
type Find = (name: string) => readonly string[];

const NO_ANCESTORS: ReadonlySet<string> = new Set();
const NO_ENTRIES: ReadonlyMap<string, Value> = new Map();
const NO_VALUES: readonly string[] = [];

/** The names are those of the schema (schema.ts); what is absent here is optional there. */
const CONTEXT_NAMES = [
  "path",
  "host",
  "method",
  "params",
  "query",
  "headers",
  "ip",
  "time",
  "scopes",
  "authn",
] as const;

/** Those that are there or not. */
const OPTIONAL_NAMES = ["parameters", "workload", "device", "actor", "body", "rpc"] as const;

class RequestContext extends CedarRecord {
  readonly #request: PolicyRequest;
  #ip: IpAddress | undefined;
  #scopes: CedarSet | undefined;
  #params: CedarRecord | undefined;
  #authn: CedarRecord | undefined;
  #actor: CedarRecord | undefined;
  #body: CedarRecord | undefined;
  #rpc: CedarRecord | undefined;
  readonly #viewOf: RequestPlace["viewOf"];
  readonly #makeParameters: () => CedarRecord | undefined;
  #parameters: CedarRecord | undefined;

  constructor(
    request: PolicyRequest,
    viewOf: RequestPlace["viewOf"],
    makeParameters: () => CedarRecord | undefined,
  ) {
    super(NO_ENTRIES);
    this.#request = request;
    this.#viewOf = viewOf;
    this.#makeParameters = makeParameters;
  }

  override get(name: string): Value | undefined {
    const request = this.#request;
    switch (name) {
      case "path":
        return request.path;
      case "host":
        return request.host;
      case "method":
        return request.method;
      case "params":
        return (this.#params ??= new CedarRecord(new Map(Object.entries(request.params))));
      case "query":
        return QUERY;
      case "headers":
        return HEADERS;
      case "ip":
        return (this.#ip ??= callerAddress(request.ip));
      case "time":
        return new Datetime(request.timeMs);
      case "scopes":
        return (this.#scopes ??= new CedarSet(request.scopes));
      case "authn":
        return (this.#authn ??= authnRecord(request.authn));
      case "parameters":
        return (this.#parameters ??= this.#makeParameters());
      case "workload":
        return request.workload && this.#viewOf(request.workload).uid;
      case "device":
        return request.device && this.#viewOf(request.device).uid;
      case "actor":
        return request.actor && (this.#actor ??= actorRecord(request.actor));
      case "body":
        return request.body && (this.#body ??= attributesRecord(request.body));
      case "rpc":
        return request.rpc && (this.#rpc ??= rpcRecord(request.rpc));
      default:
        return undefined;
    }
  }

  override has(name: string): boolean {
    if ((CONTEXT_NAMES as readonly string[]).includes(name)) return true;
    return (OPTIONAL_NAMES as readonly string[]).includes(name) && this.get(name) !== undefined;
  }

  override entries(): ReadonlyMap<string, Value> {
    const entries = new Map<string, Value>();
    for (const name of [...CONTEXT_NAMES, ...OPTIONAL_NAMES]) {
      const value = this.get(name);
      if (value !== undefined) entries.set(name, value);
    }
    return entries;
  }
}

/** Tags that are looked up once a name. */
class TrackedTags extends CedarRecord {
  readonly #find: Find;
  readonly #found = new Map<string, CedarSet | EvaluationError | undefined>();

  constructor(find: Find) {
    super(NO_ENTRIES);
    this.#find = find;
  }

  override get(name: string): Value | undefined {
    if (!this.#found.has(name)) this.#found.set(name, this.#look(name));
    const found = this.#found.get(name);
    if (found instanceof EvaluationError) throw found;
    return found;
  }

  override has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** Cedar has no operator that sees all tags at once. */
  override entries(): never {
    throw new TypeError("tags are read by name");
  }

  #look(name: string): CedarSet | EvaluationError | undefined {
    try {
      const values = this.#find(name);
      return values.length === 0 ? undefined : new CedarSet(values);
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error;
      return error;
    }
  }
}

/**
 * Several lines of one field are several values; each stands as received, latin1. Names in which
 * only we speak are absent: what a caller writes there is dropped, and a policy must not believe it.
 */
function valuesOfField(fields: Fields, name: string): readonly string[] {
  if (isIdentityName(name)) return NO_VALUES;
  let values: string[] | undefined;
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index] === name) (values ??= []).push(fields[index + 1] ?? "");
  }
  return values ?? NO_VALUES;
}

function createQueryLookup(query: string | undefined): (name: string) => readonly string[] {
  let parsed: ReadonlyMap<string, readonly string[]> | undefined;
  return (name) => {
    parsed ??= parseFormQuery(query ?? "");
    return parsed.get(name) ?? NO_VALUES;
  };
}

function rpcRecord(call: RpcCall): CedarRecord {
  const entries = new Map<string, Value>([
    ["protocol", call.protocol],
    ["kind", call.kind],
  ]);
  for (const name of RPC_NAMES) {
    const value = call[name];
    if (value !== undefined) entries.set(name, value);
  }
  return new CedarRecord(entries);
}
