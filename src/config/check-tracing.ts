/** Whose `sampled` flag is believed is said by listeners that there are. */
import type { PathProblem } from "../wire/document/issues.ts";
import type { Draft } from "./draft.ts";

/** Where operators are answered: listeners without a name of their own. */
const OPERATORS = ["admin", "admin-socket"] as const;

export function checkTracing(draft: Draft): PathProblem[] {
  const trusted = (draft.config ?? draft.own)?.tracing?.trustIncoming;
  if (trusted === undefined || typeof trusted === "boolean") return [];
  const beside = draft.egress?.listeners ?? [];
  const written = [...draft.names.listeners, ...beside].map(({ name }) => name);
  const known = new Set<string>([...written, ...OPERATORS]);
  return trusted.flatMap((name, index) => {
    if (known.has(name)) return [];
    const path = ["tracing", "trustIncoming", index];
    return [{ path, message: `there is no listener "${name}"`, remedy: [...known].join(", ") }];
  });
}
