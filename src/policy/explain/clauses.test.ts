import { test } from "node:test";
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { generatedCase } from "../../../test/cedar-arbitraries.ts";
import { policyJsonOf } from "../../../test/cedar-json.ts";
import { EntityUid } from "../cedar/values.ts";
import { createPlaces, splitStatements } from "../load/policy-text.ts";
import { clausedPolicy, type ClausedPolicy, type ConditionClause } from "./clauses.ts";

const EXAMPLE = `@id("a")
@permit("not the effect")
permit (
  principal in Sallyport::Role::"ops, all",
  action in [Action::"x", Action::"y"],
  resource,
)
when { (context.path like "/a, {b}*" // when
        && (principal.level > 3 || context.ip.isLoopback())) && context has actor.id }
unless { context.host == "x" || (resource.open || false) }
when { if true then true && true else false }
unless { context.host == "x" && true };`;

void test("clausedPolicy() cuts scope and conditions into what has to hold, each with its place", () => {
  const { clauses, effect, annotations } = clausesOf(EXAMPLE);
  assert.equal(effect, "permit");
  assert.deepEqual(annotations, { id: "a", permit: "not the effect" });
  assert.deepEqual(
    clauses.map(({ kind, text, line, column }) => `${line}:${column} ${kind} ${text}`),
    [
      '4:3 principal principal in Sallyport::Role::"ops, all"',
      '5:3 action action in [Action::"x", Action::"y"]',
      "6:3 resource resource",
      '8:9 when context.path like "/a, {b}*"',
      "9:12 when (principal.level > 3 || context.ip.isLoopback())",
      "9:65 when context has actor.id",
      '10:10 unless context.host == "x"',
      "10:34 unless resource.open",
      "10:51 unless false",
      "11:8 when if true then true && true else false",
      '12:10 unless context.host == "x" && true',
    ],
  );
});

void test("clausedPolicy() gives each clause the expression that its text is", () => {
  let conditions = 0;
  fc.assert(
    fc.property(generatedCase, ({ policies }) => {
      for (const text of Object.values(policies)) {
        for (const clause of conditionsOf(clausesOf(text))) {
          const alone = policyJsonOf(
            `permit (principal, action, resource) when { ${clause.text} };`,
          );
          assert.deepEqual(clause.expression, alone.conditions[0]?.body, clause.text);
          conditions += 1;
        }
      }
    }),
    { numRuns: 200 },
  );
  assert.ok(conditions > 200);
});

void test("clausedPolicy() cuts chains of a thousand terms and brackets in brackets", () => {
  const chain = Array.from({ length: 900 }, (_, index) => `context.a != ${index}`).join(" && ");
  assert.equal(conditionsOf(clausesOf(`${HEAD} when { ${chain} };`)).length, 900);
  const nested = `${"(".repeat(40)}context.a && context.b${")".repeat(40)}`;
  assert.equal(conditionsOf(clausesOf(`${HEAD} when { ${nested} };`)).length, 2);
});

void test("clausedPolicy() keeps a condition whole when text and JSON are not cut alike", () => {
  const text = `${HEAD} when { context.a && context.b };`;
  const json = policyJsonOf(`${HEAD} when { context.a };`);
  const [only, ...others] = conditionsOf(clausesOf(text, json));
  assert.equal(others.length, 0);
  assert.equal(only?.text, "context.a && context.b");
});

void test("clausedPolicy() fills the slots of a template", () => {
  const text = "permit (principal in ?principal, action, resource == ?resource);";
  const json = {
    effect: "permit",
    principal: { op: "in", slot: "?principal" },
    action: { op: "All" },
    resource: { op: "==", slot: "?resource" },
    conditions: [],
  } as const;
  const [principal, , resource] = clausesOf(text, json, [new EntityUid("G", "x")]).clauses;
  assert.equal(principal?.text, "principal in ?principal");
  assert.deepEqual(principal.kind === "principal" && principal.scope, {
    kind: "in",
    uids: [new EntityUid("G", "x")],
  });
  assert.equal(resource?.text, "resource == ?resource");
  assert.throws(() => clausesOf(text, json), TypeError);
});

const HEAD = "permit (principal, action, resource)";

function clausesOf(
  text: string,
  json = policyJsonOf(text),
  [uid]: readonly EntityUid[] = [],
): ClausedPolicy {
  const [statement] = splitStatements(text);
  assert.ok(statement !== undefined);
  const slots = uid && new Map([["?principal", uid] as const, ["?resource", uid] as const]);
  const placeOf = createPlaces(text);
  return clausedPolicy({ id: "p", order: 0, json, statement, placeOf, ...(slots && { slots }) });
}

function conditionsOf({ clauses }: ClausedPolicy): readonly ConditionClause[] {
  return clauses.filter((clause): clause is ConditionClause => "expression" in clause);
}
