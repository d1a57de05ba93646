/**
 * The public surface of the package: what a program may import from `sallyport`. What is not in this
 * list is free to change.
 */
export { type Sallyport, startSallyport } from "./app/sallyport.ts";
export { checkConfig, type CheckResult } from "./config/check.ts";
export { loadConfig, type LoadedConfig } from "./config/load.ts";
export type { Config, ConfigInput } from "./config/schema.ts";
export { type Denial, type GateInput, isDenial, Permit } from "./gate/decision.ts";
export { createGate, type Gate } from "./gate/gate.ts";
export { createRouter, findConflicts, pathParams, type Router } from "./gate/router.ts";
export type { GateDeps } from "./gate/step.ts";
export type { GateRoute, GateSnapshot } from "./gate/snapshot.ts";
export {
  ConfigError,
  ERROR_CODES,
  type ErrorCode,
  formatProblem,
  type Problem,
  SallyportError,
} from "./model/errors.ts";
export type { Policies, PolicyDecision, PolicyRequest } from "./model/policy.ts";
export type { Clock, Log } from "./model/ports.ts";
export type { Principal, PrincipalKind } from "./model/principal.ts";
export { type Reason, type ReasonInfo, reasonInfo, REASONS } from "./model/reason.ts";
export type { AuditLog, CompletionRecord, DecisionRecord } from "./model/records.ts";
export { NO_REVOCATIONS, type RevocationKind, type Revocations } from "./model/revocation.ts";
export type { BearerVerifier } from "./model/verifiers.ts";
export { METHODS, type Vocabulary } from "./model/vocabulary.ts";
export { systemClock } from "./platform/clock.ts";
export { createDecisionIds } from "./platform/decision-id.ts";
export { compilePolicies } from "./policy/compile-policies.ts";
