/**
 * What an operation of the admin API is: one entry of `model/admin-operations.ts` with its place, its
 * input and its answers, all as schemas, from which the OpenAPI document is made, and the function
 * that does it.
 */
import { z } from "zod";
import type { AdminOperation } from "../model/admin-operations.ts";
import type { Asker } from "../model/authzen.ts";
import type { Principal } from "../model/principal.ts";
import type { AdminDeps } from "./admin-deps.ts";

type Shape = z.ZodObject | undefined;

export interface OperationSpec<P extends Shape, Q extends Shape, B extends z.ZodType | undefined> {
  readonly operation: AdminOperation;
  readonly method: "get" | "post" | "delete";
  /** `/v1/…` with `{name}` segments. */
  readonly path: string;
  readonly tag: string;
  /** One line, without a full stop. */
  readonly summary: string;
  readonly description?: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** Whether it may be left out, with its braces. */
  readonly bodyOptional?: boolean;
  /** Takes `if-match`: the ETag that the thing must have now. */
  readonly conditional?: boolean;
  /** Takes `idempotency-key`: the same key and body get the same answer, for a day. */
  readonly idempotent?: boolean;
  /** The answer holds a secret: it is never kept, so a repeated request cannot have it again. */
  readonly secret?: boolean;
  /** What it answers when all is well. */
  readonly answers: {
    readonly status: 200 | 201 | 202 | 204;
    readonly description: string;
    readonly schema?: z.ZodType;
    /** Has `etag`. */
    readonly tagged?: boolean;
  };
  /** Statuses of the problems that it may answer, beyond those that all may. */
  readonly problems?: readonly (404 | 409 | 422)[];
}

type Output<T extends z.ZodType | undefined> = T extends z.ZodType ? z.output<T> : undefined;

/** One call, permitted and with valid input. */
export interface Call<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** The number of `if-match`; undefined: whatever it is. */
  readonly ifMatch: number | undefined;
  readonly principal: Principal;
  /** Id of the principal, as what is changed is signed with. */
  readonly by: string;
  readonly decision: string;
  readonly asker: Asker;
}

export interface Answer {
  /** The one in the spec when left out. */
  readonly body?: unknown;
  /** The store's number of what is shown; becomes its ETag. */
  readonly number?: number;
  /** Path of what was made. */
  readonly location?: string;
}

/** An operation whose input types are no longer of interest. */
export interface Operation {
  readonly spec: OperationSpec<Shape, Shape, z.ZodType | undefined>;
  readonly run: (call: Call<unknown, unknown, unknown>, deps: AdminDeps) => Promise<Answer>;
}

export function operation<
  P extends Shape = undefined,
  Q extends Shape = undefined,
  B extends z.ZodType | undefined = undefined,
>(
  spec: OperationSpec<P, Q, B>,
  run: (call: Call<Output<P>, Output<Q>, Output<B>>, deps: AdminDeps) => Answer | Promise<Answer>,
): Operation {
  return {
    spec,
    run: async (call, deps) => await run(call as Call<Output<P>, Output<Q>, Output<B>>, deps),
  };
}

/** Times go out as RFC 3339 text. */
export const timeSchema = z.iso.datetime();

export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
