import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { readDocument } from "./read-document.ts";

const schema = z.strictObject({ teams: z.array(z.strictObject({ name: z.string() })) });
const KIND = { whole: "the team file", begin: "teams:" };

function problems(text: string): unknown {
  return readDocument({ name: "teams.yaml", text }, schema, KIND).problems;
}

void test("readDocument() gives the value and the place of each part", () => {
  const text = "teams:\n  - name: red\n  - name: blue\n";
  const read = readDocument({ name: "teams.yaml", text }, schema, KIND);
  assert.ok(read.problems === undefined);
  assert.deepEqual(read.value, { teams: [{ name: "red" }, { name: "blue" }] });
  assert.deepEqual(read.placeOf(["teams", 1, "name"]), { file: "teams.yaml", line: 3, column: 5 });
});

void test("readDocument() says what the schema does not take, at its place", () => {
  assert.deepEqual(problems("teams:\n  - nmae: red\n"), [
    { file: "teams.yaml", line: 2, column: 5, message: '"name" is missing', remedy: "a text" },
    {
      file: "teams.yaml",
      line: 2,
      column: 5,
      message: 'unknown key "nmae"',
      remedy: 'did you mean "name"?',
    },
  ]);
});

void test("readDocument() names the kind of document that is empty or no mapping, or no YAML", () => {
  const at = { file: "teams.yaml", line: 1, column: 1 };
  assert.deepEqual(problems(""), [
    { ...at, message: "the file is empty", remedy: "begin with: teams:" },
  ]);
  assert.deepEqual(problems("- a\n"), [
    {
      ...at,
      message: "the team file is not a mapping of keys to values",
      remedy: "a mapping of keys to values",
    },
  ]);
  assert.deepEqual(problems("teams: [\n"), [
    {
      file: "teams.yaml",
      line: 2,
      column: 1,
      message: "Flow sequence in block collection must be sufficiently indented and end with a ]",
    },
  ]);
});
