/**
 * Whether a caller of whom not everything is known may do something: yes or no where nothing that is not
 * known could change it, else it depends, with the clauses on which it does.
 */
import type { PolicyRequest } from "../../model/policy.ts";
import { METHODS } from "../../model/vocabulary.ts";
import { explainPolicies, type ExplainableSet } from "../explain/explanation.ts";
import { unknownContext, unknownKey } from "../explain/unknown-context.ts";
import type { Target } from "../findings/subject.ts";
import type { Caller } from "./known-callers.ts";

export interface Asked {
  readonly target: Target;
  readonly action: string;
  /** Members of the context that are known. */
  readonly context?: KnownContext;
}

/** What can be said of a request that was never made. */
export type KnownContext = Partial<
  Pick<PolicyRequest, "path" | "host" | "method" | "ip" | "timeMs" | "scopes">
>;

export interface Answer {
  readonly may: "yes" | "no" | "depends";
  /** Ids of the policies that decide it for certain. */
  readonly by: readonly string[];
  /** On what it depends. */
  readonly clauses: readonly {
    readonly policy: string;
    readonly effect: "permit" | "forbid";
    readonly file: string;
    readonly line: number;
    readonly kind: string;
    readonly text: string;
  }[];
}

export function answer(set: ExplainableSet, caller: Caller, asked: Asked): Answer {
  const { target, action, context = {} } = asked;
  const known: KnownContext = {
    ...(METHODS.includes(action) ? { method: action } : {}),
    ...context,
  };
  const { context: unknown, headers, query } = target.issuing ? unknownKey() : unknownContext();
  const hidden = new Map(unknown);
  for (const [member, name] of Object.entries(NAMES)) {
    if (known[name] !== undefined) hidden.delete(member);
  }
  const told = explainPolicies(set, {
    request: requestOf(caller, asked, known),
    hidden: { ...caller.hidden, context: hidden, headers, query },
  });
  return {
    may: told.decision === "permit" ? "yes" : told.decision === "deny" ? "no" : "depends",
    by: told.determining,
    clauses:
      told.decision !== "depends"
        ? []
        : told.policies.flatMap(({ id, effect, file, clauses }) =>
            clauses
              .filter(({ holds }) => holds === "depends")
              .map(({ line, kind, text }) => ({ policy: id, effect, file, line, kind, text })),
          ),
  };
}

/** Members of `context`, by what says them in a request. */
const NAMES = {
  path: "path",
  host: "host",
  method: "method",
  ip: "ip",
  time: "timeMs",
  scopes: "scopes",
} as const;

function requestOf(
  { principal }: Caller,
  { target, action }: Asked,
  known: KnownContext,
): PolicyRequest {
  return {
    principal,
    action,
    route: target.name,
    path: "/",
    host: "",
    method: "GET",
    params: {},
    query: undefined,
    fields: [],
    ip: "",
    timeMs: 0,
    scopes: [],
    authn: NOT_KNOWN,
    ...known,
    issue: target.issuing ? { ...NOTHING_ASKED, service: target.name } : undefined,
  };
}

/** As below. */
const NOTHING_ASKED = {
  lifetimeSeconds: 0,
  binding: "none",
  grant: "client-credentials",
  as: "subject",
  client: "",
  narrowed: false,
  other: undefined,
} as const;

/** Stands where nothing is read: the context's own is hidden. */
const NOT_KNOWN = {
  kind: "none",
  authenticator: "",
  ageSeconds: 0,
  acr: undefined,
  amr: [],
  bound: false,
} as const;
