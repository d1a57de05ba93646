import { test } from "node:test";
import assert from "node:assert/strict";
import type { Vocabulary, VocabularyOperation } from "../../model/vocabulary.ts";
import { officialPolicyJson } from "../official/official-engine.ts";
import { splitStatements } from "./policy-text.ts";
import { createRepresentatives } from "./representatives.ts";

const operation = (id: string, part: Partial<VocabularyOperation> = {}): VocabularyOperation => ({
  id,
  method: "GET",
  path: `/${id}`,
  groups: ["all"],
  parameters: [],
  ...part,
});
const PAGE = [{ name: "page", type: "long", required: false }] as const;
const VOCABULARY: Vocabulary = {
  authenticators: [],
  services: [
    {
      name: "s",
      attributes: {},
      operations: [
        ...Array.from({ length: 500 }, (_, index) => operation(`o${String(index)}`)),
        operation("paged", { parameters: PAGE }),
        operation("pagedToo", { parameters: PAGE, method: "POST" }),
      ],
    },
  ],
  routes: [],
};

function actionsFor(text: string): readonly string[] | undefined {
  const [statement] = splitStatements(text);
  const { value: json } = officialPolicyJson(text);
  assert.ok(json !== undefined && statement !== undefined, text);
  return createRepresentatives(VOCABULARY)({ json, statement });
}

const group = 'action in Sallyport::Action::"s/all"';

void test("createRepresentatives() gives one action where the conditions see no difference", () => {
  assert.deepEqual(actionsFor(`permit (principal, ${group}, resource);`), ["s:o0"]);
  assert.deepEqual(actionsFor("permit (principal, action, resource);"), ["GET"]);
});

void test("createRepresentatives() gives one of each type of context where parameters are read", () => {
  const dot = `permit (principal, ${group}, resource) when { context.parameters has page };`;
  assert.deepEqual(actionsFor(dot), ["s:o0", "s:paged"]);
  const bracket = `permit (principal, ${group}, resource) when { context["parameters"] has page };`;
  assert.deepEqual(actionsFor(bracket), ["s:o0", "s:paged"]);
  const hidden = `permit (principal, ${group}, resource) when { context["param\\u{65}ters"] has page };`;
  assert.deepEqual(actionsFor(hidden), ["s:o0", "s:paged"]);
});

void test("createRepresentatives() gives one of each kind that the conditions tell apart", () => {
  const text = `permit (principal, ${group}, resource)
    when { action == Sallyport::Action::"s:o3" || action in Sallyport::Action::"POST" };`;
  assert.deepEqual(actionsFor(text), ["s:o0", "s:o3", "s:pagedToo"]);
});

void test("createRepresentatives() gives every action where an escape could hide a name", () => {
  const text = `permit (principal, ${group}, resource)
    when { action == Sallyport::Action::"s:\\u{6f}3" };`;
  assert.equal(actionsFor(text)?.length, 502);
});

void test("createRepresentatives() looks at keys where the action, or its resource, is named", () => {
  for (const [text, actions] of [
    ['permit (principal, action == Sallyport::Action::"issueKey", resource);', ["issueKey"]],
    [
      'permit (principal, action in [Sallyport::Action::"GET", Sallyport::Action::"issueKey"], resource);',
      ["GET", "issueKey"],
    ],
    ["permit (principal, action, resource is Sallyport::Service);", ["GET", "issueKey"]],
    ['permit (principal, action, resource == Sallyport::Service::"s");', ["GET", "issueKey"]],
    [
      'forbid (principal, action, resource) when { action == Sallyport::Action::"issue\\u{4b}ey" };',
      undefined,
    ],
    ['permit (principal, action, resource in Sallyport::Service::"s");', ["GET"]],
    ['permit (principal, action in Sallyport::Action::"read", resource);', ["GET"]],
  ] as const) {
    const found = actionsFor(text);
    if (actions === undefined) assert.ok(found?.includes("issueKey"), text);
    else assert.deepEqual(found, actions, text);
  }
});

void test("createRepresentatives() leaves an unknown action to the whole schema", () => {
  assert.equal(
    actionsFor('permit (principal, action == Sallyport::Action::"s:none", resource);'),
    undefined,
  );
});
