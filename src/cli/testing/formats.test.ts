/** The same run in each format: what programs read has to be what they can read. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CaseResult } from "../../policy/testing/run-tests.ts";
import { jsonText } from "./json.ts";
import { junitText } from "./junit.ts";
import { specText } from "./spec.ts";
import { tapText } from "./tap.ts";
import type { TestRun } from "./test-run.ts";

const NAME = `a # b \\ <c> & "d" 'e' ✔ ]]>`;

function result(name: string, differences: readonly string[]): CaseResult {
  return {
    name,
    file: "tests/a&b.yaml",
    line: 3,
    column: 5,
    expected: {
      decision: "permit",
      reason: undefined,
      determining: ["x"],
      determiningIncludes: undefined,
    },
    actual: { decision: "deny", reason: "no-permit", determining: [], erroring: ["y"] },
    differences,
    request: undefined,
    route: undefined,
  };
}

const policy = { id: "p", file: "p.cedar", line: 1, column: 1 };

const RUN: TestRun = {
  results: [result("passes", []), result(NAME, ["expected <one>", "and another\u0001\n"])],
  problems: [{ file: "tests/c.yaml", line: 1, column: 1, message: "the file is empty" }],
  coverage: {
    policies: 3,
    routes: 2,
    neverTrue: [policy],
    undecided: [{ ...policy, id: "q" }],
    routesWithout: ["r"],
  },
  durationMs: 12.3,
  showCoverage: true,
  explain: () => ["because"],
};

void test("specText() is for people: failures with what was asked, problems, coverage, a summary", () => {
  assert.equal(
    specText({ ...RUN, results: [result("passes", []), result("fails", ["expected x, got y"])] }),
    `tests/a&b.yaml
  ✔ passes
  ✖ fails
      expected x, got y
      decided by no policy; could not be evaluated: y
      a request that no route takes
      because
      at tests/a&b.yaml:3:5

tests/c.yaml:1:1  the file is empty

policies that decided a case: 1 of 3
  never applied: p (p.cedar:1:1)
  applied, decided nothing: q (p.cedar:1:1)
routes with a case: 1 of 2
  no case: r

2 cases: 1 passed, 1 failed, 1 problems in the files (13 ms)
`,
  );
});

void test("tapText() is TAP 14: a plan, escaped descriptions, YAML diagnostics, and a bail out", () => {
  const lines = tapText(RUN).trimEnd().split("\n");
  assert.deepEqual(lines.slice(0, 3), ["TAP version 14", "1..2", "ok 1 - tests/a&b.yaml: passes"]);
  assert.equal(lines[3], `not ok 2 - tests/a&b.yaml: a \\# b \\\\ <c> & "d" 'e' ✔ ]]>`);
  const block = lines.slice(lines.indexOf("  ---"), lines.indexOf("  ...") + 1);
  assert.ok(block.length > 5);
  for (const line of block.slice(1, -1)) {
    const [, value = ""] = /^ {2}[a-z]+: (.*)$/.exec(line) ?? [];
    JSON.parse(value);
  }
  assert.equal(lines.at(-1), "Bail out! 1 problems in the test files");
});

void test("junitText() is XML that is well formed, whatever a case is called", () => {
  const { names, texts } = parse(junitText(RUN));
  assert.deepEqual(names, [
    "testsuites",
    "testsuite",
    "testcase",
    "testcase",
    "failure",
    "testsuite",
    "testcase",
    "error",
    "testsuite",
    "system-out",
  ]);
  assert.ok(texts.includes(NAME));
  assert.ok(texts.some((text) => text.includes("and another\u{FFFD}")));
});

void test("jsonText() has each case as it was expected and as it came out", () => {
  const value = JSON.parse(jsonText(RUN)) as Record<string, unknown>;
  assert.equal(value["failed"], 1);
  assert.equal(value["passed"], 1);
  const [first, second] = value["results"] as Record<string, unknown>[];
  assert.equal(first?.["passed"], true);
  assert.deepEqual(second?.["explanation"], ["because"]);
  assert.deepEqual(value["coverage"], RUN.coverage);
});

/** As much of XML as there is in it; throws for what is not well formed. */
function parse(xml: string): { readonly names: string[]; readonly texts: string[] } {
  const open: string[] = [];
  const names: string[] = [];
  const texts: string[] = [];
  // oxlint-disable-next-line eslint/no-control-regex -- what no document may hold
  assert.doesNotMatch(xml, /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/);
  const token =
    /^<\?xml version="1\.0" encoding="UTF-8"\?>|<\/([a-z-]+)>|<([a-z-]+)((?: [a-z]+="[^"<]*")*)(\/?)>|([^<]+)/y;
  while (token.lastIndex < xml.length) {
    const at = token.lastIndex;
    const found = token.exec(xml);
    assert.ok(found !== null, `not well formed at ${xml.slice(at, at + 60)}`);
    const [, closed, opened, attributes = "", alone, text] = found;
    if (closed !== undefined) assert.equal(open.pop(), closed);
    if (opened !== undefined) {
      names.push(opened);
      if (alone === "") open.push(opened);
      for (const [, value = ""] of attributes.matchAll(/="([^"]*)"/g)) texts.push(unescaped(value));
    }
    if (text !== undefined) texts.push(unescaped(text));
  }
  assert.deepEqual(open, []);
  return { names, texts };
}

function unescaped(text: string): string {
  assert.doesNotMatch(text, /&(?!(?:amp|lt|gt|quot|#10);)|>/);
  return text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#10;", "\n")
    .replaceAll("&amp;", "&");
}
