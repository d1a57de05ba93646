import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("main.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "sallyport-explain-as-"));
after(() => rmSync(folder, { recursive: true, force: true }));

mkdirSync(join(folder, "policies"));
writeFileSync(
  join(folder, "sallyport.yaml"),
  `version: 1
listeners: [{ name: edge, address: 127.0.0.1:8080 }]
authenticators:
  corp:
    type: jwt
    issuer: https://login.example.com
    audience: [https://api.example.com]
    principal:
      kind: user
      device: { claim: device.id, attributes: { managed: { claim: device.managed, type: bool } } }
services: { bank: { endpoints: [http://127.0.0.1:9001], openapi: bank.yaml } }
routes:
  - name: bank
    path: /*
    service: bank
    authenticate: [corp]
    inspect: { json: { amount: { at: /amount, type: long } } }
policies: { enforce: [policies] }
audit: { path: data/audit }
`,
);
writeFileSync(
  join(folder, "bank.yaml"),
  `openapi: 3.1.0
info: { title: bank, version: "1" }
paths: { /transfers: { post: { operationId: transfer, responses: {} } } }
`,
);
writeFileSync(
  join(folder, "policies/all.cedar"),
  `@id("transfers")
permit (principal is Sallyport::User, action == Sallyport::Action::"bank:transfer", resource)
when { context.authn.amr.contains("otp") && context.authn has acr && context.authn.acr == "2" }
when { context.authn.age > 50 && context.authn.age < 60 && context.authn.bound }
when { context has device && context.device.managed }
when { context has body && context.body has amount && context.body.amount < 9007199254740994 };
`,
);

function asked(...args: string[]): { readonly status: number | null; readonly text: string } {
  const ask = ["explain", "--as", 'User::"corp/ada"', "POST", "/transfers", ...args];
  const result = spawnSync(process.execPath, [main, ...ask], { cwd: folder, encoding: "utf8" });
  return { status: result.status, text: result.stdout + result.stderr };
}

const DEVICE = '{"id":"Device::\\"corp/laptop\\"","attributes":{"managed":true}}';
const ALL = [
  ["--amr", "otp"],
  ["--acr", "2"],
  ["--age", "59"],
  ["--bound"],
  ["--device", DEVICE],
  ["--body", '{"amount":9007199254740993}'],
] as const;

test("explain --as asks with login, device and body, and says which operation it is", () => {
  const { status, text } = asked(...ALL.flat());
  assert.equal(status, 0, text);
  assert.match(text, /^PERMITTED: permitted\n/);
  assert.match(text, /^operation +bank:transfer$/m);
});

for (const [index, [option]] of ALL.entries()) {
  test(`explain --as denies without ${option}`, () => {
    const { text } = asked(...ALL.toSpliced(index, 1).flat());
    assert.match(text, /^DENIED: no-permit\n/);
  });
}

test("explain --as refuses values that no request could bring about", () => {
  for (const [args, what] of [
    [["--age", "soon"], /--age: .*seconds/],
    [["--body", "[1]"], /--body is no JSON object/],
    [["--body", '{"amount":"much"}'], /"amount" is a long/],
    [["--body", '{"other":1}'], /some route may read "other", this one does not/],
    [["--rpc", '{"tool":"x"}'], /the route reads no JSON-RPC/],
    [["--device", 'User::"corp/x"'], /Device/],
  ] as const) {
    const { status, text } = asked(...args);
    assert.equal(status, 2, text);
    assert.match(text, what);
  }
});
