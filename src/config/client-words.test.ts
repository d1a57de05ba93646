import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { systemClock } from "../platform/clock.ts";
import { checkConfig } from "./check.ts";
import type { LoadedConfig } from "./load.ts";

const SECRET = "Zm9vYmFyYmF6cXV4-0123456789_abcd";
const POLICY = `@id("billers")
permit (principal is Sallyport::Workload in Sallyport::Role::"Biller", action, resource) when { principal.tenant == "acme" };
`;

async function checked(
  t: TestContext,
  clients: string,
): Promise<{ readonly said: readonly string[]; readonly loaded: LoadedConfig | undefined }> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-client-words-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "policies"));
  writeFileSync(join(folder, "policies", "all.cedar"), POLICY);
  const file = join(folder, "sallyport.yaml");
  writeFileSync(
    file,
    `version: 1
listeners: [{ name: edge, address: "127.0.0.1:0" }]
authenticators:
  keys: { type: sallyport, principal: { attributes: { tenant: { type: string, default: none } } } }
services:
  billing: { endpoints: ["http://127.0.0.1:9001"] }
  ledger: { endpoints: ["http://127.0.0.1:9002"] }
routes:
  - { name: billing, path: "/billing/*", service: billing, authenticate: [keys] }
  - { name: ledger, path: "/ledger/*", service: ledger, authenticate: [keys] }
policies: { enforce: [policies] }
authority:
  issuer: https://authority.example
  store: sqlite:state.db
  keyEncryptionKey: { env: KEK }
  serve: { address: "127.0.0.1:0", names: [localhost] }
  proxies:
    - { name: "edge-*", services: [billing] }
    - { name: "all-*" }
  clients:
${clients}
audit: { path: audit }
`,
  );
  const env = { KEK: Buffer.alloc(32, 1).toString("base64"), SECRET };
  const { problems, findings, loaded } = await checkConfig(file, { clock: systemClock, env });
  const said = [...problems, ...findings].map(({ message }) => message);
  return { said, loaded };
}

const JOB = '    job: { insecureSecret: "${env:SECRET}", roles: [Biller, Reader] }';

test("roles of declared clients are words of policies, here and in what every proxy gets", async (t) => {
  const { said, loaded } = await checked(t, JOB);
  assert.ok(loaded !== undefined, said.join("\n"));
  const { vocabulary, published } = loaded;
  const keys = vocabulary.authenticators.find(({ name }) => name === "keys");
  assert.deepEqual(keys?.bareRoles, ["Biller", "Reader"]);
  assert.deepEqual(keys.attributes, { tenant: "string" });
  assert.equal(
    said.some((message) => message.includes('"Biller"')),
    false,
    said.join("\n"),
  );
  assert.equal(published.length, 3);
  for (const { bundle } of published) {
    const text = Buffer.from(bundle.bytes).toString("utf8");
    assert.match(text, /"allow":\["Biller","Reader"\]/);
    // How clients prove who they are is nothing for proxies.
    assert.doesNotMatch(text, /insecureSecret/);
  }
});

test("an insecureSecret is a finding at its line, and a role that no policy names is one too", async (t) => {
  const { said } = await checked(t, JOB);
  assert.ok(
    said.some((message) => message.includes("whoever sees this secret once")),
    said.join("\n"),
  );
  assert.ok(
    said.some((message) => message.includes('"Reader"')),
    said.join("\n"),
  );
  assert.doesNotMatch(said.join("\n"), new RegExp(SECRET));
});

test("without a client of that role the policy names one that nobody can have", async (t) => {
  const { said } = await checked(t, '    job: { insecureSecret: "${env:SECRET}" }');
  assert.ok(
    said.some((message) => message.includes('Role called "Biller"')),
    said.join("\n"),
  );
});
