import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { parseYaml } from "../src/wire/document/yaml.ts";
import { ERROR_CODES } from "../src/model/errors.ts";
import { REASONS } from "../src/model/reason.ts";
import { editorSchema } from "./docs/editor-schema.ts";
import { generateDocs } from "./generate-docs.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

test("docs/ holds what the source says (otherwise: npm run docs)", () => {
  for (const [name, text] of generateDocs()) {
    assert.equal(readFileSync(`${root}/docs/${name}`, "utf8"), text, name);
  }
});

test("docs/errors.md lists every reason and every error code of the source, and no other", () => {
  const catalogue = readFileSync(`${root}/docs/errors.md`, "utf8");
  const listed = [...catalogue.matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1]);
  assert.deepEqual(listed, [...Object.keys(REASONS), ...Object.keys(ERROR_CODES)]);
});

test("docs/configuration.md describes every key", () => {
  const reference = generateDocs().get("configuration.md") ?? "";
  const silent = reference.split("\n").filter((line) => /^\| .*\|\s*\|$/.test(line));
  assert.deepEqual(silent, []);
  assert.doesNotMatch(reference, /undefined|\[object/);
});

/** Reads a configuration as an editor would, by the JSON Schema alone. */
function editorIssues(text: string): string[] {
  const schema = z.fromJSONSchema(editorSchema());
  const result = schema.safeParse(parseYaml(text).value);
  return (result.error?.issues ?? []).map((issue) => `${issue.path.join(".")}: ${issue.message}`);
}

test("editorSchema() takes a whole configuration, expressions included, and refuses wrong keys", () => {
  const text = `version: 1
listeners: [{ name: edge, address: "\${env:ADDRESS}", limits: { headBytes: 8KiB } }]
admin: { address: 127.0.0.1:9900 }
authenticators:
  corp:
    type: jwt
    issuer: https://login.example.com
    principal: { kind: { claim: k, is: { user: [a, b] } }, roles: { claim: roles, allow: [R] } }
services: { billing: { endpoints: ["http://127.0.0.1:9001"], attributes: { a: 1, b: [x] } } }
routes:
  - name: billing
    path: /billing/*
    service: billing
    authenticate: [corp, anonymous]
    rewrite: { prefix: / }
    request: { headers: { set: { X-Team: payments }, remove: [x-debug] } }
policies: { enforce: [policies] }
audit: { path: data/audit }
`;
  assert.deepEqual(editorIssues(text), []);
  assert.notDeepEqual(editorIssues(text.replace("rewrite:", "rewritten:")), []);
  assert.notDeepEqual(editorIssues(text.replace("version: 1", "version: 2")), []);
  assert.notDeepEqual(editorIssues(text.replace("8KiB", "8K")), []);
});

test("editorSchema() takes the examples", () => {
  const examples = globSync("examples/**/sallyport.yaml", { cwd: root });
  assert.notDeepEqual(examples, []);
  for (const example of examples) {
    const text = readFileSync(`${root}/${example}`, "utf8");
    // The demo fills its addresses in.
    assert.deepEqual(editorIssues(text.replaceAll(/\{\{\w+\}\}/g, "127.0.0.1:1")), [], example);
  }
});
