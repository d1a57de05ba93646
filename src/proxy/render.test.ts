import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Permit } from "../gate/decision.ts";
import { parseTemplate, type Template } from "../gate/template.ts";
import type { Fields } from "../model/http.ts";
import { checkFieldValue } from "../wire/field-text.ts";
import { renderField, renderText, Unfit } from "./render.ts";

interface Given {
  readonly kind?: string;
  readonly subject?: string;
  readonly roles?: readonly string[];
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly fields?: Fields;
}

function permit(given: Given): Permit {
  return {
    principal: {
      kind: given.kind ?? "user",
      authenticator: "corp",
      subject: given.subject ?? "alice",
      roles: given.roles ?? [],
      groups: [],
      attributes: given.attributes ?? {},
    },
    params: given.params ?? {},
    requestId: "request-1",
    decisionId: "decision-1",
    request: {
      method: "GET",
      path: "/a/b",
      host: "api.example.com",
      query: given.query,
      head: { fields: given.fields ?? [] },
    },
  } as unknown as Permit;
}

function template(text: string): Template {
  const parsed = parseTemplate(text);
  if ("remedy" in parsed) throw new TypeError(parsed.remedy);
  return parsed.template;
}

const field = (text: string, given: Given = {}): string | undefined => {
  const rendered = renderField(template(text), permit(given));
  return rendered instanceof Unfit ? "UNFIT" : rendered;
};
const plain = (text: string, given: Given = {}): string | undefined => {
  const rendered = renderText(template(text), permit(given));
  return rendered instanceof Unfit ? "UNFIT" : rendered;
};

test("renderField() puts the values of a request in their places", () => {
  const all = [
    "${principal.kind}:${principal.authenticator}/${principal.subject}",
    "${request.method} ${request.host}${request.path} ${request.id} ${decision}",
  ].join(" ");
  assert.equal(field(all), "user:corp/alice GET api.example.com/a/b request-1 decision-1");
  assert.equal(field("${principal.roles}", { roles: ["Admin", "corp/x"] }), "Admin,corp/x");
  const attributes = { tenant: "acme", level: 3n, external: false, teams: ["a", "b"] };
  assert.equal(
    field(
      "${principal.attributes.tenant} ${principal.attributes.level} ${principal.attributes.external} ${principal.attributes.teams}",
      { attributes },
    ),
    "acme 3 false a,b",
  );
  assert.equal(field("${params.id}", { params: { id: "7" } }), "7");
  assert.equal(field("${request.query.q}", { query: "a=1&%71=x+y" }), "x y");
  assert.equal(field("${request.header.x-a}", { fields: ["x-a", "1", "x-a", "2"] }), "1, 2");
});

test("renderField() has no value where something that it names is absent", () => {
  assert.equal(field("a ${request.query.q}", { query: "x=1" }), undefined);
  assert.equal(field("a ${request.query.q}"), undefined);
  assert.equal(field("${request.header.x-a}"), undefined);
  assert.equal(field("${principal.attributes.tenant}"), undefined);
  assert.equal(field("${principal.attributes.toString}"), undefined);
  assert.equal(field("${principal.subject}", { kind: "anonymous", subject: "" }), undefined);
  assert.equal(field("${principal.roles}"), undefined);
});

test("renderField() finds unfit what would break a field or be read in two ways", () => {
  for (const subject of [
    "a\r\nx-admin: 1",
    "a\nb",
    "a\0b",
    "a\u007fb",
    "é",
    "Ċ",
    " a",
    "a ",
    "\ta",
  ]) {
    assert.equal(field("${principal.subject}", { subject }), "UNFIT", JSON.stringify(subject));
    assert.equal(field("${params.id}", { params: { id: subject } }), "UNFIT");
    assert.equal(field("${principal.roles}", { roles: [subject] }), "UNFIT");
  }
  assert.equal(field("${principal.subject}", { subject: "a".repeat(4097) }), "UNFIT");
  assert.equal(field("${principal.roles}", { roles: ["a,Admin"] }), "UNFIT");
  assert.equal(field("${principal.attributes.t}", { attributes: { t: ["a,b"] } }), "UNFIT");
  for (const query of ["q=1&q=2", "q=1&%71=2", "q=%0d%0ax", "q=%ff", "q=%", "%=1&q=2", "q=%0a"]) {
    assert.equal(field("${request.query.q}", { query }), "UNFIT", query);
  }
});

test("renderField() never gives what is no field value", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string(), (subject, id) => {
      const rendered = field("x${principal.subject}${params.id}y", { subject, params: { id } });
      assert.ok(rendered !== undefined);
      if (rendered === "UNFIT") return;
      assert.ok(checkFieldValue(rendered));
      assert.equal(rendered, `x${subject}${id}y`);
    }),
  );
});

test("renderText() takes any Unicode text, but no field that is not ASCII", () => {
  assert.equal(plain("${principal.subject}", { subject: "é\n" }), "é\n");
  assert.equal(plain("${request.header.x-a}", { fields: ["x-a", "\u00e9"] }), "UNFIT");
  assert.equal(plain("${principal.subject}", { subject: "\ud800" }), "UNFIT");
});
