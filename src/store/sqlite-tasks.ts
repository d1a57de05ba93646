/** What the thread of a SQLite store is asked, and what it answers. */
import type { ErrorCode } from "../model/errors.ts";
import type { Collection, Commit } from "../model/store.ts";
import type { ChangeRows, Row } from "./rows.ts";
import type { StoreFigures } from "./store-deps.ts";
import type { CheckedWrite } from "./writes.ts";

export interface SqliteVerbs {
  epoch(task: object): string;
  get(task: {
    readonly collection: Collection;
    readonly id: string;
    readonly nowMs: number;
  }): Row | undefined;
  list(task: {
    readonly collection: Collection;
    readonly after: string;
    readonly limit: number;
    readonly nowMs: number;
  }): readonly Row[];
  changes(task: {
    readonly since: number;
    readonly limit: number;
    readonly nowMs: number;
  }): ChangeRows;
  now(task: { readonly nowMs: number }): { readonly number: number; readonly timeMs: number };
  commit(task: { readonly writes: readonly CheckedWrite[]; readonly nowMs: number }): Commit;
  /** One batch. `more`: there may be more to do. */
  purge(task: { readonly nowMs: number; readonly keepRemovalsMs: number }): {
    readonly removed: number;
    readonly more: boolean;
  };
  /** Whether somebody else committed since this was last asked. */
  moved(task: object): boolean;
  figures(task: { readonly nowMs: number }): StoreFigures;
  renewEpoch(task: object): string;
}

/** What the thread is started with. */
export interface SqliteThreadData {
  readonly path: string;
  readonly existing: boolean;
}

export type SqliteVerb = keyof SqliteVerbs;
export type SqliteTask<V extends SqliteVerb> = Parameters<SqliteVerbs[V]>[0];
export type SqliteResult<V extends SqliteVerb> = ReturnType<SqliteVerbs[V]>;

export interface SqliteRequest {
  readonly id: number;
  readonly verb: SqliteVerb;
  readonly task: SqliteTask<SqliteVerb>;
}

export type SqliteReply =
  | { readonly id: number; readonly result: SqliteResult<SqliteVerb> }
  | {
      readonly id: number;
      readonly failed: { readonly code: ErrorCode; readonly message: string };
    };
