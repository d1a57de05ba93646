/** Signs of a breach: whether what is to answer them can, and who is told of them. */
import { isKeeper } from "../authority/authority-options.ts";
import { ANSWERABLE, type AnswerableRule } from "../telemetry/signs/answer-options.ts";
import type { SignsOptions } from "../telemetry/signs/signs-options.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";
import type { Draft } from "./draft.ts";

const ANSWER: Path = ["signs", "answer"];

export function checkSigns({ config, own }: Draft): PathProblem[] {
  const whole = config ?? own;
  if (whole?.signs?.answer === undefined) return [];
  return [
    ...noAuthority(isKeeper(whole.authority)),
    ...noSubjects(whole.audit.redact),
    ...noRule(whole.signs),
  ];
}

function noAuthority(isKept: boolean): PathProblem[] {
  if (isKept) return [];
  return [
    {
      path: ANSWER,
      message: "no authority is kept in this process, so it cannot take access away",
      remedy: "an authority with a store here, or leave it out and let the webhook tell who can",
    },
  ];
}

function noSubjects(redact: readonly string[]): PathProblem[] {
  if (!redact.includes("principal.subject")) return [];
  return [
    {
      path: ANSWER,
      message:
        "the log that signs are found in has no subjects in clear (audit.redact), so nobody could be named",
      remedy: "no principal.subject in audit.redact, or no answer",
    },
  ];
}

function noRule(signs: SignsOptions): PathProblem[] {
  const rules = Object.keys(ANSWERABLE) as AnswerableRule[];
  return rules
    .filter((rule) => signs.answer?.[rule] !== undefined && signs[rule] === "off")
    .map((rule) => ({
      path: [...ANSWER, rule],
      message: `${rule} is off, so there is nothing to answer`,
      remedy: `leave it out, or let the rule have its defaults: no "${rule}: off"`,
    }));
}

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
