/** Where traces go, and whose word about them counts. */
import { resolve } from "node:path";
import type { PathProblem } from "../wire/document/issues.ts";
import { certificateFileFault } from "./certificate-file.ts";
import type { Draft } from "./draft.ts";

/** Where operators are answered: listeners without a name of their own. */
const OPERATORS = ["admin", "admin-socket"] as const;

export function checkTracing(draft: Draft, folder: string): PathProblem[] {
  return [...trustedListeners(draft), ...authorities(draft, folder)];
}

/** Findings that do not keep it from running. */
export function checkTracingWarnings({ config, own }: Draft): PathProblem[] {
  if ((config ?? own)?.tracing?.otlp.insecureHttp !== true) return [];
  const message = "traces cross the network in plain HTTP: who is on the way reads them";
  const remedy = "an https: URL, and no insecureHttp";
  return [{ path: ["tracing", "otlp", "insecureHttp"], message, remedy }];
}

/** Whose `sampled` flag is believed is said by listeners that there are. */
function trustedListeners(draft: Draft): PathProblem[] {
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

/** A file of authorities that cannot be used. */
function authorities({ config, own }: Draft, folder: string): PathProblem[] {
  const ca = (config ?? own)?.tracing?.otlp.ca;
  const fault = ca === undefined ? undefined : certificateFileFault(resolve(folder, ca));
  if (fault === undefined) return [];
  const message = `the file "${ca}" cannot be used: ${fault}`;
  return [{ path: ["tracing", "otlp", "ca"], message, remedy: "a file in PEM" }];
}
