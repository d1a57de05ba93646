/**
 * `context` where a key is to be issued. The names are those of the schema (schema.ts). It has nothing of
 * the request to the token endpoint but who sent it from where, since that says nothing of what the key
 * will be used for.
 */
import type { PolicyIssue, PolicyRequest } from "../../model/policy.ts";
import type { Principal } from "../../model/principal.ts";
import { Datetime } from "../cedar/datetime.ts";
import { CedarRecord, CedarSet, type Value } from "../cedar/values.ts";
import { actorRecord, authnRecord, callerAddress } from "./context-values.ts";
import type { PrincipalView } from "./principal-view.ts";

const NAMES = [
  "ip",
  "time",
  "scopes",
  "authn",
  "lifetime",
  "binding",
  "grant",
  "as",
  "client",
  "narrowed",
] as const;

/** Those that are there or not. */
const OPTIONAL_NAMES = ["other", "workload", "device", "actor"] as const;

const NO_ENTRIES: ReadonlyMap<string, Value> = new Map();

export class IssueContext extends CedarRecord {
  readonly #request: PolicyRequest;
  readonly #issue: PolicyIssue;
  readonly #viewOf: (principal: Principal) => PrincipalView;

  constructor(
    request: PolicyRequest,
    issue: PolicyIssue,
    viewOf: (principal: Principal) => PrincipalView,
  ) {
    super(NO_ENTRIES);
    this.#request = request;
    this.#issue = issue;
    this.#viewOf = viewOf;
  }

  override get(name: string): Value | undefined {
    const request = this.#request;
    switch (name) {
      case "ip":
        return callerAddress(request.ip);
      case "time":
        return new Datetime(request.timeMs);
      case "scopes":
        return new CedarSet(request.scopes);
      case "authn":
        return authnRecord(request.authn);
      case "workload":
        return request.workload && this.#viewOf(request.workload).uid;
      case "device":
        return request.device && this.#viewOf(request.device).uid;
      case "actor":
        return request.actor && actorRecord(request.actor);
      default:
        return this.#asked(name);
    }
  }

  /** What is asked for. */
  #asked(name: string): Value | undefined {
    const issue = this.#issue;
    switch (name) {
      case "lifetime":
        return issue.lifetimeSeconds;
      case "binding":
      case "grant":
      case "as":
      case "client":
      case "narrowed":
      case "other":
        return issue[name];
      default:
        return undefined;
    }
  }

  override has(name: string): boolean {
    if ((NAMES as readonly string[]).includes(name)) return true;
    return (OPTIONAL_NAMES as readonly string[]).includes(name) && this.get(name) !== undefined;
  }

  override entries(): ReadonlyMap<string, Value> {
    const entries = new Map<string, Value>();
    for (const name of [...NAMES, ...OPTIONAL_NAMES]) {
      const value = this.get(name);
      if (value !== undefined) entries.set(name, value);
    }
    return entries;
  }
}
