/** What the endpoints have in common, and those beside the token endpoint. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  asJob,
  ISSUER,
  NOW,
  ORIGIN,
  ownKey,
  tokenGround,
  type TokenRequest,
  workload,
} from "../../../test/authority/token-ground.ts";
import { testKey } from "../../../test/issuer.ts";
import { SallyportError } from "../../model/errors.ts";
import type { Reason } from "../../model/reason.ts";

const PARAMETERS = { grant_type: "client_credentials", audience: "billing" };
const body = () => ({ ...PARAMETERS, ...asJob() });

const UNREADABLE: Readonly<
  Record<string, readonly [request: () => TokenRequest, status: number, reason?: Reason]>
> = {
  "a GET": [() => ({ method: "GET", body: "" }), 405, "method-not-allowed"],
  "parameters in the URL": [() => ({ body: body(), query: "grant_type=client_credentials" }), 400],
  "an empty query": [() => ({ body: body(), query: "" }), 400],
  "no type": [() => ({ body: body(), type: undefined }), 400],
  JSON: [() => ({ body: JSON.stringify(body()), type: "application/json" }), 400],
  "a type that only begins so": [
    () => ({ body: body(), type: "application/x-www-form-urlencodedx" }),
    400,
  ],
  "another charset": [
    () => ({ body: body(), type: "application/x-www-form-urlencoded; charset=utf-16" }),
    400,
  ],
  "two types": [
    () => ({ body: body(), fields: ["content-type", "application/x-www-form-urlencoded"] }),
    400,
  ],
  "a content coding": [() => ({ body: body(), fields: ["content-encoding", "gzip"] }), 400],
  "a content coding behind none": [
    () => ({ body: body(), fields: ["content-encoding", "identity, br"] }),
    400,
  ],
  "a parameter twice": [
    () => ({ body: [...Object.entries(body()), ["scope", "a"], ["scope", "b"]] }),
    400,
  ],
  "a grant twice, the first without a value": [
    () => ({ body: `grant_type=&${new URLSearchParams(body()).toString()}` }),
    400,
  ],
  "too many parameters": [
    () => ({
      body: [
        ...Object.entries(body()),
        ...Array.from({ length: 30 }, (_, index) => [`x${index}`, "1"] as const),
      ],
    }),
    400,
  ],
  "too many services": [
    () => ({
      body: [
        ...Object.entries(body()),
        ...Array.from({ length: 8 }, () => ["audience", "billing"] as const),
      ],
    }),
    400,
  ],
  "a stray %": [() => ({ body: `${new URLSearchParams(body()).toString()}&scope=%zz` }), 400],
  "what is no UTF-8": [
    () => ({ body: `${new URLSearchParams(body()).toString()}&scope=%ff` }),
    400,
  ],
  "what is not escaped": [
    () => ({ body: `${new URLSearchParams(body()).toString()}&scope=ä` }),
    400,
  ],
  "a control character": [
    () => ({ body: `${new URLSearchParams(body()).toString()}&scope=a%00b` }),
    400,
  ],
  "a body that is too large": [
    () => ({ body: body(), bodyFault: "body-too-large" }),
    413,
    "body-too-large",
  ],
  "a body of 65 KiB": [
    () => ({ body: { ...body(), scope: "x".repeat(65 * 1024) } }),
    413,
    "body-too-large",
  ],
  "a body that does not come": [
    () => ({ body: body(), bodyFault: "request-timeout" }),
    408,
    "request-timeout",
  ],
};

for (const [name, [request, status, reason]] of Object.entries(UNREADABLE)) {
  test(`the token endpoint refuses ${name}`, async () => {
    const { ask, seen } = tokenGround();
    const reply = await ask(request());
    assert.deepEqual([reply.status, reply.body["error"]], [status, "invalid_request"]);
    assert.equal(reply.outcome?.reason, reason ?? "invalid-token-request");
    assert.deepEqual([seen.questions.length, seen.charged], [0, 0]);
    if (status === 405) assert.equal(reply.field("allow"), "POST");
  });
}

test("the token endpoint ignores what it does not know, and what has no value", async () => {
  const { ask } = tokenGround();
  const type = 'application/x-www-form-urlencoded; charset="UTF-8"';
  const reply = await ask({ body: { ...body(), color: "red", scope: "", resource: "" }, type });
  assert.equal(reply.status, 200);
});

test("the token endpoint looks at nothing of senders that fail too often", async () => {
  const { ask } = tokenGround({ budgetSpent: true });
  const reply = await ask({ body: body() });
  assert.deepEqual([reply.status, reply.body["error"]], [429, "temporarily_unavailable"]);
  assert.ok(Number(reply.field("retry-after")) > 0);
});

test("a key that cannot be recorded leaves nobody", async () => {
  const { ask, seen } = tokenGround({ recorded: "audit-unavailable" });
  const reply = await ask({ body: body() });
  assert.deepEqual(
    [reply.status, reply.body],
    [503, { error: "temporarily_unavailable", error_description: "it cannot be recorded" }],
  );
  assert.equal(seen.claims.length, 1, "it was signed");
});

test("with strict durability a key waits until it is on the disk, and does not go where that fails", async () => {
  const written = Promise.withResolvers<void>();
  const { ask } = tokenGround({ durable: () => written.promise });
  let answered = false;
  const asked = ask({ body: body() }).then((reply) => {
    answered = true;
    return reply;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(answered, false);
  written.resolve();
  assert.equal((await asked).status, 200);
  const failing = tokenGround({ durable: () => Promise.reject(new Error("disk")) });
  const reply = await failing.ask({ body: body() });
  assert.deepEqual([reply.status, reply.body["access_token"]], [503, undefined]);
});

test("a defect is answered as one, and nothing is issued", async () => {
  const { ask, log } = tokenGround({
    issuing: {
      sign: () => {
        throw new TypeError("broken");
      },
    },
  });
  const reply = await ask({ body: body() });
  assert.deepEqual([reply.status, reply.body["error"]], [500, "server_error"]);
  assert.match(JSON.stringify(log.lines), /token endpoint failed/);
});

test("handle() takes its own paths as they are written, on listeners that serve them", () => {
  const { takes } = tokenGround();
  for (const path of ["token", "introspect", "revoke"]) assert.ok(takes(`/.sallyport/${path}`));
  assert.ok(takes("/.well-known/oauth-authorization-server"));
  for (const path of [
    "/.sallyport/login",
    "/.sallyport/token/",
    "/.sallyport/Token",
    "/.sallyport/%74oken",
    "/.sallyport//token",
    "/.well-known/oauth-authorization-server/other",
    "/.well-known/oauth-authorization-servers",
  ]) {
    assert.equal(takes(path), false, path);
  }
  assert.equal(takes("/.sallyport/token", "other"), false);
});

test("the metadata says what there is (RFC 8414)", async () => {
  const { ask } = tokenGround();
  const path = "/.well-known/oauth-authorization-server";
  const reply = await ask({ path, method: "GET" });
  assert.equal(reply.status, 200);
  assert.equal(reply.outcome, undefined, "on no record");
  assert.equal(reply.body["issuer"], ISSUER);
  assert.equal(reply.body["token_endpoint"], `${ORIGIN}/.sallyport/token`);
  assert.equal(reply.body["jwks_uri"], `${ORIGIN}/.well-known/sallyport/jwks.json`);
  const methods = reply.body["token_endpoint_auth_methods_supported"] as string[];
  assert.ok(methods.includes("private_key_jwt") && methods.includes("tls_client_auth"));
  assert.equal(reply.body["tls_client_certificate_bound_access_tokens"], true);
  const issuer = "https://sallyport.example.com/tenant";
  const other = tokenGround({ issuing: { issuer } });
  const named = await other.ask({ path: `${path}/tenant`, method: "GET" });
  assert.equal(named.body["issuer"], issuer);
});

const own = ownKey();
const withKey = { keys: { [own.key]: own.facts } };
const asBilling = () => asJob({ client: "billing", key: testKey("billing", "ES256") });
const asOld = () => ({ client_id: "old", client_secret: "an-old-secret-that-nobody-changes" });
const introspect = (more: Readonly<Record<string, string>>): TokenRequest => ({
  path: "/.sallyport/introspect",
  body: { token: own.key, ...more },
});

test("introspection says what a key says to its client and to its service, and nothing secret", async () => {
  for (const client of [asJob, asBilling]) {
    const { ask } = tokenGround(withKey);
    const reply = await ask(introspect(client()));
    assert.deepEqual(reply.body, {
      active: true,
      token_type: "Bearer",
      iss: ISSUER,
      sub: "corp/alice",
      aud: "billing",
      client_id: "job",
      scope: "read",
      iat: NOW / 1000,
      exp: NOW / 1000 + 60,
      jti: "key-7",
    });
    assert.equal(reply.outcome?.reason, "client-answered");
  }
});

test("introspection says that there is none to others, and of what is no key of ours", async () => {
  const gone = { ...own.facts, expiresAt: NOW / 1000 - 60 };
  const rows = [
    [withKey, introspect(asOld())],
    [{}, introspect(asJob())],
    [{ keys: { [own.key]: gone } }, introspect(asJob())],
    [{ ...withKey, revoked: (facts: object) => facts === own.facts }, introspect(asJob())],
    [withKey, introspect({ ...asJob(), token: "abc" })],
  ] as const;
  for (const [options, request] of rows) {
    const reply = await tokenGround(options).ask(request);
    assert.deepEqual([reply.status, reply.body], [200, { active: false }]);
  }
});

test("a workload that is called as a service is not that service", async () => {
  const facts = { ...own.facts, principal: workload("billing", "mesh"), audience: undefined };
  const { ask } = tokenGround({ ...withKey, certificates: () => facts });
  const reply = await ask({ ...introspect({}), certificate: "e".repeat(43) });
  assert.deepEqual(reply.body, { active: false });
});

test("introspection and revocation are for clients, and about a token", async () => {
  for (const path of ["/.sallyport/introspect", "/.sallyport/revoke"]) {
    const { ask, seen } = tokenGround(withKey);
    const nobody = await ask({ path, body: { token: own.key } });
    assert.deepEqual([nobody.status, nobody.body["error"]], [401, "invalid_client"]);
    const nothing = await ask({ path, body: asJob() });
    assert.deepEqual([nothing.status, nothing.body["error"]], [400, "invalid_request"]);
    assert.deepEqual(seen.revoked, []);
  }
});

const revoke = (more: Readonly<Record<string, string>>): TokenRequest => ({
  path: "/.sallyport/revoke",
  body: { token: own.key, ...more },
});

test("a client gives its key back, by its id, until it ends by itself", async () => {
  const { ask, seen } = tokenGround(withKey);
  const reply = await ask(revoke({ ...asJob(), token_type_hint: "refresh_token" }));
  assert.deepEqual([reply.status, reply.body], [200, {}]);
  const expiresMs = NOW + 60_000 + 30_000;
  assert.deepEqual(seen.revoked, [
    [
      { kind: "id", authenticator: "keys", id: "key-7" },
      { expiresMs, by: "keys/job" },
    ],
  ]);
});

test("a subject gives its key back, whoever got it", async () => {
  const facts = { ...own.facts, principal: workload("old") };
  const { ask, seen } = tokenGround({ keys: { [own.key]: facts } });
  assert.equal((await ask(revoke(asOld()))).status, 200);
  assert.equal(seen.revoked.length, 1);
});

test("a client cannot give another's key back", async () => {
  const { ask, seen } = tokenGround(withKey);
  const reply = await ask(revoke(asBilling()));
  assert.deepEqual([reply.status, reply.body["error"]], [400, "unauthorized_client"]);
  assert.deepEqual(seen.revoked, []);
});

test("what is no key of ours is answered as one that was revoked", async () => {
  const { ask, seen } = tokenGround();
  const reply = await ask(revoke(asJob()));
  assert.deepEqual([reply.status, seen.revoked], [200, []]);
});

test("a revocation that cannot be kept is to be tried again", async () => {
  const { ask } = tokenGround({
    ...withKey,
    issuing: { revoke: () => Promise.reject(new SallyportError("store-unavailable", "away")) },
  });
  const reply = await ask(revoke(asJob()));
  assert.deepEqual([reply.status, reply.body["error"]], [503, "temporarily_unavailable"]);
});
