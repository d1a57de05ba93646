import assert from "node:assert/strict";
import { test } from "node:test";
import { type OfficialError, officialValidate } from "../official/official-engine.ts";
import { splitStatements } from "./policy-text.ts";
import { shapeOf } from "./policy-shape.ts";

function shape(text: string): string {
  const [statement] = splitStatements(text);
  assert.ok(statement !== undefined);
  return shapeOf(statement);
}

const policy = (condition: string, scope = "principal, action, resource"): string =>
  `permit (${scope}) when { ${condition} };`;

test("shapeOf() is one for policies that differ in entities, compared texts, patterns and annotations", () => {
  const [first, ...others] = [
    '@id("a") @owner permit (principal in S::Role::"x", action, resource == S::Route::"r") when { context.host == "h" && context.path like "/a*" };',
    '@id("b") permit (principal in S::Role::"y", action, resource == S::Route::"q") when { context.host == "i" && context.path like "/b" };',
    'permit(principal in S::Role::"z",action,resource==S::Route::"p")when{context.host=="j"&&context.path like "*"};',
  ].map(shape);
  assert.deepEqual(others, [first, first]);
});

test("shapeOf() tells apart what the validator tells apart", () => {
  const different = [
    policy('"a" == "b"'),
    policy('"a" == "a"'),
    policy('S::User::"a" == S::User::"b"'),
    policy('S::User::"a" == S::User::"a"'),
    policy("true", 'principal, action == S::Action::"GET", resource'),
    policy("true", 'principal, action == S::Action::"POST", resource'),
    policy('principal["a"]'),
    policy('principal["b"]'),
    policy('principal has "a"'),
    policy('principal has "b"'),
    policy('context.ip == ip("10.0.0.1")'),
    policy('context.ip == ip("10.0.0.x")'),
    policy("1 == 2"),
    policy("1 == 1"),
    policy("-1 == 1"),
    policy("0 == 0"),
    policy("1 < 2"),
    policy("2 < 1"),
    policy("x == 1 || y == 2"),
    policy("x == 1 || y == 1"),
    policy("x + 1 == y"),
    policy("x + 2 == y"),
    policy("[1].contains(x)"),
    policy("[2].contains(x)"),
    policy('context.host == "ａ"'),
    policy('context.host == "\\u{61}"'),
    policy('x == "a".b'),
    policy('x == "b".b'),
    policy('x == "a" || y == "b"'),
    policy('x == "a" || y == "a"'),
    policy("true", 'principal is S::User in S::Role::"a", action, resource'),
    policy("true", 'principal is S::User in S::Group::"a", action, resource'),
    policy("true").replace("permit", "forbid"),
    policy("true").replace("when", "unless"),
  ].map(shape);
  assert.equal(new Set(different).size, different.length);
});

test("shapeOf() is one for policies that differ in the numbers that they compare with", () => {
  for (const conditions of [
    ["context.n == 1", "context.n == 2", "context.n==0"],
    ["context.n >= 10 && context.n < 20", "context.n >= 7 && context.n < 007000"],
    ['context["n"] != 3', 'context["n"] != 4'],
  ]) {
    const [first, ...others] = conditions.map((condition) => shape(policy(condition)));
    for (const other of others) assert.equal(other, first);
  }
});

test("shapeOf() takes 07 for the number that it is", () => {
  assert.equal(shape(policy("x == 7 || y == 07")), shape(policy("x == 8 || y == 8")));
  assert.notEqual(shape(policy("x == 7 || y == 07")), shape(policy("x == 7 || y == 8")));
});

test("the official validator says the same of numbers that make one shape", () => {
  const says = (condition: string): unknown => {
    const answer = officialValidate(SCHEMA, { only: policy(condition) });
    const plain = (errors: readonly OfficialError[] = []): unknown =>
      errors.map(({ message }) => message);
    return [plain(answer.errors), plain(answer.warnings)];
  };
  const numbers = ["0", "1", "07", "9223372036854775807"];
  const conditions = ["context.n == A", "context.n < A", "context.s == A", "context.n != -A"];
  for (const condition of [...conditions, "context.n == A || context.n == B", "A == context.n"]) {
    const said = new Map<string, unknown>();
    for (const left of numbers) {
      for (const right of condition.includes("B") ? numbers : ["0"]) {
        const filled = condition.replaceAll("A", left).replaceAll("B", right);
        const key = shape(policy(filled));
        if (said.has(key)) assert.deepEqual(says(filled), said.get(key), filled);
        else said.set(key, says(filled));
      }
    }
  }
});

const SCHEMA = `
  entity P; entity R;
  action "a" appliesTo { principal: P, resource: R, context: { n: Long, s: String } };
`;
