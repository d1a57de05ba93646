/** Who gets in by which door, and that every call is a decision on record. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_REVOCATIONS } from "../../src/model/revocation.ts";
import { adminStage, token } from "./stage.ts";

void test("the socket lets its owner do everything, by the built-in permit, on record", async (t) => {
  const stage = await adminStage(t, {
    policies: '@id("nobody") forbid (principal, action, resource);',
  });
  const reply = await stage.ask("/v1/status", { door: "socket" });
  assert.equal(reply.status, 200, reply.text);
  assert.equal(reply.body.version, "0.1.0");
  assert.equal(reply.headers["cache-control"], "no-store");
  const [record] = stage.decisions;
  assert.ok(record !== undefined);
  const { action, route, principal, determining, decision, peerAddress, authn } = record;
  assert.deepEqual(
    { action, route, subject: principal?.subject, determining, decision, peerAddress },
    {
      action: "admin:getStatus",
      route: "sallyport-admin",
      subject: "1000",
      determining: ["sallyport:local-socket"],
      decision: "permit",
      peerAddress: "local",
    },
  );
  assert.equal(principal?.authenticator, "local");
  assert.equal(authn?.kind, "local");
  assert.equal(reply.headers["sallyport-decision"], record.decisionId);
  assert.equal(stage.completions[0]?.decisionId, record.decisionId);
  assert.equal(stage.completions[0]?.status, 200);
});

void test("a token that is sent over the socket is not looked at", async (t) => {
  const stage = await adminStage(t);
  const reply = await stage.ask("/v1/status", { door: "socket", token: "not-a-token" });
  assert.equal(reply.status, 200);
  assert.equal(stage.decisions[0]?.credentials[0]?.outcome, "ignored");
});

void test("the address asks for a token and lets policies decide", async (t) => {
  const stage = await adminStage(t);
  const none = await stage.ask("/v1/status");
  assert.equal(none.status, 401);
  assert.match(String(none.headers["www-authenticate"]), /^Bearer /);
  assert.equal(none.body.reason, "missing-credential");
  assert.equal((await stage.ask("/v1/status", { token: "x.y.z" })).status, 401);
  // `traffic` permits everything to everybody, and names no admin action.
  const stranger = await stage.ask("/v1/status", { roles: [] });
  assert.equal(stranger.status, 403);
  assert.equal(stranger.body.reason, "no-permit");
  const reader = await stage.ask("/v1/status", { roles: ["reader"] });
  assert.equal(reader.status, 200);
  const changing = { roles: ["reader"], method: "POST" };
  assert.equal((await stage.ask("/v1/config/reload", changing)).status, 403);
  const operator = { roles: ["Operator"], method: "POST" };
  assert.equal((await stage.ask("/v1/config/reload", operator)).status, 200);
  assert.deepEqual(
    stage.decisions.map(({ action, reason }) => `${String(action)} ${reason}`),
    [
      "admin:getStatus missing-credential",
      "admin:getStatus malformed-credential",
      "admin:getStatus no-permit",
      "admin:getStatus permitted",
      "admin:reloadConfig no-permit",
      "admin:reloadConfig permitted",
    ],
  );
});

void test("a token for another audience opens nothing", async (t) => {
  const stage = await adminStage(t);
  const other = token(["Operator"], { aud: "https://api.example.com" });
  const reply = await stage.ask("/v1/status", { token: other });
  assert.equal(reply.status, 401);
  assert.equal(reply.body.reason, "wrong-audience");
});

void test("without `authenticate` the address has no API, and still its health", async (t) => {
  const stage = await adminStage(t, { authenticate: false });
  assert.equal((await stage.ask("/v1/status", { roles: ["Operator"] })).status, 404);
  assert.equal((await stage.ask("/livez")).status, 200);
  assert.equal((await stage.ask("/readyz")).status, 200);
  assert.equal((await stage.ask("/metrics")).status, 200);
  assert.equal((await stage.ask("/v1/status", { door: "socket" })).status, 200);
  assert.equal((await stage.ask("/readyz", { door: "socket" })).status, 200);
});

void test("what is no operation is 404, and another method 405 with what is allowed", async (t) => {
  const stage = await adminStage(t);
  for (const path of ["/v1/nothing", "/v1/", "/v1/status/", "/v1/status/x"]) {
    assert.equal((await stage.ask(path, { roles: ["Operator"] })).status, 404, path);
  }
  const reply = await stage.ask("/v1/status", { roles: ["Operator"], method: "DELETE" });
  assert.equal(reply.status, 405);
  assert.equal(reply.headers["allow"], "GET");
  // A path that two readers read in two ways reaches no operation.
  for (const path of ["/v1/../v1/status", "/v1/%73tatus", "/v1//status", "/v1/status;x"]) {
    const confused = await stage.ask(path, { roles: ["Operator"] });
    assert.ok([200, 400, 404].includes(confused.status), `${path} ${confused.status}`);
    const { action } = stage.decisions.at(-1) ?? {};
    if (confused.status === 200) assert.equal(action, "admin:getStatus", path);
  }
});

void test("unknown query parameters, cursors that are none and limits out of range are 400 with their place", async (t) => {
  const stage = await adminStage(t);
  for (const [query, at] of [
    ["limits=5", "query"],
    ["limit=0", "query limit"],
    ["limit=501", "query limit"],
    ["limit=1&limit=2", "query limit"],
    ["cursor=*", "query cursor"],
    ["cursor=YQYQ_", "query cursor"],
  ] as const) {
    const reply = await stage.ask(`/v1/routes?${query}`, { roles: ["reader"] });
    assert.equal(reply.status, 400, query);
    assert.equal(reply.body.faults[0].at, at, `${query} ${reply.text}`);
  }
});

void test("lists come in pages that together are the whole", async (t) => {
  const stage = await adminStage(t);
  const names: string[] = [];
  let cursor = "";
  do {
    const reply = await stage.ask(`/v1/routes?limit=2${cursor}`, { roles: ["reader"] });
    for (const { name } of reply.body.routes) names.push(name);
    cursor = reply.body.next === undefined ? "" : `&cursor=${reply.body.next}`;
  } while (cursor !== "");
  assert.deepEqual(names, ["a", "b", "c"]);
});

void test("a stale feed shuts the address, and never the socket of who has to look at it", async (t) => {
  const stage = await adminStage(t, { revocations: { ...NO_REVOCATIONS, fresh: () => false } });
  const reply = await stage.ask("/v1/status", { roles: ["Operator"] });
  assert.equal(reply.status, 503);
  assert.equal(reply.body.reason, "feed-stale");
  assert.equal((await stage.ask("/v1/status", { door: "socket" })).status, 200);
});

void test("a Host that is a name is refused in plain HTTP, whatever else the request says", async (t) => {
  const stage = await adminStage(t);
  const { port } = stage;
  for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example"]) {
    for (const path of ["/v1/status", "/metrics"]) {
      const headers = { host: `${host}:${port}` };
      const reply = await stage.ask(path, { roles: ["Operator"], headers });
      assert.equal(reply.status, 421, `${host}${path}`);
    }
  }
  assert.deepEqual(stage.decisions, [], "nothing was asked of the gate");
  for (const host of [`127.0.0.1:${port}`, `LOCALHOST:${port}`, "[::1]"]) {
    const reply = await stage.ask("/v1/status", { roles: ["Operator"], headers: { host } });
    assert.equal(reply.status, 200, host);
  }
});

void test("a request target that names another host is no way around the Host", async (t) => {
  const stage = await adminStage(t);
  for (const target of [
    "http://evil.example/v1/status",
    "http://localhost/v1/status",
    "//evil.example/v1/status",
  ]) {
    const reply = await stage.ask(target, { roles: ["Operator"] });
    assert.ok([400, 404].includes(reply.status), `${target} ${reply.status}`);
  }
});

void test("a page of another origin is 403 before anything else is looked at", async (t) => {
  const stage = await adminStage(t);
  const own = `http://127.0.0.1:${stage.port}`;
  const host = `127.0.0.1:${stage.port}`;
  for (const origin of ["https://evil.example", "null", `${own}0`, `https://${host}`]) {
    const headers = { origin, host };
    const reply = await stage.ask("/v1/status", { roles: ["Operator"], headers });
    assert.equal(reply.status, 403, origin);
    assert.equal(reply.body.reason, "foreign-origin");
    assert.equal(reply.headers["access-control-allow-origin"], undefined);
  }
  assert.deepEqual(stage.decisions, []);
  const headers = { origin: own, host };
  assert.equal((await stage.ask("/v1/status", { roles: ["Operator"], headers })).status, 200);
  // No browser speaks to a Unix socket; what says that it does is a forwarder for one.
  const local = { door: "socket", headers: { origin: "http://localhost" } } as const;
  assert.equal((await stage.ask("/v1/status", local)).status, 403);
});
