/**
 * The commands on a process that runs, and what it shows of a configuration full of secrets: with one
 * process and with workers, over the socket and over TLS with a token.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { createAdminClient } from "../../src/cli/admin-client.ts";
import { createAdminTransport } from "../../src/cli/admin-transport.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { compilePolicies } from "../../src/policy/compile-policies.ts";
import { until } from "../e2e/life.ts";
import { keySetOf, testKey } from "../issuer.ts";
import { token } from "./stage.ts";
import { PLACES } from "./document.ts";

const SALLYPORT = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));
const CANARY = "canary-s3cret";

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

class Home {
  readonly path = mkdtempSync(join(tmpdir(), "sallyport-admin-"));
  readonly socket = join(this.path, "run", "admin.sock");
  readonly env = {
    ...process.env,
    SALLYPORT_RUNTIME: process.versions["bun"] === undefined ? "node" : "bun",
    ADMIN_TEST_SECRET: CANARY,
  };

  constructor(t: TestContext) {
    t.after(() => rmSync(this.path, { recursive: true, force: true }));
    mkdirSync(join(this.path, "policies"));
    const policy = `@id("operators")
permit (principal in Sallyport::Role::"Operator", action in Sallyport::Action::"admin", resource);
@id("anybody")
permit (principal, action, resource);
`;
    writeFileSync(join(this.path, "policies", "all.cedar"), policy);
    writeFileSync(join(this.path, "keys.json"), JSON.stringify(keySetOf(testKey("k1", "EdDSA"))));
    writeFileSync(join(this.path, "kek"), Buffer.alloc(32, 1).toString("base64url"), {
      mode: 0o600,
    });
  }

  write(extra = "", workers = 1): void {
    const text = `version: 1
workers: ${workers}
listeners: [{ name: edge, address: "127.0.0.1:0" }]
admin:
  address: 127.0.0.1:0
  socket: run/admin.sock
  authenticate: [corp]
  audience: [https://admin.example.com]
authenticators:
  corp:
    type: jwt
    issuer: https://login.example.com
    jwks: file:keys.json
    algorithms: [EdDSA]
    principal: { kind: user, roles: { claim: roles, allow: [Operator] } }
  partners:
    type: api-key
    field: x-partner-key
    principal: { kind: workload, roles: { allow: [Reader] }, attributes: { tenant: { type: string } } }
services: { one: { endpoints: ["http://127.0.0.1:9"] } }
routes:
  - name: all
    path: /*
    service: one
    authenticate: [anonymous]
    request:
      headers: { set: { x-api-key: "\${env:ADMIN_TEST_SECRET}", x-other: "plain-${CANARY}" } }
policies: { enforce: [policies] }
audit: { path: audit }
usage: {}
authority:
  issuer: https://sallyport.example.com
  store: sqlite:data/sallyport.db
  keyEncryptionKey: { file: kek }
  serve: { address: "127.0.0.1:0", names: [localhost] }
${extra}`;
    writeFileSync(join(this.path, "sallyport.yaml"), text, { mode: 0o600 });
  }

  /** A command, to its end. */
  run(...args: string[]): Promise<Ran> {
    return new Promise((resolve, reject) => {
      const child = spawn(SALLYPORT, args, { cwd: this.path, env: this.env });
      let [out, err] = ["", ""];
      child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
      child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
      child.on("error", reject);
      child.on("close", (code) => resolve({ code: code ?? -1, out, err }));
    });
  }

  /** Everything in the audit log and whatever else lies there. */
  written(folder: string): string {
    return readdirSync(join(this.path, folder), { recursive: true, withFileTypes: true })
      .filter((one) => one.isFile())
      .map((one) => readFileSync(join(one.parentPath, one.name), "latin1"))
      .join("\n");
  }
}

interface Running {
  readonly home: Home;
  readonly ended: Promise<number>;
  readonly output: () => string;
}

async function start(t: TestContext, workers: number): Promise<Running> {
  const home = new Home(t);
  home.write("", workers);
  const child = spawn(SALLYPORT, ["run"], { cwd: home.path, env: home.env });
  t.after(() => child.kill("SIGKILL"));
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const ended = new Promise<number>((resolve) => {
    child.on("exit", (code) => resolve(code ?? -1));
  });
  const over = ended.then((code) => Promise.reject(new Error(`exit code ${code}: ${text}`)));
  over.catch(() => {});
  await Promise.race([until("the start", () => /^listening\s+admin\s.*\n/m.test(text)), over]);
  return { home, ended, output: () => text };
}

void test("status, reload and drain as one types them", async (t) => {
  const { home, ended, output } = await start(t, 1);
  const fine = await home.run("status");
  assert.equal(fine.code, 0, fine.err);
  assert.match(fine.out, /^ready +yes$/m);
  assert.match(fine.out, /^store +reachable, change \d+$/m);
  home.write("nonsense: true\n");
  const broken = await home.run("reload");
  assert.equal(broken.code, 1);
  assert.match(broken.err, /sallyport\.yaml:\d+:\d+ .*nonsense/);
  assert.match(broken.err, /^not reloaded: The configuration does not validate$/m);
  home.write("supervisor: { folder: elsewhere }\n");
  const fixed = await home.run("reload");
  assert.equal(fixed.code, 1);
  assert.match(fixed.err, /^not reloaded: what has changed needs a restart$/m);
  const behind = await home.run("status");
  assert.equal(behind.code, 1, "what runs is not what is written");
  assert.match(behind.out, /NOT RELOADED/);
  assert.equal((await home.run("drain")).code, 0);
  assert.equal(await ended, 0, output());
  const after = await home.run("status");
  assert.equal(after.code, 2);
  assert.match(after.err, /admin\.sock gives no answer/);
});

void test("a supervisor answers for its workers, and records what it was asked", async (t) => {
  const { home, ended, output } = await start(t, 2);
  const client = createAdminClient(createAdminTransport({ socket: home.socket }));
  const { value } = await client.getStatus();
  assert.equal(value.ready, true);
  assert.deepEqual(value.workers, { serving: 2, wanted: 2 });
  assert.equal((await client.listRoutes()).value.routes.length, 1);
  assert.equal((await client.listServices()).value.services[0]?.endpoints.length, 1);
  home.write("nonsense: true\n", 2);
  await assert.rejects(client.reloadConfig(), /nonsense/);
  home.write("", 2);
  assert.equal((await client.reloadConfig()).value.hash, value.config.hash);
  await client.drain();
  assert.equal(await ended, 0, output());
  const audit = home.written("audit");
  for (const action of ["getStatus", "listServices", "reloadConfig", "drain"]) {
    assert.ok(audit.includes(`"action":"admin:${action}"`), action);
  }
});

void test("revocations and keys, from the command line to the store and back", async (t) => {
  const { home } = await start(t, 1);
  const revoke = ["revocations", "revoke", "--authenticator", "corp", "--subject", "eve"];
  const [revoked, unnamed, keys] = await Promise.all([
    home.run(...revoke, "--reason", "left", "--expires", "2099-01-01T00:00:00Z"),
    home.run("revocations", "block", "--service", "nowhere"),
    home.run("keys", "list"),
  ]);
  assert.equal(revoked.code, 0, revoked.err);
  assert.equal(unnamed.code, 2);
  assert.match(unnamed.err, /no service is called nowhere/);
  assert.match(keys.out, /^tokens +\S+ +EdDSA +active /m);
  const [id = ""] = revoked.out.split(" ");
  const [list, rotated] = await Promise.all([
    home.run("revocations", "list"),
    home.run("keys", "rotate", "tokens", "--emergency"),
  ]);
  assert.match(list.out, new RegExp(`^${id} +subject +corp/eve +issued before .* left$`, "m"));
  assert.equal(rotated.code, 0, rotated.err);
  assert.equal((await home.run("revocations", "lift", id)).code, 0);
  const gone = await home.run("revocations", "lift", id);
  assert.equal(gone.code, 1);
  assert.match(gone.err, /first column of `sallyport revocations list`/);
  const unchecked = ["revocations", "block", "--service", "nowhere", "--unchecked"];
  assert.equal((await home.run(...unchecked)).code, 0);
});

void test("no answer of the API, no log line and no record holds a secret of the configuration", async (t) => {
  const { home, output } = await start(t, 1);
  const transport = createAdminTransport({ socket: home.socket });
  const client = createAdminClient(transport);
  const answers: unknown[] = [];
  for (const { method, path } of PLACES) {
    if (method !== "GET" || path.includes("{")) continue;
    answers.push((await transport.call({ method, path })).value);
  }
  const { value } = await client.getConfig();
  const all = JSON.stringify(answers) + output() + home.written("audit");
  assert.ok(!all.includes(CANARY));
  assert.ok(!all.includes(Buffer.alloc(32, 1).toString("base64url")));
  const written = JSON.stringify(value.written);
  assert.ok(
    written.includes("${env:ADMIN_TEST_SECRET}"),
    "an expression is shown as it is written",
  );
  assert.ok(written.includes('"x-other":"***"'));
});

void test("a token opens the API at the address, and is sent nowhere in plain HTTP but here", async (t) => {
  const { home, output } = await start(t, 1);
  const admin = /^listening\s+admin\s+(http:\S+)$/m.exec(output())?.[1] ?? "";
  writeFileSync(join(home.path, "token"), `${token(["Operator"])}\n`, { mode: 0o600 });
  const asked = await home.run("status", "--admin", admin, "--token-file", "token");
  assert.equal(asked.code, 0, asked.err);
  writeFileSync(join(home.path, "token"), token([]));
  const refused = await home.run("status", "--admin", admin, "--token-file", "token");
  assert.deepEqual([refused.code, refused.out], [2, ""]);
  assert.match(refused.err, /No policy permits this/);
  const far = await home.run("status", "--admin", "http://192.0.2.1:9900", "--token-file", "token");
  assert.equal(far.code, 2);
  assert.match(far.err, /a token is not sent to http:/);
  assert.equal((await home.run("status", "--admin", admin)).code, 2);
});

void test("docs/admin-api.md: each command with curl does what it says", async (t) => {
  if (spawnSync("curl", ["--version"]).status !== 0) {
    t.skip("curl is not here");
    return;
  }
  const { home, output } = await start(t, 1);
  const address = /^listening\s+admin\s+http:\/\/(\S+)$/m.exec(output())?.[1] ?? "";
  writeFileSync(join(home.path, "token"), token(["Operator"]));
  const page = readFileSync(new URL("../../docs/admin-api.md", import.meta.url), "utf8");
  const commands = [...page.matchAll(/^curl .*$/gm)].map(([line]) => line);
  assert.ok(commands.length >= 6);
  for (const command of commands) {
    const line = command.replace("127.0.0.1:9900", address);
    const { stdout } = spawnSync("sh", ["-c", `${line} -s -o /dev/null -w '%{http_code}'`], {
      cwd: home.path,
      encoding: "utf8",
    });
    assert.match(stdout, /^20[01]$/, command);
  }
});

void test("docs/admin-api.md: the policies are valid", async () => {
  const page = readFileSync(new URL("../../docs/admin-api.md", import.meta.url), "utf8");
  const text = /```cedar\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
  const vocabulary = {
    authenticators: [
      {
        name: "corp",
        kinds: ["user" as const, "workload" as const],
        attributes: {},
        bareRoles: ["Operator"],
      },
    ],
    services: [],
    routes: [],
    admin: { attributes: {} },
  };
  const source = { files: [{ name: "admin-api.md", text }], vocabulary };
  const result = await compilePolicies(source, { clock: systemClock });
  assert.deepEqual(result.problems ?? result.warnings, []);
});
