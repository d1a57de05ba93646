/** The sidecar as a caller sees it: a key on each request, and what is said where there is none. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { readJws } from "../../src/crypto/jws.ts";
import { shared } from "../shared.ts";
import { openCaller } from "./protocols.ts";
import {
  ask,
  closeServer,
  json,
  numberedKeys,
  type Received,
  startServer,
  startSidecar,
} from "./sidecar.ts";

const PLAIN = (origin: string): string =>
  `    billing: { host: billing.internal, endpoints: ["${origin}"], scopes: [read, write], bind: none }`;

function formOf({ body }: Received): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(body));
}

function reasonOf({ body }: { readonly body: string }): unknown {
  return (JSON.parse(body) as { readonly reason: unknown }).reason;
}

function invalidToken(scheme = "Bearer"): Record<string, string> {
  return { "www-authenticate": `${scheme} realm="billing", error="invalid_token"` };
}

/** A sidecar of two services, which are one server; for tests that ask for nothing else. */
const usual = shared(async (scope) => {
  const tokens = await startServer(scope, numberedKeys("Bearer"));
  const service = await startServer(scope, (response) => json(response, 200, {}));
  const sidecar = await startSidecar(scope, {
    tokenEndpoint: `${tokens.origin}/token`,
    allow: `${PLAIN(service.origin)}\n    ledger: { host: ledger.internal, endpoints: ["${service.origin}"], bind: none }`,
    listeners: `    - { name: only, address: "127.0.0.1:0", service: billing }
    - { name: door, socket: run/out.sock }
    - { name: ledger-door, socket: run/ledger.sock, service: ledger }`,
  });
  return { tokens, service, sidecar };
});

/** The same, with nothing received that the test has not caused. */
async function usualAnew(): Promise<Awaited<ReturnType<typeof usual>>> {
  const ground = await usual();
  ground.service.received.length = 0;
  return ground;
}

function keysAskedFor({ received }: { readonly received: readonly Received[] }): number {
  return received.filter((one) => formOf(one)["audience"] === "billing").length;
}

test("a caller without any security code reaches its service with a key, and everything is on record", async (t) => {
  const tokens = await startServer(t, numberedKeys("Bearer"));
  const service = await startServer(t, (response) => json(response, 200, { fine: true }));
  const { out, found, records } = await startSidecar(t, {
    tokenEndpoint: `${tokens.origin}/token`,
    allow: PLAIN(service.origin),
  });
  const headers = {
    authorization: "Bearer the-callers-own",
    dpop: "a-proof",
    "proxy-authorization": "Basic eA==",
    "x-sallyport-assertion": "forged",
    "x-forwarded-for": "8.8.8.8",
    "x-mine": "kept",
  };
  const answer = await ask(out, {
    path: "/invoices;v=1?of=me",
    method: "POST",
    body: "hello",
    headers,
  });
  assert.deepEqual([answer.status, answer.body], [200, '{"fine":true}']);
  const [got] = service.received;
  assert.ok(got !== undefined);
  assert.deepEqual([got.method, got.url, got.body], ["POST", "/invoices;v=1?of=me", "hello"]);
  const { host, authorization, dpop } = got.headers;
  assert.deepEqual([host, authorization, dpop], ["billing.internal", "Bearer key-1", undefined]);
  assert.equal(got.headers["x-mine"], "kept");
  for (const name of [
    "sallyport-egress",
    "proxy-authorization",
    "x-sallyport-assertion",
    "x-forwarded-for",
  ]) {
    assert.equal(got.headers[name], undefined, name);
  }
  assert.match(got.headers["traceparent"]?.toString() ?? "", /^00-[0-9a-f]{32}-/);

  const [asked] = tokens.received;
  assert.ok(asked !== undefined);
  const { client_assertion: assertion = "", ...form } = formOf(asked);
  assert.deepEqual(form, {
    grant_type: "client_credentials",
    audience: "billing",
    scope: "read write",
    client_id: "orders",
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
  });
  const jws = readJws(assertion);
  assert.ok(!("fault" in jws));
  assert.equal(jws.claims["aud"], `${tokens.origin}/token`);

  const decision = answer.headers["sallyport-decision"];
  const permit = await found(
    ({ type, decisionId }) => type === "decision" && decisionId === decision,
  );
  assert.equal(permit["decision"], "permit");
  assert.deepEqual(permit["principal"], {
    authenticator: "local",
    kind: "workload",
    subject: "out",
  });
  assert.deepEqual(
    [permit["route"], permit["service"], permit["determining"]],
    ["egress:billing", "billing", ["sallyport:egress-allow"]],
  );
  const end = await found(
    ({ type, decisionId }) => type === "completion" && decisionId === decision,
  );
  assert.deepEqual([end["status"], end["end"], end["requestBytes"]], [200, "complete", 5]);
  assert.doesNotMatch(JSON.stringify(records()), /key-1|the-callers-own|forged/);
});

test("one key serves many requests, however many ask at once for the first", async () => {
  const { tokens, sidecar } = await usualAnew();
  await Promise.all(Array.from({ length: 20 }, () => ask(sidecar.out)));
  assert.equal(keysAskedFor(tokens), 1);
  assert.equal(
    await sidecar.metric('sallyport_egress_keys_total{service="billing",outcome="obtained"}'),
    1,
  );
  assert.ok((await sidecar.metric('sallyport_egress_key_seconds{service="billing"}')) > 200);
});

test("a page in a browser reaches no service: over TCP a field is asked for, and a Host that is known", async () => {
  const { service, sidecar } = await usualAnew();
  const { out, found } = sidecar;
  const unmarked = await ask(out, { marked: false });
  assert.deepEqual([unmarked.status, reasonOf(unmarked)], [403, "missing-egress-field"]);
  const wrong = await ask(out, { marked: false, headers: { "sallyport-egress": "yes" } });
  assert.equal(reasonOf(wrong), "missing-egress-field");
  const preflight = await ask(out, {
    method: "OPTIONS",
    marked: false,
    headers: {
      origin: "https://evil.example",
      "access-control-request-method": "GET",
      "access-control-request-headers": "sallyport-egress",
    },
  });
  assert.deepEqual(
    [preflight.status, preflight.headers["access-control-allow-origin"]],
    [403, undefined],
  );
  for (const host of ["evil.example", "localhost", "127.0.0.1"]) {
    const answer = await ask(out, { host });
    assert.deepEqual([answer.status, reasonOf(answer)], [404, "no-route"], host);
  }
  assert.equal(service.received.length, 0);
  const record = await found(({ reason }) => reason === "missing-egress-field");
  assert.deepEqual([record["decision"], record["listener"]], ["deny", "out"]);
});

test("a listener of one service answers for its own place; a socket needs no field", async () => {
  const { service, sidecar } = await usualAnew();
  const { folder, log } = sidecar;
  const only = /only {2}http:\/\/(\S+)/.exec(log())?.[1] ?? "";
  const socket = join(folder, "run", "out.sock");
  const ledger = join(folder, "run", "ledger.sock");
  assert.equal((await ask(only, { host: only })).status, 200);
  assert.equal((await ask(only, { host: "localhost" })).status, 200);
  assert.equal((await ask(only, { host: "ledger.internal" })).status, 404);
  assert.equal((await ask(only, { host: "evil.example" })).status, 404);
  assert.equal((await ask("", { socketPath: socket, marked: false })).status, 200);
  assert.equal(
    (await ask("", { socketPath: socket, host: "ledger.internal", marked: false })).status,
    200,
  );
  assert.equal(
    (await ask("", { socketPath: socket, host: "localhost", marked: false })).status,
    404,
  );
  assert.equal(
    (await ask("", { socketPath: ledger, host: "localhost", marked: false })).status,
    200,
  );
  assert.equal((await ask("", { socketPath: ledger, marked: false })).status, 404);
  const hosts = service.received.map(({ headers }) => headers.host);
  const billing = "billing.internal";
  assert.deepEqual(hosts, [billing, billing, billing, "ledger.internal", "ledger.internal"]);
});

test("callers may take it for their proxy, and for HTTP/2; what is tunnelled is refused with the remedy", async () => {
  const { service, sidecar } = await usualAnew();
  const { out } = sidecar;
  const answer = await ask(out, { path: "http://billing.internal/by-proxy?a=1" });
  assert.deepEqual([answer.status, service.received[0]?.url], [200, "/by-proxy?a=1"]);
  const elsewhere = await ask(out, { path: "http://other.internal/", host: "other.internal" });
  assert.equal(reasonOf(elsewhere), "no-route");

  const tunnel = connect(Number(out.split(":")[1]), "127.0.0.1");
  tunnel.write("CONNECT billing.internal:443 HTTP/1.1\r\nHost: billing.internal:443\r\n\r\n");
  let text = "";
  for await (const chunk of tunnel) text += String(chunk);
  assert.match(text, /^HTTP\/1.1 501 /);
  assert.match(text, /"reason":"not-implemented".*"detail":"No CONNECT.*http: URL/);

  const caller = await openCaller(out, { over: "h2", tls: false });
  caller.write(
    "GET /h2 HTTP/1.1\r\nHost: billing.internal\r\nsallyport-egress: 1\r\nConnection: close\r\n\r\n",
  );
  await caller.until(() => caller.text.includes("{}"));
  caller.destroy();
  assert.match(caller.text, /^HTTP\/1.1 200 /);
  assert.equal(service.received.at(-1)?.url, "/h2");
});

test("a key that the service's ingress does not take is replaced once; the second refusal is the answer", async (t) => {
  const tokens = await startServer(t, numberedKeys("Bearer"));
  const taken = new Set(["Bearer key-2"]);
  const service = await startServer(t, (response, { headers }) => {
    if (taken.has(headers.authorization ?? "")) json(response, 200, { fine: true });
    else json(response, 401, { no: true }, invalidToken());
  });
  const { out, found } = await startSidecar(t, {
    tokenEndpoint: `${tokens.origin}/token`,
    allow: PLAIN(service.origin),
  });
  const answer = await ask(out, { method: "POST", body: "once" });
  assert.deepEqual([answer.status, answer.body], [200, '{"fine":true}']);
  const sent = service.received.map(({ headers, body }) => [headers.authorization, body]);
  assert.deepEqual(sent, [
    ["Bearer key-1", "once"],
    ["Bearer key-2", "once"],
  ]);
  // One request is one decision, and one end.
  const decision = answer.headers["sallyport-decision"];
  const end = await found(
    ({ type, decisionId }) => type === "completion" && decisionId === decision,
  );
  assert.equal(end["status"], 200);

  taken.clear();
  const refused = await ask(out);
  assert.deepEqual([refused.status, refused.body], [401, '{"no":true}']);
  // Another key was asked for a moment ago, so none is asked for now.
  assert.deepEqual([tokens.received.length, service.received.length], [2, 3]);
});

test("401 for another reason, and 403, are answers like any other", async (t) => {
  const tokens = await startServer(t, numberedKeys("Bearer"));
  const service = await startServer(t, (response, { url }) => {
    if (url === "/403")
      return json(response, 403, {}, { "www-authenticate": 'Bearer error="insufficient_scope"' });
    json(response, 401, {}, { "www-authenticate": 'Basic realm="its own"' });
  });
  const { out } = await startSidecar(t, {
    tokenEndpoint: `${tokens.origin}/token`,
    allow: PLAIN(service.origin),
  });
  assert.equal((await ask(out)).status, 401);
  assert.equal((await ask(out, { path: "/403" })).status, 403);
  assert.deepEqual([tokens.received.length, service.received.length], [1, 2]);
});

test("keys are bound to the sidecar: each request has a proof of its own, with the nonce that was asked for", async (t) => {
  const nonces = ["at-the-authority", "at-the-service"];
  const grant = numberedKeys("DPoP");
  const tokens = await startServer(t, (response, received) => {
    const [proof] = proofs([received]);
    if (proof?.["nonce"] === nonces[0]) return grant(response, received);
    json(response, 400, { error: "use_dpop_nonce" }, { "dpop-nonce": nonces[0] });
  });
  const service = await startServer(t, (response, received) => {
    const [proof] = proofs([received]);
    if (proof?.["nonce"] === nonces[1]) return json(response, 200, {}, { "dpop-nonce": nonces[1] });
    const fields = { "www-authenticate": 'DPoP error="use_dpop_nonce"', "dpop-nonce": nonces[1] };
    json(response, 401, {}, fields);
  });
  const { out } = await startSidecar(t, {
    tokenEndpoint: `${tokens.origin}/token`,
    allow: `    billing: { host: billing.internal, endpoints: ["${service.origin}"], origin: "https://billing.example" }`,
  });
  const answer = await ask(out, { path: "/a?b=c" });
  assert.deepEqual([answer.status, answer.headers["dpop-nonce"]], [200, undefined]);
  assert.equal((await ask(out, { path: "/d", method: "PUT", body: "x" })).status, 200);
  assert.deepEqual(
    service.received.map(({ headers }) => [headers.host, headers.authorization]),
    Array.from({ length: 3 }, () => ["billing.example", "DPoP key-1"]),
  );
  const said = proofs(service.received);
  const ath = createHash("sha256").update("key-1").digest("base64url");
  assert.deepEqual(
    said.map(({ htm, htu, nonce, ath: of }) => [htm, htu, nonce, of]),
    [
      ["GET", "https://billing.example/a", undefined, ath],
      ["GET", "https://billing.example/a", nonces[1], ath],
      ["PUT", "https://billing.example/d", nonces[1], ath],
    ],
  );
  assert.equal(new Set([...said, ...proofs(tokens.received)].map(({ jti }) => jti)).size, 5);
});

test("a nonce that no proof could hold breaks nothing, and one that gets requests refused is forgotten", async (t) => {
  const tokens = await startServer(t, numberedKeys("DPoP"));
  const said: Readonly<Record<string, readonly [status: number, nonce?: string]>> = {
    "/good": [200, "good"],
    "/long": [200, "x".repeat(12_000)],
    "/refused": [431],
  };
  const service = await startServer(t, (response, { url }) => {
    const [status, nonce] = said[url] ?? [200];
    json(response, status, {}, nonce === undefined ? {} : { "dpop-nonce": nonce });
  });
  const { out } = await startSidecar(t, {
    tokenEndpoint: `${tokens.origin}/token`,
    allow: `    billing: { host: billing.internal, endpoints: ["${service.origin}"], origin: "https://billing.example" }`,
  });
  assert.equal((await ask(out, { path: "/good" })).status, 200);
  assert.equal((await ask(out, { path: "/long" })).status, 200);
  assert.equal((await ask(out, { path: "/refused" })).status, 431);
  assert.equal((await ask(out, { path: "/after" })).status, 200);
  assert.deepEqual(
    proofs(service.received).map(({ nonce }) => nonce),
    [undefined, "good", "good", undefined],
  );
});

test("a WebSocket is opened with a key, where the service may have one", async (t) => {
  const tokens = await startServer(t, numberedKeys("Bearer"));
  const service = await startServer(t, (response) => json(response, 200, {}));
  const opened: unknown[] = [];
  service.server.on("upgrade", (request, socket) => {
    opened.push(request.headers.authorization);
    const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.once("data", () => socket.end(Buffer.from([0x81, 0x02, 0x68, 0x69])));
  });
  const plain = PLAIN(service.origin).replace("bind: none", "bind: none, upgrades: [websocket]");
  const { out } = await startSidecar(t, {
    tokenEndpoint: `${tokens.origin}/token`,
    allow: `${plain}\n${PLAIN(service.origin).replaceAll("billing", "ledger")}`,
  });
  const shake = (host: string): string =>
    `GET /socket HTTP/1.1\r\nHost: ${host}\r\nsallyport-egress: 1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`;
  const caller = await openCaller(out, { over: "http/1.1", tls: false });
  caller.write(shake("billing.internal"));
  await caller.until(() => caller.text.includes("\r\n\r\n"));
  assert.match(caller.text, /^HTTP\/1.1 101 /);
  caller.write("\u0081\u0080\0\0\0\0");
  await caller.until(() => caller.text.includes("hi"));
  caller.destroy();
  assert.deepEqual(opened, ["Bearer key-1"]);

  const other = await openCaller(out, { over: "http/1.1", tls: false });
  other.write(shake("ledger.internal"));
  await other.until(() => other.text.includes("upgrade-not-allowed"));
  other.destroy();
  assert.equal(opened.length, 1);
});

test("a key that is not bound as it was asked for is not used", async (t) => {
  const tokens = await startServer(t, numberedKeys("Bearer"));
  const service = await startServer(t, (response) => json(response, 200, {}));
  const { out, log } = await startSidecar(t, {
    tokenEndpoint: `${tokens.origin}/token`,
    allow: `    billing: { host: billing.internal, endpoints: ["${service.origin}"] }`,
  });
  const answer = await ask(out);
  assert.deepEqual([answer.status, reasonOf(answer)], [503, "key-unavailable"]);
  assert.equal(service.received.length, 0);
  assert.match(log(), /token_type/);
});

test("where the authority gives none the caller is told, at once, and it is on record", async (t) => {
  const tokens = await startServer(t, (response) =>
    json(response, 403, { error: "access_denied", error_description: "no policy permits it" }),
  );
  const service = await startServer(t, (response) => json(response, 200, {}));
  const { out, admin, found, log, metric } = await startSidecar(t, {
    tokenEndpoint: `${tokens.origin}/token`,
    allow: PLAIN(service.origin),
  });
  const answer = await ask(out);
  assert.deepEqual([answer.status, reasonOf(answer)], [403, "key-refused"]);
  assert.equal(service.received.length, 0);
  const ready = await fetch(`http://${admin}/readyz`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /billing: no key: the authority answered access_denied/);
  assert.match(log(), /access_denied \(status 403\): no policy permits it/);
  const end = await found(({ end: how }) => how === "key-refused");
  assert.equal(end["status"], 403);
  assert.ok(
    (await metric('sallyport_egress_keys_total{service="billing",outcome="refused"}')) >= 1,
  );
});

test("while the authority is away keys at hand serve until they expire; then 503 says so, until it is back", async (t) => {
  const tokens = await startServer(t, numberedKeys("Bearer", 5));
  const service = await startServer(t, (response) => json(response, 200, {}));
  const { out, admin } = await startSidecar(t, {
    tokenEndpoint: `${tokens.origin}/token`,
    allow: PLAIN(service.origin),
  });
  assert.equal((await ask(out)).status, 200);
  const { port } = new URL(tokens.origin);
  await closeServer(tokens.server);
  let served = 0;
  let answer = await ask(out);
  while (answer.status === 200) {
    served += 1;
    await new Promise((resolve) => setTimeout(resolve, 50));
    answer = await ask(out);
  }
  assert.ok(served > 10, `${served} requests on the key at hand`);
  assert.deepEqual([answer.status, reasonOf(answer)], [503, "key-unavailable"]);
  assert.equal(answer.headers["content-type"], "application/problem+json");
  assert.ok(Number(answer.headers["retry-after"]) > 0);
  assert.match(await (await fetch(`http://${admin}/readyz`)).text(), /billing: no key: /);
  const reached = service.received.length;
  assert.equal((await ask(out)).status, 503);
  assert.equal(service.received.length, reached);

  await startServer(t, numberedKeys("Bearer"), Number(port));
  while ((await ask(out)).status !== 200) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal((await fetch(`http://${admin}/readyz`)).status, 200);
});

function proofs(received: readonly Received[]): Readonly<Record<string, unknown>>[] {
  return received.flatMap(({ headers }) => {
    const { dpop } = headers;
    if (typeof dpop !== "string") return [];
    const jws = readJws(dpop);
    return "fault" in jws ? [] : [jws.claims];
  });
}
