/**
 * A route puts values of the caller into header fields and the query of what a service gets: its
 * subject, a path parameter, a query value. The caller (or whoever can choose a name at the identity
 * provider) chooses values that end the field and begin another, or that add a parameter. Envoy's and
 * nginx's variables were abused so (`$uri` in `add_header` and `return`, CVE-2019-20372 among many).
 * A value that does not fit refuses the request; it is never sent, cut, or escaped into something else.
 */
import { after } from "node:test";
import { strict as assert } from "node:assert";
import { arrivalsOf, assertHarmless, reasonsOf, statusesOf } from "../e2e/expect.ts";
import { testOverEach } from "../e2e/over-each.ts";
import { requestBytes, startStage } from "../e2e/stage.ts";
import { valuesOf } from "../e2e/strict-http1.ts";

const stage = await startStage({
  secrets: { key: "own-secret\n" },
  routes: `  - name: items
    path: "/items/{id}"
    service: recorder
    authenticate: [anonymous]
    request:
      headers: { set: { x-item: "\${params.id}", x-mode: "m" }, remove: [x-gone] }
  - name: search
    path: "/search"
    service: recorder
    authenticate: [anonymous]
    request: { headers: { set: { x-q: "\${request.query.q}" } } }
    response: { headers: { set: { x-echo: "\${request.query.q}" } } }
  - name: query
    path: "/query/{id}"
    service: recorder
    authenticate: [anonymous]
    request: { query: { set: { id: "\${params.id}", role: reader }, remove: [admin] } }
  - name: keyed
    path: "/keyed"
    service: recorder
    authenticate: [anonymous]
    credentials: { header: { name: X-Key, valueFile: key } }
  - name: basic
    path: "/basic"
    service: recorder
    authenticate: [test]
    credentials: { basic: { username: gate, passwordFile: key } }
  - name: shaped
    path: "/shaped/{id}/*"
    service: recorder
    authenticate: [anonymous]
    rewrite: { pattern: "/v2/{id}/items/*", host: "inner.example:8080" }
  - name: me
    path: "/me"
    service: recorder
    authenticate: [test]
    request: { headers: { set: { x-user: "\${principal.subject}", x-roles: "\${principal.roles}" } } }`,
  policies: `@id("me") permit (principal is Sallyport::Workload, action, resource == Sallyport::Route::"me");
@id("basic") permit (principal is Sallyport::Workload, action, resource == Sallyport::Route::"basic");`,
});
after(() => stage.close());

for (const id of [
  "a%0d%0ax-admin:%201",
  "a%0ax-admin:%201",
  "a%0d",
  "a%7f",
  "%0d%0a%0d%0aGET%20secret%20HTTP",
  "%C4%8Ax-admin:1", // U+010A: its low byte is a line feed
  "%C3%A9",
  "%20a",
  "a%09",
]) {
  testOverEach(stage, `a path parameter ${id} ends no field`, async ({ attack }) => {
    const evidence = await attack(requestBytes(`/items/${id}`));
    assertHarmless(evidence);
    assert.deepEqual(statusesOf(evidence), [400, 200]);
    assert.equal(arrivalsOf(evidence).length, 1, "the sentinel alone");
    assert.deepEqual(reasonsOf(evidence), ["permitted", "permitted"]);
    assert.equal(evidence.completions[0]?.["end"], "unfit-value");
  });
}

testOverEach(
  stage,
  "a path parameter with a colon and a space inside is one value",
  async ({ attack }) => {
    const evidence = await attack(requestBytes("/items/a:%20b"));
    const [arrived] = arrivalsOf(evidence);
    assert.ok(arrived !== undefined);
    assert.deepEqual(valuesOf(arrived, "x-item"), ["a: b"]);
  },
);

for (const query of ["q=a%0d%0ab:c", "q=1&q=2", "q=1&%71=2", "q=%ff", "q=%E2%80%A8"]) {
  testOverEach(
    stage,
    `a query ?${query} ends no field, to the service or to the caller`,
    async ({ attack }) => {
      const evidence = await attack(requestBytes(`/search?${query}`));
      assertHarmless(evidence);
      assert.deepEqual(statusesOf(evidence), [400, 200]);
      assert.equal(arrivalsOf(evidence).length, 1);
    },
  );
}

testOverEach(
  stage,
  "a value that is absent sets nothing, and what the caller wrote there is gone",
  async ({ attack }) => {
    const evidence = await attack(requestBytes("/search", ["X-Q: forged", "X_Q: forged"]));
    assert.deepEqual(statusesOf(evidence), [200, 200]);
    assert.doesNotMatch(evidence.arrived.join(""), /forged/);
  },
);

for (const sub of ["a\r\nx-admin: 1", "a\n", "é", "Ċx"]) {
  testOverEach(stage, `a subject ${JSON.stringify(sub)} ends no field`, async ({ attack }) => {
    const token = stage.issuer.token({ sub });
    const evidence = await attack(requestBytes("/me", [`Authorization: Bearer ${token}`]));
    assertHarmless(evidence);
    const [status] = statusesOf(evidence);
    assert.ok(status === 400 || status === 401, String(status));
    assert.equal(arrivalsOf(evidence).length, 1);
  });
}

testOverEach(stage, "a role with a comma in it does not pass for two", async ({ attack }) => {
  const token = stage.issuer.token({ roles: ["x,Admin"] });
  const evidence = await attack(requestBytes("/me", [`Authorization: Bearer ${token}`]));
  assert.deepEqual(statusesOf(evidence), [400, 200]);
});

testOverEach(
  stage,
  "a parameter adds no other to the query, and removed ones stay removed however written",
  async ({ attack }) => {
    const target = "/query/a%26admin=1%23?admin=1&%61dmin=2&x=%41&role=owner&ADMIN=3";
    const evidence = await attack(requestBytes(target));
    const [arrived] = arrivalsOf(evidence);
    assert.equal(
      arrived?.target,
      "/query/a%26admin=1%23?x=%41&ADMIN=3&id=a%26admin%3D1%23&role=reader",
    );
  },
);

for (const query of ["x=1;admin=1", "x=1;%61dmin=1", "%=1", "%ff=1"]) {
  testOverEach(
    stage,
    `a query ?${query} that hides a removed name is refused`,
    async ({ attack }) => {
      const evidence = await attack(requestBytes(`/query/1?${query}`));
      assert.deepEqual(statusesOf(evidence), [400, 200]);
      assert.equal(arrivalsOf(evidence).length, 1);
    },
  );
}

testOverEach(
  stage,
  "what a route removes or sets does not come in as a trailer, in no spelling",
  async ({ attack }) => {
    const evidence = await attack(
      [
        "POST /items/1 HTTP/1.1",
        "Host: api.example",
        "Transfer-Encoding: chunked",
        "",
        "1\r\na\r\n0",
        "X-Gone: forged",
        "X_Gone: forged",
        "X-Item: forged",
        "x_mode: forged",
        "X-Fine: kept",
        "",
        "",
      ].join("\r\n"),
    );
    assertHarmless(evidence);
    assert.doesNotMatch(evidence.arrived.join(""), /forged/);
    assert.match(evidence.arrived.join(""), /x-fine: kept/);
  },
);

testOverEach(
  stage,
  "nobody speaks beside a static credential: not in another spelling, not behind the body",
  async ({ attack }) => {
    const evidence = await attack(
      [
        "POST /keyed HTTP/1.1",
        "Host: api.example",
        "X-Key: forged",
        "x_key: forged",
        "X.Key: forged",
        "Connection: x-key",
        "Transfer-Encoding: chunked",
        "",
        "1\r\na\r\n0",
        "X-Key: forged",
        "X_Key: forged",
        "",
        "",
      ].join("\r\n"),
    );
    const keyed = arrivalsOf(evidence).find(({ target }) => target === "/keyed");
    assert.ok(keyed !== undefined);
    assert.deepEqual(valuesOf(keyed, "x-key"), ["own-secret"]);
    assert.doesNotMatch(evidence.arrived.join(""), /forged/);
  },
);

testOverEach(
  stage,
  "a service with a password of its own does not see the caller's credential",
  async ({ attack }) => {
    const token = stage.issuer.token();
    const fields = [`Authorization: Bearer ${token}`, "Authorization_: forged"];
    const evidence = await attack(requestBytes("/basic", fields));
    const basic = arrivalsOf(evidence).find(({ target }) => target === "/basic");
    assert.ok(basic !== undefined);
    const password = Buffer.from("gate:own-secret").toString("base64");
    assert.deepEqual(valuesOf(basic, "authorization"), [`Basic ${password}`]);
    assert.ok(!evidence.arrived.join("").includes(token));
  },
);

const SHAPED: readonly [target: string, arrived: string | undefined][] = [
  ["/shaped/%2e%2e/x", undefined],
  ["/shaped/../x", "/x"], // canonical: another route's
  ["/shaped/a/%2e%2e/%2e%2e/secret", undefined],
  ["/shaped/a/..%2f..%2fsecret", undefined],
  ["/shaped/a%2f..%2fsecret/x", undefined],
  ["/shaped/%252e%252e/x", undefined],
  ["/shaped/a\\b/x", undefined],
  ["/shaped//x/y", "/v2/x/items/y"],
  ["/shaped/a;b/x", undefined],
];
for (const [target, arrived] of SHAPED) {
  testOverEach(
    stage,
    `a rewritten path stays below what the route says: ${target}`,
    async ({ attack }) => {
      const evidence = await attack(requestBytes(target));
      const others = arrivalsOf(evidence).filter(
        (request) => !request.target.startsWith("/sentinel-"),
      );
      assert.deepEqual(
        others.map((request) => [request.target, ...valuesOf(request, "host")]),
        arrived === undefined
          ? []
          : [[arrived, arrived.startsWith("/v2/") ? "inner.example:8080" : "api.example"]],
      );
      assert.equal(statusesOf(evidence)[0], arrived === undefined ? 400 : 200);
    },
  );
}

testOverEach(
  stage,
  "the service gets the shaped path and its own Host; the caller's is told beside it",
  async ({ attack }) => {
    const evidence = await attack(requestBytes("/shaped/a%20b/c%3F/d?x=1"));
    const [request] = arrivalsOf(evidence);
    assert.ok(request !== undefined);
    assert.equal(request.target, "/v2/a%20b/items/c%3F/d?x=1");
    assert.deepEqual(valuesOf(request, "host"), ["inner.example:8080"]);
    assert.deepEqual(valuesOf(request, "x-forwarded-host"), ["api.example"]);
  },
);
