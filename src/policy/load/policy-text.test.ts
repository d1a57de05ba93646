import { test } from "node:test";
import assert from "node:assert/strict";
import { restoreIntegers, withPlaceholders } from "./big-integers.ts";
import { officialPolicyJson } from "../official/official-engine.ts";
import { createPlaces, offsetOfByte, splitStatements } from "./policy-text.ts";

void test("splitStatements() is not led astray by comments, strings and escapes", () => {
  const text =
    '// permit; "\n@id("a;\\"//") permit(principal,action,resource);\n' +
    'forbid(principal,action,resource) when { "//" == "\\\\" }; // end;';
  assert.deepEqual(
    splitStatements(text).map((statement) => [statement.start, statement.text]),
    [
      [13, '@id("a;\\"//") permit(principal,action,resource);'],
      [62, 'forbid(principal,action,resource) when { "//" == "\\\\" };'],
    ],
  );
});

void test("splitStatements() ends a comment at a carriage return, as Cedar does", () => {
  assert.equal(splitStatements("// a\rpermit(principal,action,resource);").length, 1);
});

void test("createPlaces() counts lines from 1 and columns in UTF-16 code units", () => {
  const places = createPlaces("a\n\u{1f600}b\r\n\nc");
  assert.deepEqual(places(0), { line: 1, column: 1 });
  assert.deepEqual(places(4), { line: 2, column: 3 });
  assert.deepEqual(places(8), { line: 4, column: 1 });
});

void test("offsetOfByte() counts characters, not bytes", () => {
  assert.equal(offsetOfByte("éé€\u{1f600}x", 2 + 2 + 3 + 4), 5);
});

function bodyOf(condition: string): unknown {
  const [statement] = splitStatements(`permit(principal, action, resource) when { ${condition} };`);
  assert.ok(statement !== undefined);
  const { text, placeholders } = withPlaceholders(statement);
  const { value } = officialPolicyJson(text);
  assert.ok(value !== undefined);
  restoreIntegers(value, placeholders);
  return value.conditions[0]?.body;
}

void test("integers beyond 2^53 come through exactly, negative ones too", () => {
  assert.deepEqual(bodyOf("9223372036854775807 == -9223372036854775808"), {
    "==": {
      left: { Value: { __long: "9223372036854775807" } },
      right: { Value: { __long: "-9223372036854775808" } },
    },
  });
});

void test("a placeholder is never a number that the policy uses itself", () => {
  assert.deepEqual(bodyOf("9007199254740992 == 9007199254740991"), {
    "==": {
      left: { Value: { __long: "9007199254740992" } },
      right: { Value: Number.MAX_SAFE_INTEGER },
    },
  });
});

void test("digits in strings and names are left alone", () => {
  assert.deepEqual(bodyOf('context.a9007199254740993 == "9007199254740993"'), {
    "==": {
      left: { ".": { left: { Var: "context" }, attr: "a9007199254740993" } },
      right: { Value: "9007199254740993" },
    },
  });
});
