/**
 * Access taken away while it is in use, in one process that is authority and proxy: what an operator
 * says to the register goes through the store and the feed to the gate. Each way to name what is
 * revoked reaches requests at once and open streams within a second, and leaves others alone.
 */
import { strict as assert } from "node:assert";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { startEchoService, WebSocketClient } from "../../examples/websocket-service.ts";
import { startAuthority } from "../../src/app/authority/authority.ts";
import type { Backing } from "../../src/app/authority/backing.ts";
import { openFrontDesk } from "../../src/app/front-desk.ts";
import { createInstruments } from "../../src/app/instruments.ts";
import { createPreparer } from "../../src/app/prepare.ts";
import { startPrepared } from "../../src/app/sallyport.ts";
import { stand } from "../../src/app/start.ts";
import { isKeeper } from "../../src/authority/authority-options.ts";
import type { RevocationTarget } from "../../src/model/revocation.ts";
import { recordedLog } from "../ports.ts";
import { RawConnection } from "./raw-connection.ts";
import { requestBytes, until } from "./stage.ts";
import { AUDIENCE, createTestIssuer, ISSUER } from "./test-issuer.ts";

const LIMITS = {
  /** Milliseconds from the commit to a closed stream: the docs promise one second, a busy machine more. */
  reach: 5000,
  /** Milliseconds for anything that is waited for; only a failing test waits so long. */
  wait: 20_000,
} as const;

const OTHER_ISSUER = "https://other.example";
const issuer = createTestIssuer();
const [chat, news] = await Promise.all([startService(), startService()]);
const world = await startWorld();
after(async () => {
  await world.close();
  await chat.close();
  await news.close();
});

const ANN: RevocationTarget = { kind: "subject", authenticator: "corp", subject: "ann" };

const CASES: [target: RevocationTarget, alike: string[], path: string][] = [
  [{ kind: "id", authenticator: "corp", id: "t-1" }, caller("ann", "t-2"), "/chat/events"],
  [ANN, caller("bob", "t-1"), "/chat/events"],
  [
    { kind: "authenticator", authenticator: "corp" },
    caller("ann", "t-1", OTHER_ISSUER),
    "/chat/events",
  ],
  [{ kind: "service", service: "chat" }, caller("ann", "t-1"), "/news/events"],
];
for (const [target, alike, path] of CASES) {
  for (const mode of ["revoke", "block"] as const) {
    if (mode === "block" && target.kind === "service") continue;
    test(`a ${mode} by ${target.kind} denies the next request, closes the streams that it is about, and no other`, async () => {
      const ann = caller("ann", "t-1");
      const socket = await WebSocketClient.open(world.proxy, "/chat/socket", ann);
      const events = await listenTo("/chat/events", ann);
      const kept = await listenTo(path, alike);
      assert.equal((await get("/chat/plain", ann)).status, 200);

      const { digest } = await world.revocations.revoke(target, { mode, by: "test" });
      const committed = performance.now();
      assert.deepEqual(await socket.ended, { code: 1008, reason: "credential-revoked" });
      await events.until(() => events.closed);
      assert.ok(performance.now() - committed < LIMITS.reach);
      assert.doesNotMatch(events.text, /\r\n0\r\n\r\n$/, "cut off, not ended");
      const refused = await get("/chat/plain", ann);
      assert.equal(refused.status, 401);
      assert.match(refused.text, /www-authenticate: Bearer [^\r]*error="invalid_token"/);
      assert.match(refused.text, /"reason":"credential-revoked"/);
      assert.ok(!refused.text.includes(digest));

      assert.equal((await get(path.replace("events", "plain"), alike)).status, 200);
      assert.equal(kept.closed, false);
      kept.destroy();
      await world.revocations.lift(target, { by: "test" });
      await untilAsync(async () => (await get("/chat/plain", ann)).status === 200);
    });
  }
}

test("a blocked service lets nobody in, and nobody stays", async () => {
  const stranger = await listenTo("/news/events", []);
  const known = await listenTo("/news/events", caller("ann", "t-1"));
  const elsewhere = await WebSocketClient.open(world.proxy, "/chat/socket", caller("ann", "t-1"));
  const target: RevocationTarget = { kind: "service", service: "news" };
  await world.revocations.revoke(target, { mode: "block", by: "test" });
  const committed = performance.now();
  await stranger.until(() => stranger.closed);
  await known.until(() => known.closed);
  assert.ok(performance.now() - committed < LIMITS.reach);
  for (const fields of [[], caller("ann", "t-1")]) {
    const refused = await get("/news/plain", fields);
    assert.equal(refused.status, 403);
    assert.match(refused.text, /"reason":"service-blocked"/);
    assert.doesNotMatch(refused.text, /www-authenticate/);
  }
  assert.equal(await elsewhere.echo("still here"), "still here");
  elsewhere.close();
  await world.revocations.lift(target, { by: "test" });
  await untilAsync(async () => (await get("/news/plain", [])).status === 200);
});

test("after a cut-off a token of its second is dead, one without iat too, and a later one is good", async () => {
  await world.revocations.revoke(ANN, { mode: "revoke", by: "test" });
  const cutoff = Math.ceil(((await world.revocations.get(ANN))?.cutoff?.atMs ?? 0) / 1000);
  await untilAsync(async () => (await get("/chat/plain", caller("ann", "t-1"))).status === 401);
  const withIat = async (iat: number | undefined): Promise<number> => {
    const token = issuer.token({ sub: "ann", iat });
    return (await get("/chat/plain", [`Authorization: Bearer ${token}`])).status;
  };
  assert.equal(await withIat(undefined), 401);
  let now = 0;
  await untilAsync(async () => {
    now = Math.floor(Date.now() / 1000);
    const status = await withIat(now);
    assert.equal(status, now <= cutoff ? 401 : 200);
    return status === 200;
  });
  assert.equal(await withIat(cutoff), 401, "not until it is lifted");
  await world.revocations.lift(ANN, { by: "test" });
  await untilAsync(async () => (await withIat(cutoff)) === 200);
});

test("many revocations are in force in the order of their commits, while requests are served", async () => {
  const socket = await WebSocketClient.open(world.proxy, "/chat/socket", caller("last", "t-1"));
  const kept = await WebSocketClient.open(world.proxy, "/chat/socket", caller("ann", "t-1"));
  for (let round = 0; round < 20; round++) {
    const names = Array.from({ length: 20 }, (_, index) => `somebody-${round}-${index}`);
    if (round === 19) names.push("last");
    await Promise.all(
      names.map((subject) =>
        world.revocations.revoke({ ...ANN, subject }, { mode: "block", by: "test" }),
      ),
    );
    assert.equal((await get("/chat/plain", caller("ann", "t-1"))).status, 200);
  }
  assert.deepEqual(await socket.ended, { code: 1008, reason: "credential-revoked" });
  for (const name of ["somebody-0-0", "somebody-19-19"]) {
    assert.equal((await get("/chat/plain", caller(name, "t-1"))).status, 401);
  }
  assert.equal(await kept.echo("still here"), "still here");
  kept.close();
});

test("while revocations may be missing every request is refused and open streams are closed", async () => {
  const socket = await WebSocketClient.open(world.proxy, "/chat/socket", caller("ann", "t-1"));
  const stranger = await listenTo("/news/events", []);
  const { signal } = await readiness();
  assert.equal(signal, 200);
  world.silent = true;
  assert.deepEqual(await socket.ended, { code: 1008, reason: "feed-stale" });
  await stranger.until(() => stranger.closed);
  for (const path of ["/chat/plain", "/news/plain", "/nowhere"]) {
    const refused = await get(path, caller("ann", "t-1"));
    assert.equal(refused.status, 503);
    assert.match(refused.text, /"reason":"feed-stale"/);
    assert.match(refused.text, /\r\nretry-after: \d+\r\n/);
  }
  const stale = await readiness();
  assert.equal(stale.signal, 503);
  assert.match(stale.text, /not heard from for/);
  world.silent = false;
  await untilAsync(async () => (await get("/chat/plain", caller("ann", "t-1"))).status === 200);
});

test("the records say by what kind of entry, the metrics count, and neither names an operator's reason", async () => {
  const reason = "canary-of-an-operator";
  await world.revocations.revoke(ANN, { mode: "revoke", reason, by: "test" });
  await untilAsync(async () => (await get("/chat/plain", caller("ann", "t-1"))).status === 401);
  await until(() => world.audit().includes('"detail":"revoked by its subject"'));
  const metrics = await (await fetch(`http://${world.admin}/metrics`)).text();
  assert.match(metrics, /^sallyport_revocations \d+$/m);
  assert.match(metrics, /^sallyport_revocation_denials_total\{kind="subject"\} \d+$/m);
  for (const text of [world.audit(), metrics, world.log(), (await readiness()).text]) {
    assert.ok(!text.includes(reason));
  }
  await world.revocations.lift(ANN, { by: "test" });
});

/** Fields of a caller whose token was issued a minute ago. */
function caller(sub: string, jti: string, iss = ISSUER): string[] {
  const iat = Math.floor(Date.now() / 1000) - 60;
  return [`Authorization: Bearer ${issuer.token({ iss, sub, jti, iat })}`];
}

async function get(
  path: string,
  fields: readonly string[],
): Promise<{ readonly status: number; readonly text: string }> {
  const connection = await RawConnection.open(world.proxy);
  connection.write(requestBytes(path, [...fields, "Connection: close"]));
  await connection.until(() => connection.closed);
  const { text } = connection;
  return { status: Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1]), text };
}

/** What has been committed is in force within some milliseconds. */
async function untilAsync(look: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + LIMITS.wait;
  while (!(await look())) assert.ok(performance.now() < deadline, "not in time");
}

async function readiness(): Promise<{ readonly signal: number; readonly text: string }> {
  const response = await fetch(`http://${world.admin}/readyz`);
  return { signal: response.status, text: await response.text() };
}

/** A caller of an endless response that has got the beginning. */
async function listenTo(path: string, fields: readonly string[]): Promise<RawConnection> {
  const connection = await RawConnection.open(world.proxy);
  connection.write(requestBytes(path, fields));
  await connection.until(() => connection.text.includes(": open\n\n"));
  return connection;
}

/** WebSockets, an endless response and a plain one. */
function startService(): ReturnType<typeof startEchoService> {
  return startEchoService({
    answer(head) {
      const path = /^GET (\S+)/.exec(head)?.[1] ?? "";
      if (path.endsWith("/plain")) return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
      if (!path.endsWith("/events")) return undefined;
      const fields = "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked";
      return `HTTP/1.1 200 OK\r\n${fields}\r\n\r\n8\r\n: open\n\n\r\n`;
    },
  });
}

async function startWorld() {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-revocation-"));
  writeFolder(folder);
  const log = recordedLog();
  const file = join(folder, "sallyport.yaml");
  const prepare = createPreparer(file);
  const prepared = await prepare();
  const { admin, authority: options } = prepared.loaded.config;
  const instruments = createInstruments(log);
  assert.ok(isKeeper(options));
  const authority = await startAuthority(options, instruments);
  const heard = { silent: false };
  const backing: Backing = {
    ...authority,
    follow: (consumer) =>
      authority.follow({
        apply: (...change) => consumer.apply(...change),
        current(at, asOfMs) {
          if (!heard.silent) consumer.current(at, asOfMs);
        },
      }),
  };
  const desk = await openFrontDesk({ admin }, instruments, "starting");
  const running = await startPrepared(
    { file, prepare, prepared },
    { instruments, desk, backed: stand(backing, instruments) },
  );
  return Object.assign(heard, {
    proxy: running.listeners[0]?.address ?? "",
    admin: running.admin ?? "",
    revocations: authority.registers.revocations,
    log: () => log.lines.join("\n"),
    audit: () =>
      readdirSync(join(folder, "audit"))
        .filter((name) => name.endsWith(".jsonl"))
        .map((name) => readFileSync(join(folder, "audit", name), "utf8"))
        .join(""),
    async close() {
      await running.close({ atOnce: true });
      rmSync(folder, { recursive: true, force: true });
    },
  });
}

function writeFolder(folder: string): void {
  for (const name of ["policies", "secrets", "data"])
    mkdirSync(join(folder, name), { mode: 0o700 });
  const kek = randomBytes(32).toString("base64url");
  writeFileSync(join(folder, "secrets", "kek"), kek, { mode: 0o600 });
  writeFileSync(join(folder, "jwks.json"), JSON.stringify(issuer.jwks));
  const policy = '@id("all") permit (principal, action, resource);';
  writeFileSync(join(folder, "policies", "all.cedar"), policy);
  const authenticator = (name: string, iss: string): string => `  ${name}:
    type: jwt
    issuer: ${iss}
    jwks: file:jwks.json
    audience: [${AUDIENCE}]
    algorithms: [ES256]
    clockSkew: 0s
    principal: { kind: workload, subject: sub }`;
  const text = `version: 1
listeners: [{ name: edge, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0" }
authority:
  issuer: https://authority.example
  store: sqlite:data/state.db
  keyEncryptionKey: { file: secrets/kek }
  maxStaleness: 2s
authenticators:
${authenticator("corp", ISSUER)}
${authenticator("other", OTHER_ISSUER)}
services:
  chat: { endpoints: ["http://${chat.address}"] }
  news: { endpoints: ["http://${news.address}"] }
routes:
  - { name: chat, path: "/chat/*", service: chat, authenticate: [corp, other], upgrades: [websocket], lifetime: none }
  - { name: news, path: "/news/*", service: news, authenticate: [corp, other, anonymous], lifetime: none }
policies: { enforce: [policies] }
audit: { path: audit }
`;
  writeFileSync(join(folder, "sallyport.yaml"), text, { mode: 0o600 });
}
