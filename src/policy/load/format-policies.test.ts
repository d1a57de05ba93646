import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { generatedCase } from "../../../test/cedar-arbitraries.ts";
import { policyJsonOf } from "../../../test/cedar-json.ts";
import { formatPolicyFile } from "./format-policies.ts";
import { splitStatements } from "./policy-text.ts";

function formatted(text: string): string {
  const result = formatPolicyFile({ name: "a.cedar", text });
  assert.deepEqual(result.problems, []);
  assert.ok(result.text !== undefined);
  return result.text;
}

test("formatPolicyFile() gives one form, and keeps comments and annotations", () => {
  const text = `// Who reads.
@id("readers")  @accept("policy-shadowed: both stay; for now")
permit(principal in Sallyport::Role::"Reader",action in Sallyport::Action::"read",resource)
when{context.path like "/a*" /* not a comment in Cedar? */ };
`.replace(" /* not a comment in Cedar? */", " // the pages\n");
  const once = formatted(text);
  assert.notEqual(once, text);
  for (const kept of [
    "// Who reads.",
    "// the pages",
    '@accept("policy-shadowed: both stay; for now")',
  ]) {
    assert.ok(once.includes(kept), once);
  }
  assert.equal(formatted(once), once, "twice is once");
});

test("formatPolicyFile() leaves a file without policies as it is", () => {
  assert.equal(formatted("// nothing yet\n"), "// nothing yet\n");
  assert.equal(formatted(""), "");
});

test("formatPolicyFile() refuses what does not parse, at its place, and what the engine would not survive", () => {
  const broken = formatPolicyFile({ name: "a.cedar", text: "// ä\npermit (principal, action);" });
  assert.equal(broken.text, undefined);
  assert.equal(broken.problems[0]?.file, "a.cedar");
  assert.equal(broken.problems[0]?.line, 2);
  const deep = `permit (principal, action, resource) when { ${"(".repeat(70)}true${")".repeat(70)} };`;
  const refused = formatPolicyFile({ name: "a.cedar", text: deep });
  assert.match(refused.problems[0]?.message ?? "", /too deeply nested/);
});

test("formatPolicyFile() never changes what policies say", () => {
  fc.assert(
    fc.property(generatedCase, ({ policies }) => {
      const text = Object.values(policies)
        .map((policy, index) => `// policy ${String(index)}\n${policy}\n`)
        .join("");
      const after = splitStatements(formatted(text));
      assert.deepEqual(
        after.map((statement) => policyJsonOf(statement.text)),
        Object.values(policies).map((policy) => policyJsonOf(policy)),
      );
    }),
    { numRuns: Number(process.env["SALLYPORT_ORACLE_RUNS"] ?? "50") },
  );
});
