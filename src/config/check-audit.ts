/** What is worth saying about where the audit log is proven. */
import type { PathProblem } from "../wire/document/issues.ts";
import type { Draft } from "./draft.ts";

export function checkAuditWarnings({ config, own }: Draft): PathProblem[] {
  const { witnesses = [] } = (config ?? own)?.audit.checkpoints ?? {};
  return witnesses.flatMap(({ insecureHttp }, index) =>
    insecureHttp
      ? [
          {
            path: ["audit", "checkpoints", "witnesses", index, "insecureHttp"],
            message: "checkpoints cross the network in plain HTTP: who is on the way can drop them",
            remedy: "an https: URL, and no insecureHttp",
          },
        ]
      : [],
  );
}
