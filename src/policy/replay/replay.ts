/**
 * Evaluates recorded decisions by other policies and keeps which answers flip: by principal, action and
 * resource, with counts and one example of each.
 *
 * An answer is what policies said: permit or deny. What they did not decide (a bad credential, no
 * route) is left out and counted. Where a redacted value could make the answer another one, it is
 * uncertain, and said to be.
 */
import { ADMIN_ROUTE } from "../../model/admin-operations.ts";
import { isEgressRoute } from "../../model/egress-names.ts";
import type { Policies, PolicyRequest } from "../../model/policy.ts";
import { principalId } from "../../model/principal.ts";
import type { Vocabulary } from "../../model/vocabulary.ts";
import { ACTIONS, ADMIN_ACTIONS, PRINCIPAL_TYPES } from "../cedar-names.ts";
import { LOCAL_SOCKET_POLICY } from "../decide/local-socket.ts";
import {
  type RecordedHash,
  type RecordedQuestion,
  recordedRequest,
  type RecordedRequest,
} from "../explain/recorded-request.ts";
import { hiddenFacts } from "../explain/redacted.ts";
import { UnknownRead } from "../explain/unknown.ts";
import { operationActions } from "../operation-actions.ts";
import { isOneOfSeveral } from "../recorded-issue.ts";
import { BodyInspections } from "./body-inspections.ts";
import { Principals } from "./principals.ts";
import type { Settle, Settled } from "./settle.ts";

const LIMITS = {
  /** Groups of each list; more than anybody reads. What comes beyond them is counted together. */
  groups: 20_000,
} as const;

/** A decision record as far as replay reads it. */
export interface RecordedAnswer extends RecordedQuestion {
  /** Hash of the policies that decided. */
  readonly bundle?: string | undefined;
  readonly decisionId: string;
  readonly determining: readonly string[];
  readonly erroring: readonly string[];
  readonly reason: string;
}

/** All decisions of one principal, action and resource that came out in one way. */
export interface ReplayGroup {
  /** `Sallyport::Workload::"corp/payments"`. */
  readonly principal: string;
  readonly action: string;
  /** Name of the route; of a key that was asked for, of the service. */
  readonly route: string;
  count: number;
  /** Id of the first of them. */
  readonly example: string;
  /** What the candidate says of the example, and the policies that make it; undefined where that depends. */
  readonly reason: string | undefined;
  readonly determining: readonly string[];
  /** What the answer depends on, where that is not in the record. */
  readonly dependsOn: readonly string[];
}

export interface ReplayReport {
  /** Decisions that were given. */
  readonly decisions: number;
  /** Those that have the same answer. */
  readonly same: number;
  /** Permitted, and would be denied. */
  readonly wouldDeny: ReplayList;
  /** Denied, and would be permitted. */
  readonly wouldPermit: ReplayList;
  readonly uncertain: ReplayList;
  /** Not decided by policies, or about what is not there any more: how many, by why. */
  readonly leftOut: Readonly<Record<string, number>>;
  /** Members that policies can look at, and in how many of the `redacted` of `leftOut` each is hidden. */
  readonly redacted: Readonly<Record<string, number>>;
}

export interface ReplayList {
  readonly count: number;
  /** Those with the most decisions first. */
  readonly groups: readonly ReplayGroup[];
  /** Decisions that are in no group because there are too many. */
  readonly beyond: number;
}

export interface ReplayDeps {
  /**
   * Asked where a value is read that the record does not have: whether the answer is certain all the
   * same. Left out: it is not.
   */
  readonly settle?: Settle;
  /** With the key of the log; without it no value that a record has as a hash can be compared. */
  readonly hash?: RecordedHash | undefined;
  /** The words of policies that decided, by their hash; undefined where they are not kept. */
  readonly vocabularyOf?: ((bundle: string) => Vocabulary | undefined) | undefined;
}

/** What the candidate says about a record. */
export type Answered =
  | {
      readonly leftOut: string;
      /** The redacted members that are the reason. */
      readonly hidden?: readonly string[];
      readonly request?: undefined;
      readonly settled?: undefined;
    }
  | { readonly leftOut?: undefined; readonly request: RecordedRequest; readonly settled: Settled };

/** Answers of a recorded decision that policies made. */
const ANSWERS: Readonly<Record<string, "permit" | "deny">> = {
  permitted: "permit",
  "no-permit": "deny",
  forbidden: "deny",
  "policy-error": "deny",
  "step-up-required": "deny",
};

export class Replay {
  readonly #policies: Policies;
  readonly #deps: ReplayDeps;
  readonly #routes: ReadonlySet<string>;
  readonly #services: ReadonlySet<string>;
  readonly #actions: ReadonlySet<string>;
  readonly #inspections: BodyInspections;
  readonly #principals = new Principals();
  readonly #lists = { wouldDeny: new List(), wouldPermit: new List(), uncertain: new List() };
  readonly #leftOut = new Map<string, number>();
  readonly #hidden = new Map<string, number>();
  #decisions = 0;
  #same = 0;

  constructor(policies: Policies, vocabulary: Vocabulary, deps: ReplayDeps = {}) {
    this.#policies = policies;
    this.#deps = deps;
    this.#routes = new Set([...vocabulary.routes.map(({ name }) => name), ADMIN_ROUTE]);
    this.#services = new Set(vocabulary.services.map(({ name }) => name));
    this.#inspections = new BodyInspections(vocabulary, (bundle) =>
      bundle === policies.hash ? vocabulary : deps.vocabularyOf?.(bundle),
    );
    this.#actions = new Set(
      [...ACTIONS, ...ADMIN_ACTIONS, ...operationActions(vocabulary)].map(({ id }) => id),
    );
  }

  /** Evaluates one record. Throws what is no fault of the record: a defect. */
  add(record: RecordedAnswer): void {
    this.#decisions += 1;
    const answered = this.answer(record);
    if (answered.leftOut !== undefined) {
      for (const member of answered.hidden ?? []) countUp(this.#hidden, member);
      return countUp(this.#leftOut, answered.leftOut);
    }
    const { request, settled } = answered;
    if (settled.answer === undefined) return this.#lists.uncertain.add(record, request, settled);
    const { permits } = settled.answer;
    if (permits === (answerOf(record) === "permit")) this.#same += 1;
    else this.#lists[permits ? "wouldPermit" : "wouldDeny"].add(record, request, settled);
  }

  /** What `add` counts, of one record. */
  answer(record: RecordedAnswer): Answered {
    if (answerOf(record) === undefined) return { leftOut: record.reason };
    if (record.determining[0] === LOCAL_SOCKET_POLICY) return { leftOut: "admin-socket" };
    // An answer about keyed hashes would be one about nobody.
    const hidden = hiddenFacts(record);
    if (hidden.length > 0) return { leftOut: "redacted", hidden };
    const request = recordedRequest(record, {
      hash: this.#deps.hash,
      principal: record.principal && this.#principals.same(record.principal),
      views: this.#inspections.of(record),
    });
    if (request === undefined) return { leftOut: "incomplete" };
    const leftOut = this.#whyNotAsked(record, request);
    return leftOut === undefined ? { request, settled: this.#evaluate(request) } : { leftOut };
  }

  #whyNotAsked(
    record: RecordedAnswer,
    { issue, route, action }: RecordedRequest,
  ): string | undefined {
    if (issue !== undefined) {
      // All of them have to permit, and the record has one.
      if (isOneOfSeveral(record)) return "key-of-several-questions";
      return this.#services.has(issue.service) ? undefined : "service-gone";
    }
    // Its list is the policy, and no other set has a say about it.
    if (isEgressRoute(route)) return "egress";
    if (!this.#routes.has(route)) return "route-gone";
    return this.#actions.has(action) ? undefined : "action-gone";
  }

  report(): ReplayReport {
    const { wouldDeny, wouldPermit, uncertain } = this.#lists;
    return {
      decisions: this.#decisions,
      same: this.#same,
      wouldDeny: wouldDeny.report(),
      wouldPermit: wouldPermit.report(),
      uncertain: uncertain.report(),
      leftOut: mostFirst(this.#leftOut),
      redacted: mostFirst(this.#hidden),
    };
  }

  #evaluate(request: RecordedRequest): Settled {
    try {
      const { reason, determining, erroring } = this.#policies.decide(request);
      const permits = reason === "permitted";
      return { answer: { permits, reason, determining, erroring, isWhole: true }, dependsOn: NONE };
    } catch (error) {
      if (!(error instanceof UnknownRead)) throw error;
      const dependsOn = [error.unknown.name];
      return this.#deps.settle?.(request) ?? { answer: undefined, dependsOn };
    }
  }
}

function countUp(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function mostFirst(counts: ReadonlyMap<string, number>): Readonly<Record<string, number>> {
  return Object.fromEntries([...counts].toSorted(([, one], [, other]) => other - one));
}

/** What policies said; undefined where they were not asked. */
export function answerOf({ reason, determining }: RecordedAnswer): "permit" | "deny" | undefined {
  const known = ANSWERS[reason];
  if (known !== undefined) return known;
  // Refused after policies had permitted it: a rate, or a record that could not be written.
  return determining.length > 0 ? "permit" : undefined;
}

/** One list of a report while it grows. */
class List {
  readonly #groups = new Map<string, ReplayGroup>();
  #count = 0;
  #beyond = 0;

  add(record: RecordedAnswer, request: PolicyRequest, { answer, dependsOn }: Settled): void {
    this.#count += 1;
    const { principal, action, issue } = request;
    const route = issue?.service ?? request.route;
    const id = principalId(principal);
    const key = `${principal.kind} ${id} ${action} ${route} ${dependsOn.join(" ")}`;
    const group = this.#groups.get(key);
    if (group !== undefined) group.count += 1;
    else if (this.#groups.size >= LIMITS.groups) this.#beyond += 1;
    else {
      this.#groups.set(key, {
        principal: `Sallyport::${PRINCIPAL_TYPES[principal.kind]}::${JSON.stringify(id)}`,
        action,
        route,
        count: 1,
        example: record.decisionId,
        reason: answer?.reason,
        determining: answer?.determining ?? NONE,
        dependsOn,
      });
    }
  }

  report(): ReplayList {
    const groups = [...this.#groups.values()].toSorted((one, other) => other.count - one.count);
    return { count: this.#count, groups, beyond: this.#beyond };
  }
}

const NONE: readonly string[] = Object.freeze([]);
