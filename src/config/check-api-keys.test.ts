import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { ConfigError } from "../model/errors.ts";
import { loadConfig } from "./load.ts";

const AUTHORITY = `authority:
  issuer: https://authority.example
  store: sqlite:data/state.db
  keyEncryptionKey: { env: KEK }
`;

async function problemsOf(
  t: TestContext,
  { authority = AUTHORITY, authenticators = "", authenticate = "partners" },
): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-check-api-keys-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "policies"));
  writeFileSync(join(folder, "policies", "all.cedar"), "permit (principal, action, resource);");
  const file = join(folder, "sallyport.yaml");
  writeFileSync(
    file,
    `version: 1
listeners: [{ name: edge, address: "127.0.0.1:0" }]
${authority}authenticators:
  partners: { type: api-key }
${authenticators}services:
  one: { endpoints: ["http://127.0.0.1:9001"] }
routes:
  - { name: all, path: "/*", service: one, authenticate: [${authenticate}] }
policies: { enforce: [policies] }
audit: { path: audit }
`,
  );
  try {
    await loadConfig(file, { env: { KEK: Buffer.alloc(32, 1).toString("base64") } });
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map(({ message }) => message);
  }
}

test("an authenticator of API keys needs an authority, here or followed", async (t) => {
  assert.deepEqual(await problemsOf(t, {}), []);
  const [without = "", ...more] = await problemsOf(t, { authority: "" });
  assert.match(without, /the API keys of "partners" need an authority/);
  assert.deepEqual(more, []);
});

test("two authenticators of one prefix cannot stand on one route, those of two can", async (t) => {
  const twins = { authenticate: "partners, twins" };
  const same = await problemsOf(t, { ...twins, authenticators: "  twins: { type: api-key }\n" });
  assert.match(same.join(), /could take the same tokens/);
  const apart = "  twins: { type: api-key, prefix: ops_, field: x-ops-key }\n";
  assert.deepEqual(await problemsOf(t, { ...twins, authenticators: apart }), []);
});
