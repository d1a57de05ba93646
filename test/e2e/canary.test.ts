/**
 * Secrets stay secret however a request ends. Every reason that a caller, a service or a provider
 * can bring about is brought about by a request full of secrets: as bearer token, as a claim of it,
 * as cookie, as API key, in the query and in a password; and services get secrets of the proxy's own. Afterwards the log, the answers, the
 * metrics and the audit log hold none of them, in no encoding.
 */
import test, { after } from "node:test";
import { strict as assert } from "node:assert";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { REASONS, type Reason } from "../../src/model/reason.ts";
import { openCaller, PROTOCOLS } from "./protocols.ts";
import { RawConnection } from "./raw-connection.ts";
import { ordinaryAnswer } from "./recording-service.ts";
import { startOtlpReceiver } from "../telemetry/otlp-receiver.ts";
import { startStage, until } from "./stage.ts";
import { readResponses } from "./strict-http1.ts";
import { encode } from "./test-issuer.ts";
import { dpopClient } from "../identity/dpop-client.ts";

const CANARY = "canary-7f3a9c51d2e84b06";
const NOWHERE = "http://127.0.0.1:1";

/** Not for a caller of this stage to bring about; their own tests say what they give away. */
const ELSEWHERE: ReadonlySet<Reason> = new Set<Reason>([
  "unknown-operation", // these two need a description: test/e2e/openapi.test.ts
  "invalid-parameter",
  "audit-unavailable", // needs a disk that fails
  "certificate-expired", // these five need a listener that asks for certificates
  "certificate-revoked",
  "missing-certificate",
  "revocation-unknown",
  "untrusted-certificate",
  "client-answered", // these four need an authority: test/authority/token.test.ts
  "invalid-client",
  "invalid-token-request",
  "replayed-assertion",
  "credential-revoked", // these three need an authority: test/e2e/revocation.test.ts
  "feed-stale",
  "service-blocked",
  "outside-key", // needs a key of an authority's: src/gate/narrowed.test.ts
  "internal-error", // needs a defect
  "no-endpoint", // needs endpoints that are not well
  "overloaded", // needs a crowd
  "shutting-down", // needs an end of the proxy in the midst of it
  "upstream-tls", // needs a service with a certificate
  "wrong-certificate", // needs a caller with one: test/identity/certificate-bound.test.ts
  "wrong-identity", // test/identity/mtls.test.ts
  "use-dpop-nonce", // needs nonces: test/identity/dpop.test.ts
  "memory-unavailable", // needs a memory that is away: test/identity/dpop-redis.test.ts, limits-redis.test.ts
  "assertion-unavailable", // needs an authority without a key: test/identity/assertions.test.ts
  "missing-egress-field", // these three need a sidecar: test/e2e/egress.test.ts
  "key-refused",
  "key-unavailable",
  "inactive-token", // needs a provider that is asked: test/identity/introspection.test.ts
  "unknown-credential", // needs an authority: test/identity/api-keys.test.ts
  // These need a provider that logs people in: test/identity/login.test.ts and sessions.test.ts.
  "session-expired",
  "session-too-large",
  "cross-site-request",
  "step-up-required",
  "logged-in",
  "logged-out",
  "login-begun",
  "login-refused",
  "login-loop",
  "insufficient-login",
  "wrong-issuer",
  "wrong-nonce",
  "wrong-token-hash",
  "wrong-authorized-party",
  "wrong-subject",
  "invalid-provider-answer",
  "invalid-logout-token",
  "replayed-logout-token",
]);

const collector = await startOtlpReceiver();
/** What came in where copies of the records go. */
const receivers = { webhook: "", otlp: "" };
const receiver = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks);
    if (request.url === "/v1/logs") receivers.otlp += gunzipSync(body).toString();
    else receivers.webhook += body.toString();
    response.writeHead(200).end("{}");
  });
});
receiver.listen(0, "127.0.0.1");
await once(receiver, "listening");
after(() => receiver.close());
const copies = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;

const stage = await startStage({
  config: `  sinks:
    - { name: out, type: stdout }
    - { name: hook, type: webhook, url: "${copies}/hook", headers: { authorization: "Bearer \${file:key}" } }
    - { name: otel, type: otlp, endpoint: "${copies}", headers: { x-key: "\${file:key}" } }
    - { name: away, type: webhook, url: "${NOWHERE}", headers: { x-key: "\${file:key}" } }
accessLog: { to: access.log, format: logfmt }
tracing:
  otlp: { endpoint: "${collector.url}", interval: 100ms, headers: { x-key: "\${file:key}" } }
  sample: 100%
  always: [denied, errors]
  principal: true
usage:
  plans: { tiny: { quota: { cost: 999999, per: month } } }
  plan: { default: tiny, anonymous: tiny }`,
  // Every request is recorded, with all that spans can say.
  listener:
    "    serve: [login]\n    trustedProxies: [127.0.0.0/8]\n    limits: { bodyBytes: 1KiB, headTimeout: 300ms, headBytes: 8KiB, targetBytes: 2KiB }",
  authenticators: `  people:
    type: oidc
    issuer: "${NOWHERE}"
    client: { id: gate, secret: "\${file:password}" }
    principal: { kind: user }
    session: { cookie: { insecurePlaintext: true } }
  silent:
    { type: jwt, issuer: "${NOWHERE}", audience: [a], algorithms: [ES256], principal: { kind: user } }
  strict:
    type: jwt
    issuer: https://strict.example
    jwks: file:jwks.json
    audience: [https://api.example]
    algorithms: [ES256]
    principal:
      kind: user
      attributes: { level: { claim: level, type: long } }`,
  services: `  nowhere: { endpoints: ["${NOWHERE}"] }`,
  routes: `  - { name: people, path: "/people/*", service: recorder, authenticate: [people] }
  - { name: bound, path: "/bound/*", service: recorder, authenticate: [test], confirmation: required }
  - { name: silent, path: "/silent/*", service: recorder, authenticate: [silent] }
  - { name: strict, path: "/strict/*", service: recorder, authenticate: [strict] }
  - { name: nowhere, path: /nowhere, service: nowhere, authenticate: [anonymous] }
  - { name: slow, path: /slow, service: recorder, authenticate: [anonymous], responseTimeout: 100ms }
  - { name: listed, path: /listed, methods: [GET], service: recorder, authenticate: [anonymous] }
  - name: basic
    path: /basic
    service: recorder
    authenticate: [anonymous]
    credentials: { basic: { username: gate, passwordFile: password } }
  - name: key
    path: /key
    service: nowhere
    authenticate: [anonymous]
    credentials: { header: { name: x-key, valueFile: key, prefix: "Key " } }
  - name: bodies
    path: "/bodies/*"
    service: recorder
    authenticate: [anonymous]
    request: { body: { set: { /a: 1 } } }
    response: { body: { remove: [/a] } }
  - name: unfit
    path: /unfit
    service: recorder
    authenticate: [anonymous]
    request: { headers: { set: { x-a: "\${request.query.password}" } } }
  - name: dear
    path: /dear
    service: recorder
    authenticate: [anonymous]
    cost: 1000000
  - name: limited
    path: /limited
    service: recorder
    authenticate: [anonymous]
    limit: { requests: 1, per: 1h, by: route }
  - name: single
    path: /free/hold/one
    service: recorder
    authenticate: [anonymous]
    concurrency: { requests: 1, by: route }
  - name: endless
    path: /endless
    service: recorder
    authenticate: [anonymous]
    lifetime: 1s
  - name: socket
    path: /socket
    service: recorder
    authenticate: [anonymous]
    upgrades: [websocket]
    idleTimeout: 300ms
  - { name: free, path: "/free/*", service: recorder, authenticate: [anonymous] }`,
  catchAll: false,
  secrets: { password: `${CANARY}\n`, key: CANARY },
  policies: `
@id("never")
forbid (principal, action, resource) when { context.path == "/free/never" };
@id("erring")
forbid (principal, action, resource)
when { context.path == "/free/erring" && 9223372036854775807 + 1 > 0 };`,
});
after(async () => {
  await stage.close();
  await collector.close();
});

const now = Math.floor(Date.now() / 1000);
const claims = { roles: ["Admin"], password: CANARY };
const good = stage.issuer.token(claims);
const [head = "", payload = "", signature = ""] = good.split(".");
const token = (claimed: object, header?: object): string => stage.issuer.token(claimed, header);
const tokens: string[] = [];

const client = dpopClient();
const bound = token({ ...claims, cnf: { jkt: client.thumbprint } });
const asked = { method: "GET", url: "https://api.example/guarded/x", token: bound };

function proof(changes: Partial<Parameters<typeof client.proof>[0]> = {}): string {
  return client.proof({ ...asked, ...changes });
}

/** A request with a token in the scheme DPoP and its proof, which is a secret too. */
function proven(bearer: string, dpop: string): string {
  tokens.push(dpop);
  const plain = secretive("GET /guarded/x", bearer, [`DPoP: ${dpop}`]);
  return plain.replace("Authorization: Bearer", "Authorization: DPoP");
}

function withCookie(line: string, cookie = ""): string {
  return secretive(line, "", cookie === "" ? [] : [`Cookie: ${cookie}`]);
}

/** A request that carries every kind of secret. */
function secretive(line: string, bearer: string = good, more: readonly string[] = []): string {
  tokens.push(bearer);
  return [
    `${line} HTTP/1.1`,
    "Host: api.example",
    ...(bearer === "" ? [] : [`Authorization: Bearer ${bearer}`]),
    `Cookie: session=${CANARY}`,
    `X-Api-Key: ${CANARY}`,
    `Proxy-Authorization: Basic ${Buffer.from(`user:${CANARY}`).toString("base64")}`,
    ...more,
    "",
    "",
  ].join("\r\n");
}

/** The pair of RFC 6455 section 1.3. */
const WEBSOCKET = { key: "dGhlIHNhbXBsZSBub25jZQ==", accept: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" };

function upgrade(key: string): string[] {
  const version = "Sec-WebSocket-Version: 13";
  return ["Connection: upgrade", "Upgrade: websocket", version, `Sec-WebSocket-Key: ${key}`];
}

/** It is good once, and that was now. */
const used = proof();
const spent = await fetch(`http://${stage.proxy}/guarded/x`, {
  headers: { authorization: `DPoP ${bound}`, dpop: used },
});
assert.equal(spent.status, 200);

const query = `?access_token=${CANARY}&password=${CANARY}`;
const CASES: readonly [reason: Reason, bytes: string][] = [
  ["permitted", secretive(`GET /guarded/x${query}`)],
  ["permitted", secretive(`GET /basic${query}`)],
  ["upstream-unreachable", secretive(`GET /key${query}`)],
  ["answered-by-proxy", secretive("OPTIONS *")],
  ["malformed-request", secretive(`GET /free/a${query}`, good, [`bad name: ${CANARY}`])],
  ["malformed-request", secretive(`GET /free/a${query}`, good, [`X-A: ${CANARY}\0`])],
  ["ambiguous-path", secretive(`GET /free/a%2f${query}`)],
  ["invalid-host", secretive(`GET http://other.example/free/a${query}`)],
  ["duplicate-authorization", secretive(`GET /free/a${query}`, good, [`Authorization: ${CANARY}`])],
  ["request-timeout", `GET /free/a${query} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${CANARY}`],
  ["body-too-large", secretive("POST /free/a", good, ["Content-Length: 5000"])],
  ["head-too-large", secretive("GET /free/a", good, [`X-Long: ${CANARY.repeat(500)}`])],
  ["uri-too-long", secretive(`GET /free/a?x=${CANARY.repeat(100)}`)],
  ["not-implemented", secretive(`TRACE /free/a${query}`)],
  ["version-not-supported", secretive("GET /free/a").replace("HTTP/1.1", "HTTP/3.1")],
  ["expectation-failed", secretive(`GET /free/a${query}`, good, [`Expect: ${CANARY}`])],
  ["no-route", secretive(`GET /none${query}`)],
  ["method-not-allowed", secretive(`DELETE /listed${query}`)],
  ["missing-credential", secretive(`GET /guarded/x${query}`, "")],
  ["malformed-credential", secretive(`GET /guarded/x${query}`, CANARY)],
  ["unknown-issuer", secretive("GET /guarded/x", token({ ...claims, iss: "https://x.example" }))],
  ["algorithm-not-allowed", secretive("GET /guarded/x", `${encode({ alg: "none" })}.${payload}.`)],
  ["unknown-key", secretive("GET /guarded/x", token(claims, { kid: CANARY }))],
  ["invalid-signature", secretive("GET /guarded/x", `${head}.${payload}.${"A".repeat(86)}`)],
  ["invalid-token-type", secretive("GET /guarded/x", token(claims, { typ: CANARY }))],
  ["wrong-audience", secretive("GET /guarded/x", token({ ...claims, aud: CANARY }))],
  ["token-expired", secretive("GET /guarded/x", token({ ...claims, exp: now - 3600 }))],
  ["token-not-yet-valid", secretive("GET /guarded/x", token({ ...claims, nbf: now + 3600 }))],
  [
    "missing-claim",
    secretive("GET /strict/x", token({ ...claims, iss: "https://strict.example" })),
  ],
  [
    "invalid-claim",
    secretive("GET /strict/x", token({ iss: "https://strict.example", level: CANARY })),
  ],
  ["missing-proof", secretive("GET /guarded/x", bound)],
  ["unbound-token", secretive("GET /bound/x", good)],
  ["invalid-proof", proven(bound, CANARY)],
  ["invalid-proof", proven(bound, proof({ claims: { htu: `https://${CANARY}.example/` } }))],
  ["stale-proof", proven(bound, proof({ claims: { iat: now - 3600, secret: CANARY } }))],
  ["wrong-proof-key", proven(bound, dpopClient("ES256", CANARY).proof(asked))],
  ["replayed-proof", proven(bound, used)],
  ["invalid-session", withCookie("GET /people/x", `sallyport-people=${CANARY}`)],
  ["unknown-login", withCookie(`GET /.sallyport/callback/people?code=${CANARY}&state=${CANARY}`)],
  ["invalid-return-address", withCookie(`GET /.sallyport/login?return=https://${CANARY}.example/`)],
  ["identity-unavailable", secretive("GET /silent/x", token({ ...claims, iss: NOWHERE }))],
  [
    "invalid-body",
    secretive(`POST /bodies/a${query}`, good, [
      "Content-Type: application/json",
      "Content-Length: 23",
    ]) + CANARY,
  ],
  [
    "unsupported-body",
    secretive(`POST /bodies/a${query}`, good, ["Content-Type: text/x", "Content-Length: 23"]) +
      CANARY,
  ],
  ["upstream-body", secretive(`GET /bodies/rogue${query}`)],
  ["unfit-value", secretive(`GET /unfit${query}%0d%0aa`)],
  [
    "invalid-forwarded",
    secretive(`GET /free/a${query}`, good, [`Forwarded: for=${CANARY} ${CANARY}`]),
  ],
  ["upgrade-not-allowed", secretive(`GET /free/a${query}`, good, upgrade(WEBSOCKET.key))],
  ["invalid-upgrade", secretive(`GET /socket${query}`, good, upgrade(CANARY))],
  ["permitted", secretive(`GET /limited${query}`)],
  ["rate-limited", secretive(`GET /limited${query}`)],
  ["quota-exceeded", secretive(`GET /dear${query}`)],
  ["no-permit", secretive(`GET /guarded/x${query}`, token({ password: CANARY }))],
  ["forbidden", secretive(`GET /free/never${query}`)],
  ["policy-error", secretive(`GET /free/erring${query}`)],
  ["upstream-unreachable", secretive(`GET /nowhere${query}`)],
  ["upstream-protocol", secretive(`GET /free/rogue${query}`)],
  ["upstream-timeout", secretive(`GET /slow${query}`)],
];

let answers = "";

stage.service.script((request) => {
  if (request.target.startsWith("/slow")) return undefined;
  if (request.target.startsWith("/free/hold")) return undefined;
  if (request.target.startsWith("/endless")) {
    return { bytes: `HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nmore` };
  }
  if (request.target.startsWith("/socket")) {
    const accept = `Sec-WebSocket-Accept: ${WEBSOCKET.accept}`;
    const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: upgrade"];
    return { bytes: [...lines, accept, "", ""].join("\r\n") };
  }
  if (request.target.startsWith("/bodies/rogue")) {
    const type = "Content-Type: application/json";
    return { bytes: `HTTP/1.1 200 OK\r\n${type}\r\nContent-Length: 23\r\n\r\n${CANARY}` };
  }
  if (!request.target.startsWith("/free/rogue")) return ordinaryAnswer(request);
  return { bytes: `HTTP/1.1 200 OK\r\nX-A : ${CANARY}\r\n\r\n${CANARY}`, close: true };
});

/** What only HTTP/1.1 can be wrong in, or what is spent by then. */
const HTTP1_ONLY: ReadonlySet<string> = new Set([
  "GET http://other.example/", // no form of an HTTP/2 request
  "GET /free/a HTTP/3.1", // it has no version
  `GET /free/a${query} HTTP/1.1\r\nHost: a`, // a head that does not end is no stream
  "GET /socket", // a handshake of its own (RFC 8441)
  "GET /limited", // its one request is spent
]);

const ALL = PROTOCOLS.flatMap((over) =>
  CASES.filter(
    ([, bytes]) =>
      over === "http/1.1" || ![...HTTP1_ONLY].some((beginning) => bytes.startsWith(beginning)),
  ).map(([reason, bytes]) => ({ over, reason, bytes })),
);

for (const { over, reason, bytes } of ALL) {
  test(`${over}: a request that ends with ${reason} gives no secret away`, async () => {
    const connection = await openCaller(stage.proxy, { over });
    connection.write(bytes);
    const whole = (): boolean =>
      readResponses(connection.text, ["GET"], connection.closed).messages.length > 0;
    assert.ok(await connection.until(() => connection.closed || whole()));
    connection.destroy();
    answers += connection.text;
    const [answer] = readResponses(connection.text, ["GET"], true).messages;
    assert.equal(answer?.status, REASONS[reason].status);
    // Our own pages, for people who log in, are read by nobody else; the records have their reasons.
    if (answer.status >= 400 && !answer.body.startsWith("<!doctype html>")) {
      assert.equal((JSON.parse(answer.body) as { reason: string }).reason, reason);
    }
  });
}

test("a caller that goes away gives no secret away", async () => {
  const connection = await RawConnection.open(stage.proxy);
  connection.write(secretive(`GET /free/hold${query}`));
  const arrived = (): boolean =>
    stage.service.connections.some(({ text }) => text.includes("/free/hold"));
  while (!arrived()) await new Promise(setImmediate);
  connection.destroy();
  while (!stage.records().some(({ end }) => end === "caller-gone")) {
    await new Promise(setImmediate);
  }
});

test("a caller that asks for too much at once gives no secret away", async () => {
  const first = await RawConnection.open(stage.proxy);
  first.write(secretive(`GET /free/hold/one${query}`));
  const arrived = (): boolean =>
    stage.service.connections.some(({ text }) => text.includes("/free/hold/one"));
  while (!arrived()) await new Promise(setImmediate);
  const second = await RawConnection.open(stage.proxy);
  second.write(secretive(`GET /free/hold/one${query}`));
  assert.ok(await second.until(() => second.text.includes("too-many-concurrent")));
  answers += second.text;
  first.destroy();
  second.destroy();
});

test("streams that come to their end give no secret away", async () => {
  for (const bytes of [
    secretive(`GET /endless${query}`),
    secretive(`GET /socket${query}`, good, upgrade(WEBSOCKET.key)),
  ]) {
    const connection = await RawConnection.open(stage.proxy);
    connection.write(bytes);
    assert.ok(await connection.until(() => connection.closed));
    answers += connection.text;
  }
  const ended = (reason: string): boolean => stage.records().some(({ end }) => end === reason);
  while (!ended("stream-lifetime") || !ended("stream-idle")) await new Promise(setImmediate);
});

test("a caller that is out of budget gives no secret away", async () => {
  const connection = await RawConnection.open(stage.proxy);
  // More than any burst of failures that is granted; what comes then is refused unread.
  const attempts = 300;
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    connection.write(secretive("GET /guarded/x", `${head}.${payload}.${"A".repeat(86)}`));
  }
  const methods = Array<string>(attempts).fill("GET");
  const count = (): number => readResponses(connection.text, methods, false).messages.length;
  assert.ok(await connection.until(() => count() === attempts || connection.closed));
  connection.destroy();
  answers += connection.text;
  assert.match(connection.text, /too-many-failures/);
  while (!stage.records().some(({ reason }) => reason === "too-many-failures")) {
    await new Promise(setImmediate);
  }
});

const GRPC: readonly [reason: Reason, target: string, timeout: string][] = [
  ["invalid-deadline", "/free/a", CANARY],
  ["deadline-exceeded", "/free/hold", "50m"],
];
for (const [reason, target, timeout] of GRPC) {
  test(`a gRPC call that ends with ${reason} gives no secret away`, async () => {
    const connection = await openCaller(stage.proxy, { over: "h2" });
    const fields = ["Content-Type: application/grpc", "TE: trailers", `Grpc-Timeout: ${timeout}`];
    connection.write(secretive(`POST ${target}${query}`, good, fields));
    assert.ok(await connection.until(() => connection.text.includes("grpc-status")));
    connection.destroy();
    answers += connection.text;
    assert.match(connection.text, new RegExp(`grpc-message: .*${reason}`));
    while (!stage.records().some(({ end }) => end === reason)) await new Promise(setImmediate);
  });
}

test("every reason was brought about", () => {
  const seen = new Set<unknown>();
  for (const record of stage.records()) {
    seen.add(record["reason"]);
    seen.add(record["end"]);
  }
  const missing = Object.keys(REASONS).filter(
    (reason) => !seen.has(reason) && !ELSEWHERE.has(reason as Reason),
  );
  assert.deepEqual(missing, []);
});

/** Of the last request, which has come to everybody who gets a copy. */
async function lastCopied(): Promise<void> {
  const { headers } = await fetch(`http://${stage.proxy}/free/last`);
  const id = headers.get("sallyport-decision") ?? "none";
  const access = join(stage.folder, "access.log");
  await until(
    () =>
      receivers.webhook.includes(id) &&
      receivers.otlp.includes(id) &&
      stage.log().includes(id) &&
      existsSync(access) &&
      readFileSync(access, "utf8").includes(id) &&
      stage.log().includes("records cannot be delivered"),
  );
}

test("log, answers, metrics, audit, its copies and spans hold no secret in any encoding", async () => {
  await lastCopied();
  const metrics = await fetch(`http://${stage.admin}/metrics`);
  assert.equal(metrics.status, 200);
  const denied = stage.records().findLast(({ decision }) => decision === "deny")?.["decisionId"];
  await until(() =>
    collector.spans.some(({ attributes }) => attributes["sallyport.decision_id"] === denied),
  );
  assert.deepEqual(collector.faults, []);
  const places = {
    log: stage.log(),
    answers: withoutEcho(answers),
    metrics: await metrics.text(),
    audit: stage.auditText(),
    spans: collector.texts.join("\n"),
    ...receivers,
    accessLog: readFileSync(join(stage.folder, "access.log"), "utf8"),
  };
  for (const [place, text] of Object.entries(places)) {
    assert.ok(text.length > 0, `${place} is empty`);
    for (const needle of needles()) {
      assert.equal(text.includes(needle), false, `${place} holds ${needle.slice(0, 60)}`);
    }
  }
});

/** The recording service repeats the target that it was asked for; that is its answer, not ours. */
function withoutEcho(text: string): string {
  return text.replaceAll(/"target":"[^"]*"/g, "");
}

/** The secrets as they were sent, and as base64, hex and escapes would show them. */
function needles(): string[] {
  const parts = tokens.flatMap((one) => one.split(".").slice(1)).filter((part) => part.length > 20);
  const secrets = [CANARY, signature, ...new Set(parts), ...new Set(tokens)].filter(
    (secret) => secret.length > 20,
  );
  const canary = Buffer.from(CANARY);
  // Base64 of the canary at each of the three alignments, without what its neighbours change.
  const aligned = [0, 1, 2].map((offset) =>
    Buffer.concat([Buffer.alloc(offset), canary])
      .toString("base64")
      .slice(4, -4),
  );
  const basic = Buffer.from(`gate:${CANARY}`).toString("base64");
  return [...secrets, canary.toString("hex"), basic, ...aligned];
}
