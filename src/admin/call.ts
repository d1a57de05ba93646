/** A call of the admin API on its way through, and its answer: plain values, of no transport. */
import type { AdminOperation } from "../model/admin-operations.ts";
import type { Principal } from "../model/principal.ts";

export const JSON_TYPE = "application/json";
export const PROBLEM_TYPE = "application/problem+json";

/** A call that the gate has permitted. */
export interface PermittedCall {
  readonly operation: AdminOperation;
  readonly principal: Principal;
  readonly decision: string;
  readonly requestId: string;
  readonly listener: string;
  readonly peer: { readonly address: string; readonly port: number };
  readonly method: string;
  /** Canonical path, with the raw query. */
  readonly target: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Undefined: none was sent. */
  readonly body: string | undefined;
}

export interface ApiAnswer {
  readonly status: number;
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Empty: none. */
  readonly body: string;
}
