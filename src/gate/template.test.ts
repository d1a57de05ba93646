import assert from "node:assert/strict";
import { test } from "node:test";
import { constantText, parseTemplate } from "./template.ts";

const LITERAL = "$".concat("{");

test("parseTemplate() splits a text into literals and placeholders", () => {
  const text = "a ${principal.subject}/${params.id} ${request.query.x y} $${z} ${decision}";
  assert.deepEqual(parseTemplate(text), {
    template: [
      "a ",
      { source: "principal.subject" },
      "/",
      { source: "params", name: "id" },
      " ",
      { source: "request.query", name: "x y" },
      ` ${LITERAL}z} `,
      { source: "decision" },
    ],
  });
});

test("parseTemplate() lower-cases the names of header fields", () => {
  assert.deepEqual(parseTemplate("${request.header.X-Tenant}"), {
    template: [{ source: "request.header", name: "x-tenant" }],
  });
});

test("parseTemplate() refuses what it does not list, and says what there is", () => {
  for (const text of [
    "${principal}",
    "${principal.sub}",
    "${principal.attributes.}",
    "${principal.attributes.__proto__.x}",
    "${params.a-b}",
    "${request.body}",
    "${}",
    "${ principal.subject }",
    "${principal.subject",
    "${env.HOME}",
    "a ${",
  ]) {
    const parsed = parseTemplate(text);
    assert.match("remedy" in parsed ? parsed.remedy : "", /principal\.subject.*decision/s, text);
  }
});

test("parseTemplate() copies no credential and nothing in which only the proxy speaks", () => {
  for (const name of [
    "authorization",
    "Cookie",
    "proxy-authorization",
    "proxy_authorization",
    "x-forwarded-for",
    "x_real_ip",
    "sallyport-decision",
    "connection",
    "transfer-encoding",
  ]) {
    const parsed = parseTemplate(`\${request.header.${name}}`);
    assert.match("remedy" in parsed ? parsed.remedy : "", /^another field: /, name);
  }
});

test("constantText() is the text of a template without placeholders", () => {
  assert.equal(constantText([]), "");
  assert.equal(constantText(["a"]), "a");
  assert.equal(constantText(["a", { source: "decision" }]), undefined);
  assert.equal(constantText([{ source: "decision" }]), undefined);
});
