import type { Actor } from "./facts.ts";
import type { Fields } from "./http.ts";
import type { IssueGrant, IssueQuestion, KeyBinding } from "./issued-keys.ts";
import type { AttributeValue, Principal } from "./principal.ts";
import type { RpcCall } from "./rpc.ts";

/** How the caller was authenticated; `context.authn` in policies. */
export interface Authn {
  /** `jwt`, …, or `none` for anonymous. */
  readonly kind: string;
  readonly authenticator: string;
  /** Seconds since the user authenticated or the credential was issued; 0 when unknown. */
  readonly ageSeconds: number;
  readonly acr: string | undefined;
  readonly amr: readonly string[];
  /** Whether the credential is bound to a key and the proof was checked. */
  readonly bound: boolean;
}

/**
 * One question to the policies. Plain values: what no policy reads is never turned into a Cedar
 * value. `context` is built from this, as docs/policies.md lists it.
 */
export interface PolicyRequest {
  readonly principal: Principal;
  /** Id of the action, e.g. `GET` or `admin:listWorkloads`. */
  readonly action: string;
  /** Name of the route; the route entity is in its service's. Admin actions are all on the admin API. */
  readonly route: string;
  /** Canonical, encoded. */
  readonly path: string;
  readonly host: string;
  readonly method: string;
  /** The path as the service gets it, where the action is an operation; left out: as it came. */
  readonly servicePath?: string | undefined;
  /** Decoded values of the route's `{name}` segments. */
  readonly params: Readonly<Record<string, string>>;
  /** Raw query without `?`. */
  readonly query: string | undefined;
  readonly fields: Fields;
  /** Stands for `query` and `fields` where a record is evaluated, which does not have them. */
  readonly inputs?: InputLookup | undefined;
  /** Address of the caller, as text. */
  readonly ip: string;
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  readonly scopes: readonly string[];
  readonly authn: Authn;
  /** What the connection's certificate proves, whoever the principal is. */
  readonly workload?: Principal | undefined;
  /** What a certificate or a token says of the caller's device. */
  readonly device?: Principal | undefined;
  /** Who acts for the principal. */
  readonly actor?: Actor | undefined;
  /** Declared values of its JSON body; undefined where it has none or the route does not look into it. */
  readonly body?: Readonly<Record<string, AttributeValue>> | undefined;
  /** What its body asks for, on routes of JSON-RPC and MCP. */
  readonly rpc?: RpcCall | undefined;
  /** Of ISSUE_KEY_ACTION, and of nothing else: what is asked for; then there is no route. */
  readonly issue?: PolicyIssue | undefined;
}

/** What policies see of a key before it is issued, beside what they see of every request. */
export interface PolicyIssue {
  /** Name of the service that it is to be good for: the resource. */
  readonly service: string;
  readonly lifetimeSeconds: number;
  readonly binding: KeyBinding;
  readonly grant: IssueGrant;
  readonly as: IssueQuestion["as"];
  /** `client_id` of who asks. */
  readonly client: string;
  readonly narrowed: boolean;
  /** `principalId` of the other party of an exchange. */
  readonly other: string | undefined;
}

/** Headers and query parameters by name, as far as they are known. */
export interface InputLookup {
  /** As `InputRead.values`. Throws where they are not known. */
  values(kind: InputRead["kind"], name: string): readonly string[];
}

/** An input outside the record's fixed fields that an evaluation read. */
export interface InputRead {
  readonly kind: "header" | "query";
  /** Lower-case field name, or decoded query name. */
  readonly name: string;
  /** The values as policy saw them; empty when it was absent. */
  readonly values: readonly string[];
  /** It could not be read, which made the policy err. */
  readonly unreadable?: true;
}

/** Why policies decided as they did. */
export interface PolicyDecision {
  readonly reason: "permitted" | "no-permit" | "forbidden" | "policy-error" | "step-up-required";
  /** Ids of the policies that made it, in the order of the files. */
  readonly determining: readonly string[];
  /** Ids of policies that failed during evaluation. */
  readonly erroring: readonly string[];
  readonly reads: readonly InputRead[];
  /** For `step-up-required`: what a login has to be so that none of the determining forbids applies. */
  readonly stepUp?: StepUp | undefined;
}

/** What a policy asks of a login (`@step_up`, RFC 9470). */
export interface StepUp {
  /** Authentication contexts, any of which will do; any at all when empty. */
  readonly acrValues: readonly string[];
  /** Seconds since the login at most; undefined: not asked. */
  readonly maxAgeSeconds: number | undefined;
}

/** What a candidate set of policies would have done where it is not what was done. */
export interface ShadowDecision {
  /** Of the candidate, as `Policies.hash`. */
  readonly bundle: string;
  /** `internal-error`: it could not be evaluated, which says nothing of what it would have decided. */
  readonly reason: PolicyDecision["reason"] | "internal-error";
  readonly determining: readonly string[];
}

/** How a candidate's answer stands to the one that counted. */
export type ShadowOutcome = "same" | "would-permit" | "would-deny" | "error";

export interface ShadowAnswer {
  readonly outcome: ShadowOutcome;
  /** Undefined where both permit or both deny. */
  readonly difference: ShadowDecision | undefined;
}

/** A candidate set that is asked beside the one in force, and changes nothing. */
export interface ShadowPolicies {
  /** As `Policies.hash`. */
  readonly hash: string;
  /** `decision`: what the set in force said of the same request. Never throws. */
  compare(request: PolicyRequest, decision: PolicyDecision): ShadowAnswer;
}

/** A compiled, immutable set of policies. */
export interface Policies {
  /** `sha256-<base64url>` over the policies, their data and the words that they can use. */
  readonly hash: string;
  decide(request: PolicyRequest): PolicyDecision;
}
