/** What every step of the decision has in common: what it is given and what it answers. */
import type { QuotaMeter } from "../limits/usage/quota-meter.ts";
import type { Clock, Log } from "../model/ports.ts";
import type { ShadowOutcome } from "../model/policy.ts";
import type { Reason } from "../model/reason.ts";
import type { AuditLog } from "../model/records.ts";
import type { Revocations } from "../model/revocation.ts";
import type { Tracing } from "../telemetry/traces/tracing.ts";
import type { Deciding } from "./decision.ts";

/** Counts failed verifications per address (design section 5, rule 5). */
export interface FailureBudget {
  spent(address: string): boolean;
  charge(address: string): void;
}

export interface GateDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly audit: AuditLog;
  readonly budget: FailureBudget;
  /** Quotas of plans; undefined where usage is not counted. */
  readonly quotas?: QuotaMeter | undefined;
  /** What access was taken away; `NO_REVOCATIONS` where there is no authority to hear it from. */
  readonly revocations: Revocations;
  readonly nextDecisionId: () => string;
  /** Undefined: no trace is kept because of what is decided. */
  readonly tracing?: Tracing | undefined;
  /** Told of every decision: its route if any, its reason, how long it took, whether it is about a gRPC call, its id. */
  readonly decided: (
    route: string | undefined,
    reason: Reason,
    milliseconds: number,
    grpc: boolean,
    id: string,
  ) => void;
  /** Told of each token that is bound to nobody, on routes that say `confirmation: report`. Undefined: nobody counts. */
  readonly unbound?: (route: string) => void;
  /** Told how a candidate set of policies would have decided, where there is one. Undefined: nobody counts. */
  readonly shadowed?: (outcome: ShadowOutcome) => void;
}

/** Undefined to go on, or the reason to deny. */
export type StepResult = Reason | undefined;

export type Step = (deciding: Deciding, deps: GateDeps) => StepResult | Promise<StepResult>;
