/**
 * Keys of our own authority, from the token endpoint to a route that takes them: issued, shown, narrowed,
 * and ended by an emergency rotation. In one process, and with a supervisor and its workers, which issue by
 * way of it.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { startStage, type Stage } from "./stage.ts";

const sallyport = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));
const SECRET = "kP3vXq7ZtLw9sN2bYc5RdF8hJm4GxA6u";

const AUTHORITY = `
authority:
  issuer: https://sallyport.example
  store: sqlite:state/store.db
  keyEncryptionKey: { file: kek }
  tokens: { subjects: [keys] }
  clients:
    job: { insecureSecret: "\${file:client}", roles: [Job] }
`;

const POLICIES = `
@id("keys-for-the-job")
permit (
  principal in Sallyport::Role::"Job",
  action == Sallyport::Action::"issueKey",
  resource == Sallyport::Service::"recorder"
);

@id("the-job")
permit (
  principal == Sallyport::Workload::"keys/job",
  action,
  resource == Sallyport::Route::"own"
) when { context.authn.kind == "sallyport" && context.authn.authenticator == "keys" };
`;

async function ground(t: TestContext, config: string): Promise<Stage> {
  const stage = await startStage({
    listener: "    serve: [token]",
    config: AUTHORITY + config,
    authenticators: "  keys: { type: sallyport }\n",
    routes: '  - { name: own, path: "/own/*", service: recorder, authenticate: [keys] }\n',
    policies: POLICIES,
    catchAll: false,
    adminSocket: "run/admin.sock",
    secrets: { kek: Buffer.alloc(32, 3).toString("base64url"), client: SECRET },
    prepare: (folder) => mkdirSync(join(folder, "state"), { mode: 0o700, recursive: true }),
  });
  t.after(() => stage.close());
  return stage;
}

interface Answer {
  readonly status: number;
  readonly token: string;
  readonly error: string | undefined;
}

async function ask(stage: Stage, form: Readonly<Record<string, string>>): Promise<Answer> {
  const answer = await fetch(`http://${stage.proxy}/.sallyport/token`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from(`job:${SECRET}`).toString("base64")}` },
    body: new URLSearchParams(form),
  });
  const body = (await answer.json()) as { access_token?: string; error?: string };
  return { status: answer.status, token: body.access_token ?? "", error: body.error };
}

const OWN = { grant_type: "client_credentials", audience: "recorder" };

async function key(stage: Stage, form: Readonly<Record<string, string>> = OWN): Promise<string> {
  const { status, token, error } = await ask(stage, form);
  assert.equal(status, 200, error ?? "no error is named");
  return token;
}

/** The status, and the reason where it was denied. */
async function call(stage: Stage, token: string, method = "GET"): Promise<string> {
  const answer = await fetch(`http://${stage.proxy}/own/x`, {
    method,
    headers: { authorization: `Bearer ${token}`, connection: "close" },
  });
  const text = await answer.text();
  if (answer.status === 200) return "200";
  return `${answer.status} ${(JSON.parse(text) as { reason: string }).reason}`;
}

async function rotateNow(stage: Stage): Promise<void> {
  const child = spawn(sallyport, ["keys", "rotate", "tokens", "--emergency"], {
    cwd: stage.folder,
    env: {
      ...process.env,
      SALLYPORT_RUNTIME: process.versions["bun"] === undefined ? "node" : "bun",
    },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const code = await new Promise((resolve) => {
    child.once("close", resolve);
  });
  assert.equal(code, 0);
}

/** Milliseconds, of which a busy machine takes most; a hung request would take all of them. */
const SLOW = { timeout: 120_000 };

for (const [kind, config] of [
  ["one process", ""],
  ["a supervisor with two workers", "workers: 2\nsupervisor: { folder: run }\n"],
] as const) {
  test(`${kind} issues keys that its routes take until their signer is gone`, SLOW, async (t) => {
    const stage = await ground(t, config);
    const first = await key(stage);
    assert.equal(await call(stage, first), "200");
    const issued = await stage.found((one) => "key" in one);
    const used = await stage.found(({ route }) => route === "own");
    for (const record of [issued, used]) assert.match(JSON.stringify(record), /"subject":"job"/);
    assert.match(JSON.stringify(used), /"kind":"sallyport"/);
    assert.ok(!stage.auditText().includes(first) && !stage.log().includes(first));

    // Narrowed by whoever holds it, and never wider again.
    const exchange = {
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
      audience: "recorder",
    };
    const narrow = await key(stage, {
      ...exchange,
      subject_token: first,
      authorization_details: '[{"type":"sallyport","routes":["own"],"methods":["GET"]}]',
    });
    assert.equal(await call(stage, narrow), "200");
    assert.equal(await call(stage, narrow, "POST"), "403 outside-key");
    const wider = await ask(stage, {
      ...exchange,
      subject_token: narrow,
      authorization_details: '[{"type":"sallyport","methods":["POST"]}]',
    });
    assert.equal(wider.error, "invalid_authorization_details");

    // An assertion's, a cookie's or a checkpoint's signature is tried in src/identity/sallyport.test.ts.
    const [head = "", payload = "", signature = ""] = first.split(".");
    const claims = Buffer.from(payload, "base64url").toString();
    const forged = Buffer.from(claims.replace('"aud":"recorder"', '"aud":"recorded"'));
    const text = `${head}.${forged.toString("base64url")}.${signature}`;
    assert.equal(await call(stage, text), "401 invalid-signature");

    await rotateNow(stage);
    const deadline = performance.now() + 30_000;
    let last = await call(stage, first);
    while (last === "200" && performance.now() < deadline) last = await call(stage, first);
    assert.equal(last, "401 unknown-key");
    assert.equal(await call(stage, await key(stage)), "200");
  });
}

test(
  "workers whose supervisor does not answer issue no key, say so at once, and issue again",
  SLOW,
  async (t) => {
    const stage = await ground(t, "workers: 2\nsupervisor: { folder: run }\n");
    const first = await key(stage);
    process.kill(stage.pid, "SIGSTOP");
    try {
      const before = performance.now();
      // Each worker finds out for itself; after that it does not wait any more.
      for (let asked = 0; asked < 6; asked++) {
        const { status, error } = await ask(stage, OWN);
        assert.equal(status, 503);
        assert.equal(error, "temporarily_unavailable");
      }
      assert.ok(performance.now() - before < 8000, "it waited for each");
      // Who has a key goes on, for as long as what is revoked is known.
      assert.equal(await call(stage, first), "200");
    } finally {
      process.kill(stage.pid, "SIGCONT");
    }
    const deadline = performance.now() + 30_000;
    let answer = await ask(stage, OWN);
    while (answer.status !== 200 && performance.now() < deadline) answer = await ask(stage, OWN);
    assert.equal(answer.status, 200);
  },
);
