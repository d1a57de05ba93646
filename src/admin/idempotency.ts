/**
 * Requests that may be repeated: the same caller, key and request get the same answer for a day, and
 * the work is done once (draft-ietf-httpapi-idempotency-key-header). The store remembers, so it holds
 * across processes and restarts.
 *
 * Refuses a key that was used for another request (422), and one whose first request is still being
 * answered (409). An answer that had a secret is not kept: who repeats that request is told (409
 * `shown-once`) that it was done, and has to ask for a new secret.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { JsonObject } from "../model/json.ts";
import type { Store, StoredDocument } from "../model/store.ts";
import type { AdminDeps } from "./admin-deps.ts";
import type { ApiAnswer, PermittedCall } from "./call.ts";
import { AdminProblem, type ProblemDocument, problemOf } from "./problem.ts";

const LIMITS = {
  /** How long an answer is remembered: a job that is retried the next day is another one. */
  keptMs: 24 * 60 * 60 * 1000,
  /** After it a request whose process must have ended may be tried again. Operations take milliseconds. */
  answeredMs: 60_000,
} as const;

export const idempotencyKeySchema = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, "1 to 128 visible ASCII characters")
  .optional()
  .describe(
    "1 to 128 visible ASCII characters, new for each wish: the same key with the same body gets the same answer, for 24 hours.",
  );

export interface Asked {
  readonly key: string;
  readonly by: string;
  readonly call: PermittedCall;
  /** Whether the answer holds a secret. */
  readonly secret: boolean;
}

/** Does `work` unless it was done. Throws AdminProblem, and what `work` throws. */
export async function answerOnce(
  asked: Asked,
  work: () => Promise<ApiAnswer>,
  { store, clock }: AdminDeps,
): Promise<ApiAnswer> {
  if (store === undefined) throw new AdminProblem("not-here", "there is no store for the key");
  const id = digest([asked.by, asked.call.operation, asked.key]);
  const request = digest([asked.call.method, asked.call.target, asked.call.body ?? ""]);
  const known = await store.get("idempotency", id);
  const replay = known === undefined ? undefined : replayOf(known, request, clock.now());
  if (replay !== undefined) return replay;
  const expiresMs = clock.now() + LIMITS.keptMs;
  const begun = await store.commit([
    {
      collection: "idempotency",
      id,
      body: { request, begunMs: clock.now() },
      expiresMs,
      expect: known?.number ?? "absent",
    },
  ]);
  if (begun.conflict !== undefined) throw new AdminProblem("in-progress");
  return await remember({ id, request, expiresMs, number: begun.number }, { store, asked, work });
}

interface Begun {
  readonly id: string;
  readonly request: string;
  readonly expiresMs: number;
  readonly number: number;
}

async function remember(
  { id, request, expiresMs, number }: Begun,
  at: { readonly store: Store; readonly asked: Asked; readonly work: () => Promise<ApiAnswer> },
): Promise<ApiAnswer> {
  const write = async (body: JsonObject | undefined): Promise<void> => {
    await at.store.commit([{ collection: "idempotency", id, body, expiresMs, expect: number }]);
  };
  let answer: ApiAnswer;
  try {
    answer = await at.work();
  } catch (error) {
    const known = problemOf(error);
    const document = known?.document();
    // What may go well another time is not remembered.
    if (document === undefined || document.status >= 500) await write(undefined).catch(() => {});
    else await write({ request, problem: { ...document } as JsonObject });
    throw error;
  }
  const { status, fields, body } = answer;
  const kept = { status, fields: fields.map((field) => [...field]), body };
  // It is done: that it cannot be remembered now must not hide that.
  await write(at.asked.secret ? { request, secret: true } : { request, answer: kept }).catch(
    () => {},
  );
  return answer;
}

interface Remembered {
  readonly request: string;
  readonly begunMs?: number;
  readonly secret?: true;
  readonly answer?: ApiAnswer;
  readonly problem?: Partial<ProblemDocument>;
}

/** Undefined: it has to be done. */
function replayOf(document: StoredDocument, request: string, nowMs: number): ApiAnswer | undefined {
  const known = document.body as unknown as Remembered | undefined;
  if (known === undefined) return undefined;
  if (known.request !== request) throw new AdminProblem("key-reused");
  if (known.secret === true) {
    throw new AdminProblem(
      "shown-once",
      "it was done, and its secret was in the first answer; ask for a new one",
    );
  }
  if (known.answer !== undefined) {
    return { ...known.answer, fields: [...known.answer.fields, REPLAYED] };
  }
  if (known.problem !== undefined) {
    const { reason, detail, faults } = known.problem;
    throw new AdminProblem(reason as AdminProblem["code"], detail, faults);
  }
  if (nowMs - (known.begunMs ?? 0) < LIMITS.answeredMs) throw new AdminProblem("in-progress");
  return undefined;
}

const REPLAYED: readonly [string, string] = ["idempotent-replayed", "true"];

/** Lengths in front, so that no two lists have the same bytes. */
function digest(parts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("base64url");
}
