/** What is worth saying about who is told of signs of a breach. */
import type { PathProblem } from "../wire/document/issues.ts";
import type { Draft } from "./draft.ts";

export function checkSignsWarnings({ config, own }: Draft): PathProblem[] {
  if ((config ?? own)?.signs?.webhook?.insecureHttp !== true) return [];
  return [
    {
      path: ["signs", "webhook", "insecureHttp"],
      message:
        "who is under attack, and the fields that let us in, cross the network in plain HTTP",
      remedy: "an https: URL, and no insecureHttp",
    },
  ];
}
