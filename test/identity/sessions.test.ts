/**
 * Browser sessions through `sallyport run`: requests that come from elsewhere, what services see and set of
 * our cookies, and what a session that is renewed does to caches. The proxy has the key from a file, so the test
 * seals sessions for it as another replica would.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { PROTOCOLS, openCaller, type Protocol } from "../e2e/protocols.ts";
import { type AuditRecord } from "../e2e/judge.ts";
import { startStage } from "../e2e/stage.ts";
import { readResponses, valuesOf } from "../e2e/strict-http1.ts";
import { sealSession } from "./sealed-session.ts";

const ORIGIN = "https://api.example";
const KEY = randomBytes(32);
const MINUTE = 60_000;

const stage = await startStage({
  listener: "    serve: [login]",
  secrets: { "session.key": KEY.toString("base64url") },
  authenticators: `  people:
    type: oidc
    issuer: http://127.0.0.1:9
    client: { id: console, secret: client-secret }
    principal: { kind: user }
    session: { keys: [{ file: session.key }] }`,
  routes: `  - name: app
    path: /app/*
    service: recorder
    authenticate: [people]
    upgrades: [websocket]
  - name: others
    host: other.example
    path: /app/*
    service: recorder
    authenticate: [people]`,
  policies: '@id("people") permit (principal is Sallyport::User, action, resource);',
});
after(() => stage.close());

/** What another replica would have given a browser, some time ago. */
async function login(subject: string, agoMs = 0): Promise<string> {
  return (await sealSession({ key: KEY, subject, agoMs })).header() ?? "";
}

interface Answer {
  readonly status: number;
  readonly values: (name: string) => string[];
  readonly body: string;
  readonly decision: AuditRecord;
}

async function call(
  over: Protocol,
  method: string,
  fields: readonly string[],
  { path = "/app/x", host = "api.example" } = {},
): Promise<Answer> {
  const caller = await openCaller(stage.proxy, { over });
  const length = method === "GET" ? [] : ["Content-Length: 0"];
  const head = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, ...length, ...fields];
  caller.write([...head, "Connection: close", "", ""].join("\r\n"));
  await caller.until(() => caller.closed);
  caller.destroy();
  const [answer] = readResponses(caller.text, [method], caller.closed).messages;
  assert.ok(answer !== undefined, caller.text);
  const values = (name: string): string[] => valuesOf(answer, name);
  const [id] = values("sallyport-decision");
  const decision = await stage.found(
    ({ type, decisionId }) => type === "decision" && decisionId === id,
  );
  return { status: answer.status, values, body: answer.body, decision };
}

const CROSS: readonly [name: string, method: string, fields: readonly string[], status: number][] =
  [
    ["a page that is read", "GET", [], 200],
    ["a link on another site", "GET", ["Sec-Fetch-Site: cross-site"], 200],
    ["a HEAD from another site", "HEAD", ["Sec-Fetch-Site: cross-site"], 200],
    ["its own page", "POST", ["Sec-Fetch-Site: same-origin", `Origin: ${ORIGIN}`], 200],
    ["its own page, in a browser without fetch metadata", "POST", [`Origin: ${ORIGIN}`], 200],
    ["its own page, without Origin", "DELETE", ["Sec-Fetch-Site: same-origin"], 200],
    ["neither Origin nor fetch metadata", "POST", [], 403],
    ["another site", "POST", ["Sec-Fetch-Site: cross-site", "Origin: https://evil.example"], 403],
    ["another origin of the same site", "PUT", ["Sec-Fetch-Site: same-site"], 403],
    ["another origin of the same site, by Origin", "PUT", ["Origin: https://x.api.example"], 403],
    ["the address bar", "POST", ["Sec-Fetch-Site: none"], 403],
    ["a sandboxed frame", "POST", ["Origin: null"], 403],
    [
      "a sandboxed frame that says same-origin",
      "POST",
      ["Origin: null", "Sec-Fetch-Site: same-origin"],
      403,
    ],
    ["an empty Origin", "POST", ["Origin:"], 403],
    ["an Origin in other letters", "POST", ["Origin: https://API.example"], 403],
    ["an Origin over http", "POST", ["Origin: http://api.example"], 403],
    ["an Origin with another port", "POST", ["Origin: https://api.example:8443"], 403],
    ["an Origin with a path", "POST", [`Origin: ${ORIGIN}/`], 403],
    ["an Origin that begins like it", "POST", [`Origin: ${ORIGIN}.evil.example`], 403],
    [
      "two Origins, one of them its own",
      "POST",
      [`Origin: ${ORIGIN}`, "Origin: https://evil.example"],
      403,
    ],
    ["two in one Origin", "POST", [`Origin: ${ORIGIN} https://evil.example`], 403],
    ["a list in one Origin", "POST", [`Origin: ${ORIGIN}, ${ORIGIN}`], 403],
    [
      "two fetch sites",
      "POST",
      ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: same-origin"],
      403,
    ],
    ["a fetch site in other letters", "POST", ["Sec-Fetch-Site: Same-Origin"], 403],
    [
      "an unknown fetch site",
      "POST",
      ["Sec-Fetch-Site: same-origin-ish", `Origin: ${ORIGIN}`],
      403,
    ],
    ["a method that only a service knows as safe", "PATCH", ["Sec-Fetch-Site: cross-site"], 403],
    [
      "an override of the method",
      "GET",
      ["X-HTTP-Method-Override: POST", "Sec-Fetch-Site: cross-site"],
      200,
    ],
  ];

for (const over of PROTOCOLS) {
  for (const [name, method, fields, status] of CROSS) {
    test(`over ${over}, a ${method} on a session from ${name} is answered ${status}`, async () => {
      const cookie = await login("ada");
      const answer = await call(over, method, [`Cookie: ${cookie}`, ...fields]);
      assert.equal(answer.status, status, answer.body);
      assert.equal(answer.decision["reason"], status === 200 ? "permitted" : "cross-site-request");
    });
  }

  test(`over ${over}, a host that no route names makes no origin, and one that a route names does`, async () => {
    const cookie = `Cookie: ${await login("ada")}`;
    const evil = { host: "evil.example" };
    const rebound = await call(over, "POST", [cookie, "Origin: https://evil.example"], evil);
    assert.equal(rebound.status, 403);
    const other = { host: "other.example" };
    const own = await call(over, "POST", [cookie, "Origin: https://other.example"], other);
    assert.equal(own.status, 200);
    const across = await call(over, "POST", [cookie, "Origin: https://other.example"]);
    assert.equal(across.status, 403);
  });

  test(`over ${over}, a service sees no cookie of ours and sets none`, async () => {
    const cookie = await login("ada");
    stage.service.script(() => ({
      bytes: [
        "HTTP/1.1 200 OK",
        "Content-Length: 0",
        "Set-Cookie: __Host-sallyport-people=forged; Path=/; Secure",
        "Set-Cookie: =__Host-sallyport-people=forged",
        "set-cookie: SALLYPORT-people=forged",
        "Set-Cookie: theme=dark",
        "",
        "",
      ].join("\r\n"),
    }));
    stage.service.forget();
    // Also on a route that knows nothing of sessions.
    for (const path of ["/app/x", "/open-to-all"]) {
      const answer = await call(over, "GET", [`Cookie: a=1; ${cookie}; b=2`], { path });
      assert.deepEqual(answer.values("set-cookie"), ["theme=dark"]);
    }
    stage.service.script(undefined);
    const arrived = stage.service.connections.map(({ text }) => text).join("");
    assert.equal(arrived.match(/cookie: a=1; b=2\r\n/g)?.length, 2);
    assert.doesNotMatch(arrived, /sallyport-people/i);
  });

  test(`over ${over}, an answer that renews a session is kept by no cache that people share`, async () => {
    const cookie = await login("ada", 10 * MINUTE);
    stage.service.script(() => ({
      bytes: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nCache-Control: public, max-age=60\r\n\r\n",
    }));
    const renewed = await call(over, "GET", [`Cookie: ${cookie}`]);
    assert.equal(renewed.values("set-cookie").length, 1);
    assert.deepEqual(renewed.values("cache-control"), ["private, max-age=60"]);
    const fresh = await call(over, "GET", [`Cookie: ${await login("ada")}`]);
    assert.deepEqual(fresh.values("set-cookie"), []);
    assert.deepEqual(fresh.values("cache-control"), ["public, max-age=60"]);
    stage.service.script(undefined);
  });

  test(`over ${over}, a session that is no good is refused with its reason and taken away`, async () => {
    const idle = await login("ada", 31 * MINUTE);
    const changed = (await login("ada")).slice(0, -6) + "AAAAAA";
    for (const [cookie, reason] of [
      [idle, "session-expired"],
      [changed, "invalid-session"],
    ] as const) {
      const answer = await call(over, "GET", [`Cookie: ${cookie}`]);
      assert.equal(answer.status, 401);
      assert.equal(answer.decision["reason"], reason);
      assert.match(answer.values("set-cookie")[0] ?? "", /^__Host-sallyport-people=; Max-Age=0/);
      assert.equal((JSON.parse(answer.body) as { reason: string }).reason, reason);
    }
  });
}

test("a WebSocket on a session needs a page of the same origin", async () => {
  const cookie = await login("ada");
  const upgrade = [
    `Cookie: ${cookie}`,
    "Connection: upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
  ];
  for (const fields of [[], ["Origin: https://evil.example"], ["Sec-Fetch-Site: cross-site"]]) {
    const caller = await openCaller(stage.proxy, { over: "http/1.1" });
    const head = ["GET /app/x HTTP/1.1", "Host: api.example", ...upgrade, ...fields];
    caller.write([...head, "", ""].join("\r\n"));
    await caller.until(() => caller.text.includes("\r\n\r\n"));
    assert.match(caller.text, /^HTTP\/1\.1 403 /);
    caller.destroy();
  }
});

test("no cookie of a session is in the log, the audit log or the metrics", async () => {
  const cookie = await login("canary-subject");
  const secret = cookie.slice(cookie.lastIndexOf(".") + 1);
  await call("http/1.1", "GET", [`Cookie: ${cookie}`]);
  await call("http/1.1", "POST", [`Cookie: ${cookie}`]);
  await call("http/1.1", "GET", [`Cookie: ${cookie}A`]);
  const metrics = await (await fetch(`http://${stage.admin}/metrics`)).text();
  for (const text of [stage.log(), stage.auditText(), metrics]) {
    assert.ok(!text.includes(secret.slice(0, 40)));
    assert.ok(!text.includes("client-secret"));
  }
});
