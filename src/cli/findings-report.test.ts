import assert from "node:assert/strict";
import { test } from "node:test";
import { FINDING_CATALOGUE } from "../policy/findings/catalogue.ts";
import type { Finding } from "../policy/findings/finding.ts";
import { countsAgainst, FORMATS } from "./findings-report.ts";

const OPEN: Finding = {
  id: "policy-shadowed",
  severity: "warning",
  of: "narrow",
  file: "policies/all tenants.cedar",
  line: 7,
  column: 3,
  message: "policy 'narrow' changes nothing",
  remedy: "remove it",
  accepted: undefined,
};
const ACCEPTED: Finding = {
  ...OPEN,
  id: "any-authenticated",
  severity: "note",
  of: "wiki",
  file: "/srv/sallyport.yaml",
  accepted: "for all staff",
};
const REPORT = {
  config: "./sallyport.yaml",
  problems: [
    { file: "sallyport.yaml", line: 2, column: 1, message: "wrong", remedy: "right" },
    { message: "no place" },
  ],
  findings: [OPEN, ACCEPTED],
};

test("countsAgainst() takes findings of the severity or a worse one that nobody accepts", () => {
  assert.equal(countsAgainst(OPEN, "warning"), true);
  assert.equal(countsAgainst(OPEN, "note"), true);
  assert.equal(countsAgainst(OPEN, "error"), false);
  assert.equal(countsAgainst({ ...OPEN, severity: "error" }, "error"), true);
  assert.equal(countsAgainst({ ...OPEN, severity: "note" }, "warning"), false);
  assert.equal(countsAgainst(ACCEPTED, "note"), false);
});

test("FORMATS.text() prints problems, then open findings, and counts the accepted ones", () => {
  assert.equal(
    FORMATS.text(REPORT),
    `sallyport.yaml:2:1  wrong  right
no place
policies/all tenants.cedar:7:3  warning policy-shadowed [narrow]: policy 'narrow' changes nothing  remove it
1 accepted (--format json shows them)
`,
  );
  const forged = { ...OPEN, message: "x\u001b[2J\nfine" };
  const printed = FORMATS.text({ ...REPORT, findings: [forged] });
  assert.ok(!printed.includes("\u001b") && !printed.includes("\nfine"), printed);
});

test("FORMATS.json() has everything that is known of each, the reason too", () => {
  const read = JSON.parse(FORMATS.json(REPORT)) as Record<string, unknown>;
  const { accepted: _, ...open } = OPEN;
  assert.deepEqual(read, { format: 1, problems: REPORT.problems, findings: [open, ACCEPTED] });
});

interface Sarif {
  readonly version: string;
  readonly runs: readonly {
    readonly tool: { readonly driver: { readonly rules: readonly { readonly id: string }[] } };
    readonly results: readonly {
      readonly ruleId: string;
      readonly ruleIndex: number;
      readonly level: string;
      readonly message: { readonly text: string };
      readonly locations: readonly unknown[];
      readonly suppressions?: readonly unknown[];
    }[];
  }[];
}

test("FORMATS.sarif() gives each result a rule, a level and a place, and accepted ones a suppression", () => {
  const { version, runs } = JSON.parse(FORMATS.sarif(REPORT)) as Sarif;
  assert.equal(version, "2.1.0");
  assert.equal(runs.length, 1);
  const [run] = runs;
  assert.ok(run !== undefined);
  const { rules } = run.tool.driver;
  assert.deepEqual(
    rules.map(({ id }) => id),
    ["problem", ...FINDING_CATALOGUE.map(({ id }) => id)],
  );
  for (const { ruleId, ruleIndex } of run.results) assert.equal(rules[ruleIndex]?.id, ruleId);
  const place = (uri: string, region?: object): object => ({
    physicalLocation: { artifactLocation: { uri }, ...(region === undefined ? {} : { region }) },
  });
  assert.deepEqual(
    run.results.map(({ ruleId, level, message, locations, suppressions }) => ({
      ruleId,
      level,
      text: message.text,
      locations,
      suppressions,
    })),
    [
      {
        ruleId: "problem",
        level: "error",
        text: "wrong: right",
        locations: [place("sallyport.yaml", { startLine: 2, startColumn: 1 })],
        suppressions: undefined,
      },
      {
        ruleId: "problem",
        level: "error",
        text: "no place",
        locations: [place("sallyport.yaml")],
        suppressions: undefined,
      },
      {
        ruleId: "policy-shadowed",
        level: "warning",
        text: "policy 'narrow' changes nothing: remove it",
        locations: [place("policies/all%20tenants.cedar", { startLine: 7, startColumn: 3 })],
        suppressions: [],
      },
      {
        ruleId: "any-authenticated",
        level: "note",
        text: "policy 'narrow' changes nothing: remove it",
        locations: [place("file:///srv/sallyport.yaml", { startLine: 7, startColumn: 3 })],
        suppressions: [{ kind: "inSource", justification: "for all staff" }],
      },
    ],
  );
});
