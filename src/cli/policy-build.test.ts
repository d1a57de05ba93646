import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readPublicPem } from "../crypto/public-key.ts";
import { ConfigError, SallyportError } from "../model/errors.ts";
import { readBundleFile } from "../policy/bundle/bundle-file.ts";
import { writeStarter } from "./init.ts";
import { policyBuild } from "./policy-build.ts";
import { policyDiff } from "./policy-diff.ts";

async function ground(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-build-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const printed: string[] = [];
  t.mock.method(console, "log", (line: string) => void printed.push(line));
  await writeStarter({
    dir: folder,
    service: ["billing=http://127.0.0.1:9001"],
    issuer: "https://login.example.com",
    audience: "https://api.example.com",
    fromOpenapi: [],
  });
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const key = join(folder, "key.pem");
  writeFileSync(key, privateKey.export({ type: "pkcs8", format: "pem" }));
  const trusted = readPublicPem(publicKey.export({ type: "spki", format: "pem" }));
  const config = join(folder, "sallyport.yaml");
  const [policies = ""] = readdirSync(join(folder, "policies"));
  return { folder, printed, key, trusted, config, policies: join(folder, "policies", policies) };
}

test("policyBuild() writes what was checked, signed, and policyDiff() finds it the same", async (t) => {
  const { folder, printed, key, trusted, config } = await ground(t);
  const out = join(folder, "built.json");
  assert.equal(await policyBuild({ config, signKey: [key], out }), 0);
  const { hash, signed } = readBundleFile(readFileSync(out, "utf8"), [trusted]);
  assert.equal(signed?.key, trusted.thumbprint);
  assert.equal(printed[0], `${hash}  ${out}`);
  assert.match(printed[1] ?? "", new RegExp(`signed by: ${trusted.thumbprint}`));
  assert.equal(await policyDiff(config, out, { format: "text" }), 0);
  assert.match(printed[2] ?? "", /^policies: 0 added, 0 removed, 0 changed, [1-9]/);
});

test("policyDiff() exits 1 where something has changed, and reads bundles that are not signed", async (t) => {
  const { folder, printed, config, policies } = await ground(t);
  const out = join(folder, "built.json");
  await policyBuild({ config, signKey: [], out });
  writeFileSync(policies, '@id("all") permit (principal, action, resource);\n');
  assert.equal(await policyDiff(out, config, { format: "json" }), 1);
  const diff = JSON.parse(printed.at(-1) ?? "") as { policies: { id: string; is?: object }[] };
  assert.ok(diff.policies.some(({ id, is }) => id === "all" && is !== undefined));
});

test("policyBuild() writes nothing where a policy does not validate, or a key cannot be used", async (t) => {
  const { folder, config, policies, key } = await ground(t);
  const out = join(folder, "built.json");
  writeFileSync(key, "no key");
  await assert.rejects(
    policyBuild({ config, signKey: [key], out }),
    (error) => error instanceof SallyportError && error.message.includes(key),
  );
  writeFileSync(
    policies,
    '@id("x") permit (principal, action, resource) when { principal.nothing };',
  );
  await assert.rejects(policyBuild({ config, signKey: [], out }), ConfigError);
  assert.ok(!readdirSync(folder).includes("built.json"));
});

test("policyDiff() says which file is neither a configuration nor a bundle", async (t) => {
  const { folder, config } = await ground(t);
  const other = join(folder, "other.json");
  for (const text of ["{}", "x", '{"files":[]}']) {
    writeFileSync(other, text);
    await assert.rejects(policyDiff(config, other, { format: "text" }), SallyportError);
  }
  await assert.rejects(policyDiff(config, join(folder, "no.json"), { format: "text" }), /no\.json/);
});
