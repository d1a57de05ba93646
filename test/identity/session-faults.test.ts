/**
 * Sessions whose provider is slow, gone, or says no, under load: through `sallyport run` with two workers, which
 * share one memory. The test has the key of the sessions, so it seals some as another replica would.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { Agent, createServer, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { type Stage, startStage, until } from "../e2e/stage.ts";
import type { Jar } from "../session-ground.ts";
import { sealSession } from "./sealed-session.ts";

const KEY = randomBytes(32);
const SECOND = 1000;
const WORKERS = 2;
/** Requests of one session at once. */
const STORM = 1000;
const CONNECTIONS = 50;

/** What the provider does when it is asked for a refresh. */
type Answer = (response: ServerResponse, refreshToken: string) => void;

const seen: string[] = [];
let answer: Answer = good;
const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const jwk = { ...publicKey.export({ format: "jwk" }), alg: "ES256", kid: "one", use: "sig" };

const provider = createServer((incoming, response) => {
  const at = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  if (incoming.url === "/.well-known/openid-configuration") {
    return send(response, 200, {
      issuer: at,
      authorization_endpoint: `${at}/authorize`,
      token_endpoint: `${at}/token`,
      jwks_uri: `${at}/jwks`,
      response_types_supported: ["code"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["ES256"],
      code_challenge_methods_supported: ["S256"],
    });
  }
  if (incoming.url === "/jwks") return send(response, 200, { keys: [jwk] });
  let body = "";
  incoming.on("data", (chunk: Buffer) => (body += chunk.toString()));
  incoming.on("end", () => {
    const token = new URLSearchParams(body).get("refresh_token") ?? "";
    seen.push(token);
    answer(response, token);
  });
});

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(body));
}

function good(response: ServerResponse, refreshToken: string): void {
  send(response, 200, {
    access_token: "access",
    token_type: "Bearer",
    expires_in: 3600,
    refresh_token: `${refreshToken}+`,
  });
}

let stage: Stage;
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });

before(async () => {
  await new Promise<void>((resolve) => {
    provider.listen(0, "127.0.0.1", resolve);
  });
  const { port } = provider.address() as AddressInfo;
  const people = (name: string, session: string): string => `  ${name}:
    type: oidc
    issuer: http://127.0.0.1:${port}
    client: { id: console, secret: client-secret }
    timeout: 2s
    principal: { kind: user }
    session: { keys: [{ file: session.key }], ${session} }`;
  stage = await startStage({
    config: `workers: ${WORKERS}`,
    listener: "    serve: [login]",
    secrets: { "session.key": KEY.toString("base64url") },
    authenticators: [people("people", "outage: 1h"), people("strict", "outage: 0s")].join("\n"),
    routes: `  - { name: app, path: "/app/*", service: recorder, authenticate: [people] }
  - { name: strict, path: "/strict/*", service: recorder, authenticate: [strict] }`,
    policies: '@id("people") permit (principal is Sallyport::User, action, resource);',
  });
});

after(async () => {
  agent.destroy();
  await stage.close();
  provider.close();
  provider.closeAllConnections();
});

/** A session whose access token expires then. */
function login(
  subject: string,
  { expiresInMs, name = "people" }: { readonly expiresInMs: number; readonly name?: string },
): Promise<Jar> {
  const expiresAt = (Date.now() + expiresInMs) / 1000;
  const tokens = { refreshToken: `refresh of ${subject}`, expiresAt };
  const issuer = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  return sealSession({ key: KEY, subject, name, issuer, agoMs: 10 * SECOND, tokens });
}

interface Got {
  readonly status: number;
  readonly reason: string | undefined;
  readonly setCookies: readonly string[];
}

async function get(jar: Jar, path: string): Promise<Got> {
  const [host, port] = stage.proxy.split(":");
  const headers = { host: "api.example", cookie: jar.header() ?? "" };
  return await new Promise((resolve, reject) => {
    const call = request({ host, port, path, agent, headers }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => {
        const { reason } = JSON.parse(body) as { reason?: string };
        const setCookies = response.headers["set-cookie"] ?? [];
        resolve({ status: response.statusCode ?? 0, reason, setCookies });
      });
    });
    call.on("error", reject);
    call.end();
  });
}

async function storm(jar: Jar, path: string): Promise<readonly Got[]> {
  const sent = jar.copy();
  return await Promise.all(Array.from({ length: STORM }, () => get(sent, path)));
}

function statuses(all: readonly Got[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, reason } of all) {
    const key = reason === undefined ? `${status}` : `${status} ${reason}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

for (const [when, expiresInMs] of [
  ["is about to expire", 2 * SECOND],
  ["has expired", -SECOND],
] as const) {
  test(`a storm on a session whose access token ${when} makes one refresh, and every request goes on`, async () => {
    answer = (response, token) => setTimeout(() => good(response, token), 200);
    seen.length = 0;
    const subject = `storm ${when}`;
    const jar = await login(subject, { expiresInMs });
    assert.deepEqual(statuses(await storm(jar, "/app/x")), { "200": STORM });
    await until(() => seen.length > 0);
    // Whoever asks once it is done gets the new cookie, in either worker.
    await until(() => seen.length === 1);
    let renewed: Got | undefined;
    for (let tries = 0; tries < 200 && renewed === undefined; tries++) {
      const got = await get(jar, "/app/x");
      assert.equal(got.status, 200);
      if (got.setCookies.length > 0) renewed = got;
    }
    assert.ok(renewed !== undefined);
    const next = jar.copy();
    next.take(renewed.setCookies);
    const mixed = await Promise.all(
      Array.from({ length: 200 }, (_, index) => get(index % 2 === 0 ? jar : next, "/app/x")),
    );
    assert.deepEqual(statuses(mixed), { "200": 200 });
    assert.deepEqual(seen, [`refresh of ${subject}`]);
  });
}

const DOWN: readonly [name: string, answer: Answer][] = [
  ["resets connections", (response) => response.destroy()],
  ["answers 503", (response) => send(response, 503, { error: "temporarily_unavailable" })],
  ["never answers", () => undefined],
];
for (const [name, how] of DOWN) {
  test(`while the provider ${name} sessions go on within their outage, and are refused beyond it`, async () => {
    answer = how;
    seen.length = 0;
    const jar = await login(`down ${name}`, { expiresInMs: -SECOND });
    assert.deepEqual(statuses(await storm(jar, "/app/x")), { "200": STORM });
    const strict = await login(`strict ${name}`, { expiresInMs: -SECOND, name: "strict" });
    const refused = await storm(strict, "/strict/x");
    assert.deepEqual(statuses(refused), { "503 identity-unavailable": STORM });
    // It is asked by one process at a time, and left alone for a while after a failure.
    assert.ok(seen.length <= 2 * WORKERS * 2, `${seen.length} refreshes`);
    // The provider is back before the session is over: the cookie was not taken away.
    assert.ok(refused.every(({ setCookies }) => setCookies.length === 0));
    answer = good;
    let back: Got = { status: 0, reason: undefined, setCookies: [] };
    const deadline = Date.now() + 20 * SECOND;
    while (back.status !== 200 && Date.now() < deadline) back = await get(strict, "/strict/x");
    assert.equal(back.status, 200);
  });
}

test("invalid_grant under load ends the session for every request in every worker", async () => {
  answer = (response) => setTimeout(() => send(response, 400, { error: "invalid_grant" }), 100);
  seen.length = 0;
  const jar = await login("ended", { expiresInMs: -SECOND });
  assert.deepEqual(statuses(await storm(jar, "/app/x")), { "401 session-expired": STORM });
  assert.equal(seen.length, 1);
  assert.deepEqual(statuses(await storm(jar, "/app/x")), { "401 session-expired": STORM });
  assert.equal(seen.length, 1);
});
