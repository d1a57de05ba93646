import assert from "node:assert/strict";
import { test } from "node:test";
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
    policy("context.n == 1"),
    policy("context.n == 2"),
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
