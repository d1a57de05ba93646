/**
 * What `sallyport check` says, for people and for programs: text, JSON, or SARIF 2.1.0 (OASIS), which
 * code hosts show at the lines of a change. Accepted findings stand in the latter two with their reason.
 */
import { pathToFileURL } from "node:url";
import { isAbsolute } from "node:path";
import { formatProblem, type Problem } from "../model/errors.ts";
import { productVersion } from "../platform/version.ts";
import { FINDING_CATALOGUE } from "../policy/findings/catalogue.ts";
import type { Finding, FindingWords, Severity } from "../policy/findings/finding.ts";
import { type FORMATS as FORMAT_NAMES, SEVERITIES } from "./choices.ts";
import { plain } from "./table.ts";

export interface Findings {
  /** Where what has no place of its own is shown. */
  readonly config: string;
  readonly problems: readonly Problem[];
  readonly findings: readonly Finding[];
}

export const FORMATS = { text, json, sarif } as const satisfies Record<
  (typeof FORMAT_NAMES)[number],
  unknown
>;
export type Format = keyof typeof FORMATS;

/** Whether the answer is no because of it. */
export function countsAgainst({ severity, accepted }: Finding, failOn: Severity): boolean {
  return accepted === undefined && SEVERITIES.indexOf(severity) <= SEVERITIES.indexOf(failOn);
}

function text({ problems, findings }: Findings): string {
  const open = findings.filter(({ accepted }) => accepted === undefined);
  const accepted = findings.length - open.length;
  return [
    ...problems.map(formatProblem),
    ...open.map(findingLine),
    ...(accepted === 0 ? [] : [`${String(accepted)} accepted (--format json shows them)`]),
  ]
    .map((line) => `${plain(line)}\n`)
    .join("");
}

/** What it is about stands in brackets where an acceptance has to name it. */
function findingLine(finding: Finding): string {
  const { id, severity, of, message } = finding;
  return formatProblem({ ...finding, message: `${severity} ${id} [${of}]: ${message}` });
}

function json({ problems, findings }: Findings): string {
  const shown = findings.map(
    ({ id, severity, of, file, line, column, message, remedy, accepted }) => ({
      id,
      severity,
      of,
      file,
      line,
      column,
      message,
      remedy,
      ...(accepted === undefined ? {} : { accepted }),
    }),
  );
  const placed = problems.map(({ file, line, column, message, remedy }) => ({
    file,
    line,
    column,
    message,
    remedy,
  }));
  return `${JSON.stringify({ format: 1, problems: placed, findings: shown }, undefined, 2)}\n`;
}

/** What a problem is in a format in which everything has a rule. */
const PROBLEM: FindingWords = {
  id: "problem",
  severity: "error",
  title: "the configuration or a policy is not valid",
  proves: "Sallyport does not run with it, or says so at each start.",
  silence: "That it does what was meant.",
  remedy: "as the message says",
};

function sarif({ config, problems, findings }: Findings): string {
  const rules = [PROBLEM, ...FINDING_CATALOGUE];
  const results = [
    ...problems.map((problem) => ({
      ...resultOf(PROBLEM, problem, { config, rules }),
    })),
    ...findings.map((finding) => {
      const words = rules.find(({ id }) => id === finding.id) ?? PROBLEM;
      const { of, accepted } = finding;
      return {
        ...resultOf(words, finding, { config, rules }),
        partialFingerprints: { "sallyportFinding/v1": `${finding.id} ${of}` },
        // An empty list says that somebody looked: without it, a host cannot tell.
        suppressions: accepted === undefined ? [] : [{ kind: "inSource", justification: accepted }],
      };
    }),
  ];
  const driver = {
    name: "sallyport",
    semanticVersion: productVersion(),
    rules: rules.map(ruleOf),
  };
  const run = { tool: { driver }, columnKind: "utf16CodeUnits", results };
  const log = {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [run],
  };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

function ruleOf({ id, severity, title, proves, silence, remedy }: FindingWords): object {
  return {
    id,
    shortDescription: { text: title },
    fullDescription: { text: `${proves} Silence does not prove: ${silence}` },
    help: { text: remedy },
    defaultConfiguration: { level: severity },
  };
}

function resultOf(
  words: FindingWords,
  { file, line, column, message, remedy }: Problem,
  { config, rules }: { readonly config: string; readonly rules: readonly FindingWords[] },
): object {
  const region = {
    ...(line === undefined ? {} : { startLine: line }),
    ...(line === undefined || column === undefined ? {} : { startColumn: column }),
  };
  const physicalLocation = {
    artifactLocation: { uri: uriOf(file ?? config) },
    ...(line === undefined ? {} : { region }),
  };
  return {
    ruleId: words.id,
    ruleIndex: rules.indexOf(words),
    level: words.severity,
    message: { text: remedy === undefined ? message : `${message}: ${remedy}` },
    locations: [{ physicalLocation }],
  };
}

/** Relative as the file was named, so that a host finds it in the change. */
function uriOf(file: string): string {
  if (isAbsolute(file)) return pathToFileURL(file).href;
  return file
    .replace(/^\.\//, "")
    .split("/")
    .map((part) => encodeURIComponent(part))
    .join("/");
}
