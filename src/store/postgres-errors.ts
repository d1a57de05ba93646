/**
 * What goes wrong with Postgres, for who asked: wait and ask again, or call somebody. The server's
 * own text is kept where it speaks of the server and not of what was written.
 */
import { SallyportError, type ErrorCode } from "../model/errors.ts";

const POOLER =
  "a pooler in between loses prepared statements; PgBouncer keeps them from 1.21 on, with max_prepared_statements";

/** SQLSTATEs (PostgreSQL, appendix A), the longest prefix counts. */
const STATES: ReadonlyMap<string, readonly [code: ErrorCode, text: string | undefined]> = new Map([
  ["08", ["store-unavailable", undefined]],
  // The server went from writing to reading only: a failover is under way.
  ["25006", ["store-unavailable", "it only reads now"]],
  ["25P03", ["store-unavailable", "the transaction took too long"]],
  ["26000", ["store-failed", POOLER]],
  ["42P05", ["store-failed", POOLER]],
  ["28", ["store-unavailable", undefined]],
  ["3D000", ["store-unavailable", undefined]],
  ["40", ["store-unavailable", "the transaction was rolled back"]],
  ["42501", ["store-failed", undefined]],
  ["53", ["store-unavailable", undefined]],
  ["55P03", ["store-unavailable", "another process has it locked"]],
  ["57", ["store-unavailable", undefined]],
  ["58", ["store-unavailable", "the server's disk fails"]],
  ["XX001", ["store-failed", "its data is damaged"]],
  ["XX002", ["store-failed", "its data is damaged"]],
]);

/** Whatever the driver threw, as one of ours. */
export function asPostgresError(error: unknown): SallyportError {
  if (error instanceof SallyportError) return error;
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  if (typeof code === "string" && /^[0-9A-Z]{5}$/.test(code)) {
    for (let length = code.length; length >= 2; length -= 1) {
      const known = STATES.get(code.slice(0, length));
      if (known === undefined) continue;
      const text = known[1] ?? String(message);
      return new SallyportError(known[0], `store: Postgres: ${text} (${code})`, { cause: error });
    }
    return new SallyportError("store-failed", `store: Postgres failed (${code})`, { cause: error });
  }
  // Of the network, or of the driver, which gives those no code.
  const why = typeof code === "string" ? code : String(message);
  return new SallyportError("store-unavailable", `store: Postgres cannot be reached (${why})`, {
    cause: error,
  });
}
