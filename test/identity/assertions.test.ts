/**
 * What services are told of callers, from a configuration to a service that verifies it as it would
 * anywhere: with `jose`, by the key set that it fetches. And what nobody else can tell it.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from "jose";
import { judge } from "../e2e/judge.ts";
import { readRequests, valuesOf } from "../e2e/strict-http1.ts";
import {
  type AttackOptions,
  requestBytes,
  type Stage,
  type StageOptions,
  startStage,
} from "../e2e/stage.ts";
import { type Scope, shared } from "../shared.ts";

const ISSUER = "https://sallyport.example/assertions";

const AUTHORITY = `
authority:
  issuer: https://sallyport.example
  store: sqlite:state/store.db
  keyEncryptionKey: { file: kek }
`;
const WORKERS = "workers: 2\nsupervisor: { folder: run }\n";

const ROUTES = `
  - { name: billing, path: "/guarded/billing", service: recorder, authenticate: [test], assertion: { audience: billing } }
  - { name: orders, path: "/guarded/orders", service: recorder, authenticate: [test], assertion: { audience: orders }, identityFields: [subject, roles, scopes] }
  - { name: either, path: "/either", service: recorder, authenticate: [test, anonymous], assertion: {}, identityFields: [subject, kind] }
  - { name: socket, path: /socket, service: recorder, authenticate: [test], assertion: {}, upgrades: [websocket] }
`;

const POLICIES = `
@id("known")
permit (principal is Sallyport::Workload, action, resource);
`;

async function ground(scope: Scope, options: StageOptions): Promise<Stage> {
  const stage = await startStage({
    listener: "    serve: [well-known]",
    routes: ROUTES,
    policies: POLICIES,
    secrets: { kek: Buffer.alloc(32, 3).toString("base64url") },
    prepare: (folder) => mkdirSync(join(folder, "state"), { mode: 0o700, recursive: true }),
    ...options,
  });
  scope.after(() => stage.close());
  return stage;
}

const withAuthority = shared((scope) =>
  ground(scope, { config: AUTHORITY, adminSocket: "run/admin.sock" }),
);
const withoutAuthority = shared((scope) =>
  ground(scope, { config: `assertions: { issuer: "${ISSUER}" }\n` }),
);

/** Fields of the request as the service got it; fails where none of this path arrived. */
async function sent(
  stage: Stage,
  path: string,
  given: readonly string[] = [],
  options: AttackOptions = {},
): Promise<(name: string) => readonly string[]> {
  const evidence = await stage.attack(requestBytes(path, given), options);
  const arrived = evidence.arrived.flatMap((text) => readRequests(text).messages);
  const request = arrived.find(({ target }) => target === path);
  assert.ok(request, `nothing reached the service at ${path}: ${evidence.answer}`);
  return (name) => valuesOf(request, name);
}

function bearer(stage: Stage, claims: object = {}): string {
  return `Authorization: Bearer ${stage.issuer.token({ roles: ["Admin"], ...claims })}`;
}

function verified(stage: Stage, token: string, audience: string): Promise<JWTPayload> {
  const url = new URL(`http://${stage.proxy}/.well-known/sallyport/assertions.json`);
  return jwtVerify(token, createRemoteJWKSet(url), {
    issuer: ISSUER,
    audience,
    typ: "sallyport-assertion+jwt",
    requiredClaims: ["sub", "exp", "iat"],
  }).then(({ payload }) => payload);
}

const signedByWorkers = `assertions: { issuer: "${ISSUER}", algorithm: ES256 }\n${WORKERS}`;

for (const [kind, started] of [
  ["with the authority in it", withAuthority],
  [
    "of a supervisor with the authority and two workers",
    (t: Scope) => ground(t, { config: AUTHORITY + WORKERS }),
  ],
  ["without an authority", withoutAuthority],
  ["of workers without an authority", (t: Scope) => ground(t, { config: signedByWorkers })],
] as const) {
  test(`the assertions of a process ${kind} verify at the service, and at no other`, async (t) => {
    const stage = await started(t);
    for (let round = 0; round < 4; round++) {
      const own = bearer(stage, { sub: `caller-${round}` });
      const got = await sent(stage, "/guarded/billing", [own]);
      const [token = "", ...more] = got("x-sallyport-assertion");
      assert.deepEqual(more, []);
      const payload = await verified(stage, token, "billing");
      assert.equal(payload.sub, `test/caller-${round}`);
      assert.deepEqual(payload["roles"], ["Admin"]);
      assert.equal(payload["kind"], "workload");
      await assert.rejects(verified(stage, token, "orders"), {
        code: "ERR_JWT_CLAIM_VALIDATION_FAILED",
      });
    }
  });
}

const SPELLINGS = [
  "x-sallyport-assertion",
  "X-Sallyport-Assertion",
  "x_sallyport_assertion",
  "X-SALLYPORT_assertion",
  "x.sallyport.assertion",
  "x-sallyport-subject",
  "x_sallyport_roles",
  "sallyport-subject",
  "x-sallyport-anything-else",
];

for (const over of ["http/1.1", "h2"] as const) {
  test(`what a caller says of itself never arrives, in no spelling (${over})`, async () => {
    const stage = await withoutAuthority();
    const mine = await sent(stage, "/guarded/orders", [bearer(stage)]);
    const [stolen = ""] = mine("x-sallyport-assertion");
    for (const path of ["/guarded/orders", "/either", "/open"]) {
      const spoofed = SPELLINGS.map(
        (name) => `${over === "h2" ? name.toLowerCase() : name}: forged-value`,
      );
      const evidence = await stage.attack(
        requestBytes(path, path === "/guarded/orders" ? [bearer(stage), ...spoofed] : spoofed),
        { over, spoofed: ["forged-value"] },
      );
      assert.deepEqual(judge(evidence), []);
      const text = evidence.arrived.join("");
      assert.match(text, new RegExp(`^GET ${path} `, "m"));
      assert.doesNotMatch(text, /forged/);
      if (path !== "/guarded/orders") assert.doesNotMatch(text, /x-sallyport-/);
    }
    // Nor does one that was good when we made it.
    const again = await sent(stage, "/either", [`x-sallyport-assertion: ${stolen}`], { over });
    assert.deepEqual(again("x-sallyport-assertion"), []);
  });
}

test("nothing is asserted of callers that nobody knows", async () => {
  const stage = await withoutAuthority();
  const got = await sent(stage, "/either");
  for (const name of ["assertion", "subject", "kind"]) {
    assert.deepEqual(got(`x-sallyport-${name}`), [], name);
  }
});

test("an assertion is no credential, whoever is asked to take it", async () => {
  const stage = await withAuthority();
  const got = await sent(stage, "/guarded/billing", [bearer(stage)]);
  const [token = ""] = got("x-sallyport-assertion");
  for (const path of ["/guarded/billing", "/either"]) {
    const evidence = await stage.attack(requestBytes(path, [`Authorization: Bearer ${token}`]));
    assert.match(evidence.answer, /^HTTP\/1.1 401 /, path);
  }
  // Everything right but the type.
  const typed = stage.issuer.token({}, { typ: "sallyport-assertion+jwt" });
  const evidence = await stage.attack(
    requestBytes("/guarded/billing", [`Authorization: Bearer ${typed}`]),
  );
  assert.match(evidence.answer, /^HTTP\/1.1 401 /);
  assert.match(evidence.answer, /"reason":"invalid-token-type"/);
});

test("plain fields name the caller as the assertion does", async () => {
  const stage = await withoutAuthority();
  const claims = { sub: "a b,ü", roles: ["Admin", "x,y"], scope: "read write" };
  const got = await sent(stage, "/guarded/orders", [bearer(stage, claims)]);
  assert.deepEqual(got("x-sallyport-subject"), ["test/a%20b,%C3%BC"]);
  assert.deepEqual(got("x-sallyport-roles"), ["Admin,test/x%2Cy"]);
  assert.deepEqual(got("x-sallyport-scopes"), ["read,write"]);
  const [token = ""] = got("x-sallyport-assertion");
  const payload = await verified(stage, token, "orders");
  assert.equal(payload.sub, "test/a b,ü");
  assert.deepEqual(payload["roles"], ["Admin", "test/x,y"]);
});

test("a service is told who opens a WebSocket", async () => {
  const stage = await withoutAuthority();
  const upgrade = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  ];
  const got = await sent(stage, "/socket", [bearer(stage), ...upgrade]);
  const [token = ""] = got("x-sallyport-assertion");
  assert.equal((await verified(stage, token, "recorder")).sub, "test/tester");
});

test("assertions by a key that an emergency ended verify no more, and those after it do", async () => {
  const stage = await withAuthority();
  const first = await sent(stage, "/guarded/billing", [bearer(stage)]);
  const [old = ""] = first("x-sallyport-assertion");
  await verified(stage, old, "billing");
  await command(stage, "keys", "rotate", "assertions", "--emergency");
  await assert.rejects(verified(stage, old, "billing"), { code: "ERR_JWKS_NO_MATCHING_KEY" });
  const second = await sent(stage, "/guarded/billing", [bearer(stage)]);
  const [next = ""] = second("x-sallyport-assertion");
  await verified(stage, next, "billing");
});

const sallyport = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));

async function command(stage: Stage, ...args: readonly string[]): Promise<void> {
  const runtime = process.versions["bun"] === undefined ? "node" : "bun";
  const child = spawn(sallyport, [...args], {
    cwd: stage.folder,
    env: { ...process.env, SALLYPORT_RUNTIME: runtime },
    stdio: "ignore",
  });
  const code = await new Promise((resolve) => {
    child.once("close", resolve);
  });
  assert.equal(code, 0);
}
