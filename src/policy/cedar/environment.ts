import type { CedarRecord, EntityUid, Value } from "./values.ts";

/** What a policy can look at while it is evaluated. */
export interface Environment {
  readonly principal: EntityUid;
  readonly action: EntityUid;
  readonly resource: EntityUid;
  readonly context: CedarRecord;
  /** The entity's data, or undefined where there is no such entity. */
  entity(uid: EntityUid): Entity | undefined;
}

export interface Entity {
  readonly attributes: CedarRecord;
  readonly tags: CedarRecord;
  /** Keys (`EntityUid.key`) of everything that it is in, transitively, without itself. */
  readonly ancestors: ReadonlySet<string>;
}

/** Computes a value; throws an EvaluationError. */
export type Evaluate = (environment: Environment) => Value;
