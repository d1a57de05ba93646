/** Receivers of copies of the audit log: whom they are known by, and who is on the way to them. */
import { resolve } from "node:path";
import type { PathProblem } from "../wire/document/issues.ts";
import { certificateFileFault } from "./certificate-file.ts";
import type { Draft } from "./draft.ts";

/** Files of authorities that cannot be used. */
export function checkSinks({ config, own }: Draft, folder: string): PathProblem[] {
  return ((config ?? own)?.audit.sinks ?? []).flatMap((sink, index): PathProblem[] => {
    if (sink.type === "stdout" || sink.ca === undefined) return [];
    const fault = certificateFileFault(resolve(folder, sink.ca));
    if (fault === undefined) return [];
    const message = `the file "${sink.ca}" cannot be used: ${fault}`;
    return [{ path: ["audit", "sinks", index, "ca"], message, remedy: "a file in PEM" }];
  });
}

/** Findings that do not keep it from running. */
export function checkSinksWarnings({ config, own }: Draft): PathProblem[] {
  return ((config ?? own)?.audit.sinks ?? []).flatMap((sink, index): PathProblem[] => {
    if (sink.type === "stdout" || !sink.insecureHttp) return [];
    const message =
      "records cross the network in plain HTTP: who is on the way reads and alters them";
    const remedy = "an https: URL, and no insecureHttp";
    return [{ path: ["audit", "sinks", index, "insecureHttp"], message, remedy }];
  });
}
