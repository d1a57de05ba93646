import assert from "node:assert/strict";
import { test } from "node:test";
import { createFieldNames, createTrailers, DROPPED } from "./field-names.ts";
import { headerRules } from "./plan.ts";
import { createResponseFields } from "./response-fields.ts";

const RULES = {
  ...headerRules({
    rename: [{ from: "x-old", to: "x-new", key: "x-old" }],
    remove: ["x-debug"],
    set: [{ key: "x-mode", name: "x-mode", value: ["on"] }],
    add: [{ key: "x-tag", name: "x-tag", value: ["ours"] }],
  }),
};

test("createFieldNames() drops every spelling of what is set, removed, added or renamed", () => {
  const nameOf = createFieldNames(RULES, (name) => name !== "x-barred");
  for (const name of [
    "x-debug",
    "x_debug",
    "x-mode",
    "x_mode",
    "x.mode",
    "x_tag",
    "x_old",
    "x-new",
    "x_new",
    "x-barred",
  ]) {
    assert.equal(nameOf(name), DROPPED, name);
    assert.equal(nameOf(name), DROPPED, `${name} again`);
  }
  assert.equal(nameOf("x-old"), "x-new");
  assert.equal(nameOf("x-tag"), "x-tag");
  assert.equal(nameOf("accept"), "accept");
});

test("createTrailers() lets no name of the rules come in behind the body", () => {
  const trailers = createTrailers(RULES);
  assert.ok(trailers !== undefined);
  const sent = [
    "x-debug",
    "x_mode",
    "x-tag",
    "x-old",
    "x-new",
    "x_new",
    "x-forwarded-for",
    "x-sum",
  ];
  assert.deepEqual(trailers(sent.flatMap((name) => [name, "1"])), ["x-sum", "1"]);
  assert.equal(createTrailers(headerRules()), undefined);
});

test("responseFields() strips our names, applies the rules, and writes the decision", () => {
  const fields = createResponseFields(RULES)(
    [
      "x_mode",
      "a",
      "x-old",
      "b",
      "x-new",
      "c",
      "x-tag",
      "d",
      "Sallyport_Decision",
      "e",
      "via",
      "f",
    ],
    "decision-1",
  );
  assert.deepEqual(fields, [
    "x-new",
    "b",
    "x-tag",
    "d",
    "sallyport-decision",
    "decision-1",
    "x-mode",
    "on",
    "x-tag",
    "ours",
  ]);
});

test("responseFields() lets no service set a cookie of ours, also not under a renamed field", () => {
  const sent = [
    "set-cookie",
    "sid=1; Path=/",
    "set-cookie",
    "__Host-sallyport-people=forged; Secure; Path=/",
    "x-cookie",
    "sallyport-people=forged",
  ];
  const rules = { ...RULES, rename: [{ from: "x-cookie", to: "set-cookie", key: "x-cookie" }] };
  const renamed = createResponseFields(rules, { ownCookies: true })(sent, "decision-1");
  assert.ok(!renamed.some((part) => part.includes("forged")));
  const plain = createResponseFields(RULES, { ownCookies: true })(sent.slice(0, 4), "decision-1");
  assert.ok(!plain.some((part) => part.includes("forged")));
  assert.ok(plain.includes("sid=1; Path=/"));
});
