/**
 * The authority's keys as somebody outside sees them: the key sets of a running Sallyport, and the
 * commands that change what is in them. In one process, and with a supervisor and its workers.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { KEY_USES } from "../../src/model/signing.ts";
import { startStage, type Stage } from "./stage.ts";

const sallyport = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));

const AUTHORITY = `
authority:
  issuer: https://sallyport.example
  store: sqlite:state/store.db
  keyEncryptionKey: { file: kek }
`;

async function ground(t: TestContext, config = ""): Promise<Stage> {
  const stage = await startStage({
    listener: "    serve: [well-known]",
    config: AUTHORITY + config,
    adminSocket: "run/admin.sock",
    secrets: { kek: Buffer.alloc(32, 3).toString("base64url") },
    prepare: (folder) => mkdirSync(join(folder, "state"), { mode: 0o700, recursive: true }),
  });
  t.after(() => stage.close());
  return stage;
}

/** Standard output of a command that succeeds. */
async function run(stage: Stage, ...args: readonly string[]): Promise<string> {
  const child = spawn(sallyport, [...args], {
    cwd: stage.folder,
    env: {
      ...process.env,
      SALLYPORT_RUNTIME: process.versions["bun"] === undefined ? "node" : "bun",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, failed] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (failed += chunk.toString()));
  const code = await new Promise((resolve) => {
    child.once("close", resolve);
  });
  assert.equal(code, 0, failed);
  return out;
}

interface KeySet {
  readonly keys: readonly { readonly kid: string; readonly alg: string; readonly d?: string }[];
}

async function keySet(stage: Stage, name = "jwks.json"): Promise<string[]> {
  const answer = await fetch(`http://${stage.proxy}/.well-known/sallyport/${name}`);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-type"), "application/jwk-set+json");
  assert.equal(answer.headers.get("sallyport-decision"), null);
  const { keys } = (await answer.json()) as KeySet;
  assert.ok(keys.every(({ d, alg }) => d === undefined && alg === "EdDSA"));
  return keys.map(({ kid }) => kid);
}

/** The key set once it is another one than that. */
async function changed(stage: Stage, former: readonly string[]): Promise<string[]> {
  for (;;) {
    const now = await keySet(stage);
    if (now.join() !== former.join()) return now;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

for (const [kind, config] of [
  ["one process", ""],
  ["a supervisor with two workers", "workers: 2\nsupervisor: { folder: run }\n"],
] as const) {
  test(`the key sets of ${kind} are what the commands say`, async (t) => {
    const stage = await ground(t, config);
    const tokens = await keySet(stage);
    const assertions = await keySet(stage, "assertions.json");
    assert.equal(tokens.length, 1);
    assert.notDeepEqual(assertions, tokens);
    const listed = JSON.parse(await run(stage, "keys", "list", "--json")) as {
      readonly kid: string;
      readonly use: string;
    }[];
    assert.deepEqual(
      listed.map(({ use }) => use),
      [...KEY_USES].toSorted(),
    );
    assert.equal(listed.find(({ use }) => use === "tokens")?.kid, tokens[0]);

    // Published now, beside the one that signs.
    await run(stage, "keys", "rotate", "tokens");
    const both = await changed(stage, tokens);
    assert.equal(both.length, 2);
    assert.ok(both.includes(tokens[0] ?? ""));

    // And an emergency leaves neither.
    await run(stage, "keys", "rotate", "all", "--emergency");
    const now = await changed(stage, both);
    assert.equal(now.length, 1);
    assert.ok(!both.includes(now[0] ?? ""));
    assert.deepEqual((await keySet(stage, "assertions.json")).length, 1);

    const [root = ""] = (await run(stage, "keys", "roots")).split("\n");
    assert.match(root, /^CN=Sallyport root\.000001 .* active /);
    assert.match(await run(stage, "keys", "rotate-root"), /\n.* upcoming /);

    const text = await (await fetch(`http://${stage.admin}/metrics`)).text();
    assert.match(
      text,
      /sallyport_well_known_requests_total\{document="tokens",status="200"\} [1-9]/,
    );
    assert.match(text, /sallyport_signing_keys\{use="feed",state="active"\} 1/);
    // What operators asked for is on record; fetching key sets is not.
    const audit = stage.auditText();
    assert.match(audit, /admin:rotateKeyNow/);
    assert.doesNotMatch(audit, /well-known/);
  });
}
