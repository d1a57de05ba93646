import { generateKeyPairSync } from "node:crypto";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("main.ts", import.meta.url));

/** Runs `check` in the folder, as a person would there. */
function checked(folder: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, "check", ...args], {
    encoding: "utf8",
    cwd: folder,
  });
  return { status, stdout, stderr };
}

function written(context: TestContext, policies: string): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-check-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "policies"));
  writeFileSync(join(folder, "policies/all.cedar"), policies);
  writeFileSync(
    join(folder, "sallyport.yaml"),
    `version: 1
listeners: [{ name: edge, address: 127.0.0.1:8080 }]
services: { shop: { endpoints: [http://127.0.0.1:9001] } }
routes: [{ name: shop, path: /shop, methods: [GET], service: shop, authenticate: [anonymous] }]
policies: { enforce: [policies] }
audit: { path: data/audit }
`,
  );
  return folder;
}

const OPEN = `@id("open")
permit (principal is Sallyport::Anonymous, action == Sallyport::Action::"GET", resource in Sallyport::Service::"shop");
`;
const TWICE = OPEN.replace('"open"', '"twice"');

test("sallyport check ends with 0 on notes, with 1 on warnings, and as --fail-on says", (context) => {
  const notes = written(context, OPEN);
  const fine = checked(notes);
  assert.equal(fine.status, 0, fine.stdout + fine.stderr);
  assert.match(fine.stdout, /^sallyport\.yaml:4:\d+ {2}note open-to-anonymous \[shop\]: /);
  assert.match(fine.stdout, /sallyport\.yaml: fine \(/);
  const strict = checked(notes, "--fail-on", "note");
  assert.equal(strict.status, 1);
  assert.doesNotMatch(strict.stdout, /fine/);

  const warnings = written(context, OPEN + TWICE);
  const refused = checked(warnings);
  assert.equal(refused.status, 1);
  assert.match(refused.stdout, /policies\/all\.cedar:3:1 {2}warning policy-shadowed \[twice\]: /);
  assert.doesNotMatch(refused.stdout, /fine/);
});

test("sallyport check of a sidecar alone counts what it reaches, and no policies that nobody wrote", (context) => {
  const folder = written(context, OPEN);
  writeFileSync(
    join(folder, "sallyport.yaml"),
    `version: 1
egress:
  authority: { tokenEndpoint: http://127.0.0.1:9/token }
  identity: { clientId: orders, privateKey: orders.key }
  listeners: [{ name: out, address: 127.0.0.1:0 }]
  allow: { billing: { host: billing.internal, endpoints: [http://127.0.0.1:9] } }
audit: { path: data/audit }
`,
  );
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  writeFileSync(join(folder, "orders.key"), pem, { mode: 0o600 });
  const { status, stdout, stderr } = checked(folder);
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /^sallyport\.yaml: fine \(services of egress: 1\)$/m);
});

test("sallyport check prints nothing but what was asked for in a format for programs", (context) => {
  const folder = written(context, OPEN + TWICE);
  const json = checked(folder, "--format", "json");
  assert.equal(json.status, 1);
  const { problems, findings } = JSON.parse(json.stdout) as {
    readonly problems: unknown[];
    readonly findings: readonly { readonly id: string; readonly file: string }[];
  };
  assert.deepEqual(problems, []);
  assert.deepEqual(
    findings.map(({ id, file }) => [id, file]),
    [
      ["open-to-anonymous", "sallyport.yaml"],
      ["policy-shadowed", "policies/all.cedar"],
    ],
  );
});

test("sallyport check --output replaces the file, and still says how it ended", (context) => {
  const folder = written(context, OPEN);
  const file = join(folder, "findings.sarif");
  const { status, stdout } = checked(folder, "--format", "sarif", "--output", file);
  assert.equal(status, 0);
  assert.match(stdout, /^sallyport\.yaml: fine \(.*\)\n$/);
  assert.match(readFileSync(file, "utf8"), /"ruleId": "open-to-anonymous"/);
  const nowhere = checked(folder, "--output", join(folder, "gone/findings.txt"));
  assert.equal(nowhere.status, 2);
  assert.match(nowhere.stderr, /gone\/findings\.txt cannot be written \(ENOENT\)/);
  assert.ok(!existsSync(join(folder, "gone")));
});
