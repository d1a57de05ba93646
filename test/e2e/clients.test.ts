/**
 * Clients of the token endpoint from the outside: one that the configuration declares and one that the
 * command line registers get keys, change their own keys over while both are good, and are stopped; a
 * key that leaked is taken back by one command.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createPrivateKey, randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { signJws } from "../../src/crypto/sign-jws.ts";
import {
  exportSigningKey,
  generateSigningKey,
  readSigningKey,
} from "../../src/crypto/signing-key.ts";
import type { SigningKey } from "../../src/crypto/signing-key.ts";
import { type Stage, startStage } from "./stage.ts";

const sallyport = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));
const ISSUER = "https://sallyport.example";
const declared = generateSigningKey("ES256");

async function ground(t: TestContext): Promise<Stage> {
  const stage = await startStage({
    listener: "    serve: [token]",
    authenticators: "  keys: { type: sallyport }\n",
    routes: '  - { name: billing, path: "/billing/*", service: recorder, authenticate: [keys] }\n',
    policies: `
@id("keys-for-billers")
permit (
  principal in Sallyport::Role::"Biller",
  action == Sallyport::Action::"issueKey",
  resource == Sallyport::Service::"recorder"
);
@id("billers")
permit (
  principal in Sallyport::Role::"Biller",
  action in Sallyport::Action::"read",
  resource == Sallyport::Route::"billing"
);
`,
    adminSocket: "run/admin.sock",
    secrets: { kek: Buffer.alloc(32, 3).toString("base64url") },
    config: `
authority:
  issuer: ${ISSUER}
  store: sqlite:state/store.db
  keyEncryptionKey: { file: kek }
  tokens: {}
  clients:
    report-job: { keys: file:report-job.json, roles: [Biller] }
`,
    prepare(folder) {
      mkdirSync(join(folder, "state"), { mode: 0o700, recursive: true });
      const keys = JSON.stringify({ keys: [declared.jwk] });
      writeFileSync(join(folder, "report-job.json"), keys);
    },
  });
  t.after(() => stage.close());
  return stage;
}

/** What a command prints; it has to end with this code. */
async function run(
  stage: Stage,
  args: readonly string[],
  { code = 0, input = "" } = {},
): Promise<string> {
  const child = spawn(sallyport, [...args], {
    cwd: stage.folder,
    env: {
      ...process.env,
      SALLYPORT_RUNTIME: process.versions["bun"] === undefined ? "node" : "bun",
    },
    stdio: ["pipe", "pipe", "pipe"],
  });
  let [out, failed] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (failed += chunk.toString()));
  child.stdin.end(input);
  const ended = await new Promise((resolve) => {
    child.once("close", resolve);
  });
  assert.equal(ended, code, failed);
  return out;
}

/** What the token endpoint answers a client that proves who it is by this key. */
async function asked(
  stage: Stage,
  client: string,
  key: SigningKey,
): Promise<{ readonly access_token?: string; readonly error?: string }> {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: client,
    sub: client,
    aud: ISSUER,
    iat: now,
    exp: now + 60,
    jti: randomUUID(),
  };
  const answer = await fetch(`http://${stage.proxy}/.sallyport/token`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({
      grant_type: "client_credentials",
      audience: "recorder",
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: signJws(key, { typ: "JWT" }, claims),
    }),
  });
  return (await answer.json()) as { access_token?: string; error?: string };
}

async function keyFor(stage: Stage, client: string, key: SigningKey): Promise<string> {
  const { access_token: token, error } = await asked(stage, client, key);
  assert.ok(token !== undefined, `${String(error)}\n${stage.log()}`);
  return token;
}

async function statusWith(stage: Stage, token: string): Promise<number> {
  const answer = await fetch(`http://${stage.proxy}/billing/1`, {
    headers: { authorization: `Bearer ${token}` },
  });
  await answer.arrayBuffer();
  return answer.status;
}

/** Once what was said has reached the gate. */
async function reached(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, "what was waited for did not happen");
    // oxlint-disable-next-line no-await-in-loop -- it waits
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
}

function generated(stage: Stage, file: string): SigningKey {
  const key = createPrivateKey(readFileSync(join(stage.folder, file), "utf8"));
  return readSigningKey(exportSigningKey({ privateKey: key }), "ES256");
}

test("a declared client gets a key that its service takes, and the leak of one is mended by one command", async (t) => {
  const stage = await ground(t);
  const key = await keyFor(stage, "report-job", declared);
  assert.equal(await statusWith(stage, key), 200);
  const out = await run(stage, ["keys", "revoke", "--key-file", "-", "--reason", "leaked"], {
    input: `${key}\n`,
  });
  assert.match(out, /keys\/\S+ +issued before/);
  assert.ok(!out.includes(key.split(".")[2] ?? "-"));
  await reached(async () => (await statusWith(stage, key)) === 401);
  const next = await keyFor(stage, "report-job", declared);
  assert.equal(await statusWith(stage, next), 200);
  await run(stage, ["keys", "block", "--subject", "report-job"]);
  await reached(async () => (await statusWith(stage, next)) === 401);
  assert.ok(!stage.auditText().includes(key.split(".")[2] ?? "-"));
});

test("a registered client changes its key over, is used, stopped and forgotten", async (t) => {
  const stage = await ground(t);
  const clients = (...args: readonly string[]) => run(stage, ["clients", ...args]);
  const create = ["create", "billing-job", "--role", "Biller", "--generate-key", "first.pem"];
  await clients(...create);
  const first = generated(stage, "first.pem");
  const key = await keyFor(stage, "billing-job", first);
  assert.equal(await statusWith(stage, key), 200);
  await clients("add-key", "billing-job", "--generate-key", "second.pem");
  const second = generated(stage, "second.pem");
  await reached(async () => (await asked(stage, "billing-job", second)).error === undefined);
  assert.equal((await asked(stage, "billing-job", first)).error, undefined);
  await clients("remove-key", "billing-job", first.kid);
  await reached(async () => (await asked(stage, "billing-job", first)).error === "invalid_client");
  await keyFor(stage, "billing-job", second);
  // Uses are written together, a moment later.
  await reached(async () => /billing-job .* ago$/m.test(await clients("list")));
  await clients("disable", "billing-job", "--reason", "suspicious");
  await reached(async () => (await statusWith(stage, key)) === 401);
  assert.equal((await asked(stage, "billing-job", second)).error, "invalid_client");
  await clients("enable", "billing-job");
  await reached(async () => (await asked(stage, "billing-job", second)).error === undefined);
  assert.equal(await statusWith(stage, key), 401, "what it had got before is dead for good");
  await clients("remove", "billing-job");
  await reached(async () => (await asked(stage, "billing-job", second)).error === "invalid_client");
  assert.match(await clients("list"), /^report-job +declared +active$/m);
});
