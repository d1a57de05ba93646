/**
 * API keys from the command line to the service, through a supervisor that keeps the authority and two
 * workers that serve: made, used, refused in every way, replaced while they are in use, and ended.
 */
import { strict as assert } from "node:assert";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { freePort } from "../../examples/ports.ts";
import { startEchoService, WebSocketClient } from "../../examples/websocket-service.ts";
import { makeApiKey } from "../../src/crypto/api-key-text.ts";
import { Machine, until } from "../cluster/machine.ts";
import { workerPids } from "../e2e/life.ts";
import { RawConnection } from "../e2e/raw-connection.ts";

const LIMITS = {
  test: 120_000,
  /** Connections that are opened, so that the kernel gives some to each worker. */
  connections: 12,
  /** Requests of the callers while their key is replaced. */
  load: 300,
} as const;

const endings: (() => Promise<void> | void)[] = [];
after(async () => {
  for (const end of endings.toReversed()) await end();
});

interface Made {
  readonly apiKey: { readonly id: string; readonly owner: string; readonly state: string };
  readonly key: string;
  readonly former?: { readonly id: string; readonly state: string };
}

const world = await startWorld();

async function made(...args: readonly string[]): Promise<Made> {
  return JSON.parse(await world.machine.does("api-keys", ...args, "--json")) as Made;
}

const create = (owner: string, ...more: readonly string[]): Promise<Made> =>
  made("create", owner, "--authenticator", "partners", "--attribute", "tenant=acme", ...more);

interface Reply {
  readonly status: number;
  readonly reason: string | undefined;
  readonly text: string;
}

async function ask(path: string, fields: readonly string[]): Promise<Reply> {
  const connection = await RawConnection.open(world.edge);
  const lines = [`GET ${path} HTTP/1.1`, "Host: api.example", "Connection: close", ...fields];
  connection.write(`${lines.join("\r\n")}\r\n\r\n`);
  await connection.until(() => connection.closed);
  const { text } = connection;
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
  return { status, reason: /"reason":"([a-z-]+)"/.exec(text)?.[1], text };
}

/** By many connections, until it is so by each: what was just made or ended is on its way for a moment. */
async function everywhere(what: string, path: string, fields: readonly string[], reply: string) {
  await until(what, async () => {
    const asked = Array.from({ length: LIMITS.connections }, () => ask(path, fields));
    const said = (await Promise.all(asked)).map(({ status, reason = "" }) => `${status} ${reason}`);
    return said.every((one) => one.trim() === reply);
  });
}

const by = (key: string): string[] => [`X-API-Key: ${key}`];

test(
  "a key that the command line makes is its owner's on every worker, and reaches no service",
  { timeout: LIMITS.test },
  async () => {
    const { key, apiKey } = await create("acme", "--role", "Reader", "--scope", "invoices:read");
    assert.match(key, /^sp_[0-9A-Za-z]{49}$/);
    await everywhere("it is known", "/keys/a", by(key), "200");
    const reply = await ask("/keys/a", by(key));
    assert.doesNotMatch(reply.text, /sp_/i, "the service saw the key");
    assert.equal((await ask("/keys/a", [`Authorization: Bearer ${key}`])).status, 200);
    // On a route that does not take keys it is nobody's credential, and goes no further either.
    const elsewhere = await ask("/open/a", by(key));
    assert.equal(elsewhere.status, 200);
    assert.doesNotMatch(elsewhere.text, /sp_/i, "the other service saw the key");
    // Where the route says so, the service gets it.
    assert.match((await ask("/passed/a", by(key))).text, new RegExp(key));
    const find = () =>
      world.machine
        .records()
        .find(({ route, reason }) => route === "keys" && reason === "permitted");
    await until("it is on record", () => find() !== undefined);
    const used = find();
    assert.match(JSON.stringify(used), /"subject":"acme"/);
    assert.match(JSON.stringify(used), /"kind":"api-key"/);
    // Nowhere but in the answer of the command.
    assert.ok(!world.machine.output.includes(key));
    assert.ok(!JSON.stringify(world.machine.records()).includes(key));
    const store = readFileSync(join(world.machine.folder, "data", "state.db"));
    assert.ok(!store.includes(key) && !store.includes(key.slice(3)));
    const shown = await world.machine.does("api-keys", "show", apiKey.id);
    assert.ok(shown.includes("acme") && !shown.includes(key));
    assert.ok(!(await world.machine.does("api-keys", "list")).includes(key));
  },
);

test(
  "what is wrong with a key is told apart, and a key in a query is no credential",
  { timeout: LIMITS.test },
  async () => {
    const { key } = await create("acme", "--role", "Reader");
    const scoped = await create("acme", "--role", "Reader", "--service", "other");
    const revoked = await create("acme");
    await world.machine.does("api-keys", "revoke", revoked.apiKey.id, "--reason", "leaked");
    const removed = await create("acme");
    await world.machine.does("api-keys", "remove", removed.apiKey.id);
    const unroled = await create("nobody");
    await everywhere("it is known", "/keys/a", by(key), "200");
    await everywhere("it is revoked", "/keys/a", by(revoked.key), "401 credential-revoked");
    await everywhere("it is removed", "/keys/a", by(removed.key), "401 unknown-credential");
    await everywhere("it may nothing", "/keys/a", by(unroled.key), "403 no-permit");
    await everywhere("it is for others", "/keys/a", by(scoped.key), "401 wrong-audience");
    assert.equal((await ask("/passed/a", by(scoped.key))).status, 200);
    const typo = key.slice(0, -1) + (key.endsWith("0") ? "1" : "0");
    const cases: readonly (readonly [what: string, fields: readonly string[], reply: string])[] = [
      ["none", [], "401 missing-credential"],
      ["an empty field", ["X-API-Key:"], "401 malformed-credential"],
      ["a wrong checksum", by(typo), "401 malformed-credential"],
      ["cut short", by(key.slice(0, -3)), "401 malformed-credential"],
      ["lower-case", by(key.toLowerCase()), "401 malformed-credential"],
      ["another prefix", by(makeApiKey("ops_", randomBytes)), "401 malformed-credential"],
      ["never made", by(makeApiKey("sp_", randomBytes)), "401 unknown-credential"],
      ["two fields", [...by(key), ...by(key)], "401 malformed-credential"],
      ["two in one field", by(`${key}, ${key}`), "401 malformed-credential"],
      ["a scheme in the field", by(`Bearer ${key}`), "401 malformed-credential"],
      ["another spelling of the field", [`X_API_Key: ${key}`], "401 missing-credential"],
      [
        "a bad key beside a good one",
        [...by(typo), `Authorization: Bearer ${key}`],
        "401 malformed-credential",
      ],
      [
        "a good key beside a bad one",
        [...by(key), `Authorization: Bearer ${typo}`],
        "401 malformed-credential",
      ],
      ["a cookie", [`Cookie: x-api-key=${key}`], "401 missing-credential"],
      [
        "basic",
        [`Authorization: Basic ${Buffer.from(`${key}:`).toString("base64")}`],
        "401 missing-credential",
      ],
    ];
    for (const [what, fields, reply] of cases) {
      const { status, reason = "" } = await ask("/keys/a", fields);
      assert.equal(`${status} ${reason}`, reply, what);
    }
    for (const name of ["x-api-key", "api_key", "access_token"]) {
      assert.equal((await ask(`/keys/a?${name}=${key}`, [])).reason, "missing-credential");
    }
    assert.ok(!JSON.stringify(world.machine.records()).includes(key));
  },
);

test(
  "a key that is replaced while it is used loses no request, and ends with its overlap",
  { timeout: LIMITS.test },
  async () => {
    const first = await create("acme", "--role", "Reader");
    await everywhere("it is known", "/keys/a", by(first.key), "200");
    const failures: string[] = [];
    let asked = 0;
    let rotating: Promise<Made> | undefined;
    const caller = async (): Promise<void> => {
      while (asked < LIMITS.load) {
        asked += 1;
        const { status, reason = "" } = await ask("/keys/a", by(first.key));
        if (status !== 200) failures.push(`${status} ${reason}`);
        if (asked < LIMITS.load / 3) continue;
        rotating ??= made("rotate", first.apiKey.id, "--overlap", "1h");
      }
    };
    await Promise.all(Array.from({ length: 6 }, caller));
    assert.deepEqual(failures, []);
    const next = await rotating;
    assert.ok(next !== undefined);
    assert.deepEqual([next.former?.id, next.former?.state], [first.apiKey.id, "replaced"]);
    await everywhere("the new one is known", "/keys/a", by(next.key), "200");
    // Replaced at once: the one before ends with it.
    const last = await made("rotate", next.apiKey.id, "--overlap", "0s");
    await everywhere("the one before is over", "/keys/a", by(next.key), "401 token-expired");
    await everywhere("the last one is good", "/keys/a", by(last.key), "200");
    // One key has one heir.
    const again = await world.machine.command("api-keys", "rotate", next.apiKey.id);
    assert.equal(again.code, 2);
    assert.match(again.stderr, /another has taken its place|expired/);
  },
);

test(
  "revoking a key closes what it opened, on every worker, and no stream of another",
  { timeout: LIMITS.test },
  async () => {
    const [hers, his] = [
      await create("ann", "--role", "Reader"),
      await create("bob", "--role", "Reader"),
    ];
    await everywhere("hers is known", "/keys/a", by(hers.key), "200");
    await everywhere("his is known", "/keys/a", by(his.key), "200");
    const open = (key: string): Promise<WebSocketClient[]> =>
      Promise.all(
        Array.from({ length: LIMITS.connections }, () =>
          WebSocketClient.open(world.edge, "/keys/socket", by(key)),
        ),
      );
    const [lost, kept] = [await open(hers.key), await open(his.key)];
    await world.machine.does("api-keys", "revoke", hers.apiKey.id);
    const ends = await Promise.all(lost.map(({ ended }) => ended));
    assert.deepEqual(new Set(ends.map((end) => end?.reason)), new Set(["credential-revoked"]));
    for (const socket of kept) assert.equal(await socket.echo("still here"), "still here");
    // By its id it can be named in a revocation too.
    const named = ["--authenticator", "partners", "--id", his.apiKey.id];
    await world.machine.does("revocations", "block", ...named);
    const further = await Promise.all(kept.map(({ ended }) => ended));
    assert.deepEqual(new Set(further.map((end) => end?.reason)), new Set(["credential-revoked"]));
  },
);

test(
  "keys are known after all processes have been killed and started again",
  { timeout: LIMITS.test },
  async () => {
    const { key } = await create("acme", "--role", "Reader");
    await everywhere("it is known", "/keys/a", by(key), "200");
    await world.machine.kill();
    for (const pid of workerPids(world.machine.output)) killIfThere(pid);
    await world.machine.start();
    await everywhere("it is known again", "/keys/a", by(key), "200");
  },
);

test(
  "when a key was last used is known once the processes have ended in order",
  { timeout: LIMITS.test },
  async () => {
    const { key, apiKey } = await create("acme", "--role", "Reader");
    const unused = await create("acme");
    await everywhere("it is known", "/keys/a", by(key), "200");
    assert.equal(await world.machine.stop(), "exit code 0");
    await world.machine.start();
    assert.match(await world.machine.does("api-keys", "show", apiKey.id), /last used +20\d\d-/);
    assert.doesNotMatch(
      await world.machine.does("api-keys", "show", unused.apiKey.id),
      /last used/,
    );
  },
);

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended in order.
  }
}

async function startWorld(): Promise<{ readonly machine: Machine; readonly edge: string }> {
  const service = await startEchoService({
    answer: (head) =>
      head.includes("/socket")
        ? undefined
        : `HTTP/1.1 200 OK\r\nContent-Length: ${head.length}\r\n\r\n${head}`,
  });
  const folder = mkdtempSync(join(tmpdir(), "sallyport-api-keys-"));
  endings.push(async () => {
    await service.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const edge = `127.0.0.1:${await freePort(0)}`;
  const admin = `127.0.0.1:${await freePort(0)}`;
  const machine = new Machine(
    { after: (end) => endings.push(end) },
    { name: "alone", folder, admin },
  );
  endings.push(() => {
    for (const pid of workerPids(machine.output)) killIfThere(pid);
  });
  machine.write("secrets/kek", randomBytes(32).toString("base64url"));
  machine.write(
    "policies/all.cedar",
    `@id("readers") permit (principal is Sallyport::Workload in Sallyport::Role::"partners/Reader", action, resource)
when { principal.tenant == "acme" };
@id("open") permit (principal, action, resource == Sallyport::Route::"open");`,
  );
  machine.write(
    "sallyport.yaml",
    `version: 1
workers: 2
listeners: [{ name: edge, address: "${edge}" }]
admin: { address: "${admin}", socket: run/admin.sock }
authority:
  issuer: https://authority.example
  store: sqlite:data/state.db
  keyEncryptionKey: { file: secrets/kek }
authenticators:
  partners:
    type: api-key
    principal: { attributes: { tenant: { type: string } } }
services:
  one: { endpoints: ["http://${service.address}"] }
  other: { endpoints: ["http://${service.address}"] }
routes:
  - { name: keys, path: "/keys/*", service: one, authenticate: [partners], upgrades: [websocket], lifetime: none }
  - { name: passed, path: "/passed/*", service: other, authenticate: [partners], credentials: forward }
  - { name: open, path: "/open/*", service: other, authenticate: [anonymous] }
policies: { enforce: [policies] }
audit: { path: audit }
`,
  );
  await machine.start();
  return { machine, edge };
}
