/** What comes of each grant, and each way in which nothing does, with the error of its RFC. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ACCESS_TOKEN,
  alice,
  asJob,
  CERTIFICATE,
  EXCHANGE,
  type GroundOptions,
  JWT_BEARER,
  NOW,
  ORIGIN,
  ownKey,
  TOKEN,
  tokenGround,
  type TokenRequest,
  workload,
} from "../../../test/authority/token-ground.ts";
import { dpopClient } from "../../../test/identity/dpop-client.ts";
import { factsOf } from "../../../test/identity/facts.ts";
import type { CredentialFacts } from "../../model/facts.ts";
import { SallyportError } from "../../model/errors.ts";
import type { Reason } from "../../model/reason.ts";

const proofs = dpopClient();
const others = dpopClient("ES256", "stranger");

function proof(of = proofs, more: object = {}): readonly string[] {
  const url = `${ORIGIN}${TOKEN}`;
  return ["dpop", of.proof({ method: "POST", url, token: undefined, nowMs: NOW, ...more })];
}

const exchange = (more: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  grant_type: EXCHANGE,
  audience: "billing",
  subject_token: "alice",
  subject_token_type: ACCESS_TOKEN,
  ...asJob(),
  ...more,
});
const withAlice: GroundOptions = { subjects: { alice } };

test("client credentials give a key for the client itself", async () => {
  const { askAsJob, seen } = tokenGround();
  const reply = await askAsJob({ scope: "read write", expires_in: "60" });
  assert.deepEqual(reply.body, {
    access_token: "key-1",
    token_type: "Bearer",
    expires_in: 60,
    scope: "read write",
  });
  assert.equal(reply.field("cache-control"), "no-store");
  assert.equal(reply.field("sallyport-decision"), "decision-1");
  const [question, ...more] = seen.questions;
  assert.equal(more.length, 0);
  assert.deepEqual(
    { ...question, facts: question?.facts.principal.subject },
    {
      as: "subject",
      facts: "job",
      service: "billing",
      grant: "client-credentials",
      scopes: ["read", "write"],
      lifetimeSeconds: 60,
      binding: "none",
      narrowed: false,
      clientId: "job",
      other: undefined,
    },
  );
  assert.equal(seen.claims[0]?.sub, "keys/job");
  const { key, reason } = seen.outcomes[0] ?? {};
  assert.equal(reason, "permitted");
  assert.deepEqual(
    [key?.audience, key?.scopes, key?.clientId],
    [["billing"], ["read", "write"], "job"],
  );
});

test("a key is for each service that is named, and policies are asked about each", async () => {
  const { ask, seen } = tokenGround();
  const body = [
    ...Object.entries({ grant_type: "client_credentials", ...asJob() }),
    ["audience", "billing"],
    ["resource", "urn:sallyport:service:orders"],
    ["resource", "https://billing.example.com"],
  ] as const;
  const reply = await ask({ body });
  assert.equal(reply.status, 200);
  assert.deepEqual(
    seen.questions.map(({ service }) => service),
    ["billing", "orders"],
  );
  assert.deepEqual(seen.claims[0]?.aud, ["billing", "orders"]);
});

test("a token is exchanged for a key in which the client acts for its subject", async () => {
  const { ask, seen } = tokenGround(withAlice);
  const reply = await ask({ body: exchange({ scope: "read" }) });
  assert.equal(reply.body["issued_token_type"], ACCESS_TOKEN);
  assert.deepEqual(
    seen.questions.map(({ as, facts, other }) => [as, facts.principal.subject, other?.subject]),
    [
      ["subject", "alice", "job"],
      ["actor", "job", "alice"],
    ],
  );
  assert.equal(seen.claims[0]?.sub, "corp/alice");
  assert.deepEqual(seen.claims[0]?.act, { sub: "keys/job" });
});

test("the issued token type is the one that was asked for", async () => {
  const { ask } = tokenGround(withAlice);
  const jwt = "urn:ietf:params:oauth:token-type:jwt";
  const reply = await ask({
    body: exchange({ requested_token_type: jwt, subject_token_type: jwt }),
  });
  assert.equal(reply.body["issued_token_type"], jwt);
});

test("an actor token says who acts, and the client acts before it", async () => {
  const robot = factsOf({ principal: workload("robot", "mesh"), tokenId: "robot-1" });
  const { ask, seen } = tokenGround({ subjects: { alice, robot } });
  await ask({ body: exchange({ actor_token: "robot", actor_token_type: ACCESS_TOKEN }) });
  assert.deepEqual(seen.claims[0]?.act, { sub: "keys/job", act: { sub: "mesh/robot" } });
  assert.deepEqual(
    seen.questions.map(({ as, facts, other }) => [as, facts.principal.subject, other?.subject]),
    [
      ["subject", "alice", "job"],
      ["subject", "alice", "robot"],
      ["actor", "job", "alice"],
      ["actor", "robot", "alice"],
    ],
  );
  const names = seen.claims[0]?.ancestors?.map(({ principal }) => principal?.subject);
  assert.deepEqual(names, [undefined, "job", "robot"]);
});

test("a client whose own token is the actor's acts once", async () => {
  const { key, facts } = ownKey({ principal: workload("job") });
  const { ask, seen } = tokenGround({ subjects: { alice, [key]: facts } });
  await ask({ body: exchange({ actor_token: key, actor_token_type: ACCESS_TOKEN }) });
  assert.deepEqual(seen.claims[0]?.act, { sub: "keys/job" });
  assert.deepEqual(
    seen.questions.map(({ as }) => as),
    ["subject", "actor"],
  );
  assert.equal(seen.claims[0]?.ancestors?.[1]?.id, "key-7");
});

test("a key is narrowed to names that there are, and told of no others", async () => {
  const { askAsJob } = tokenGround();
  const narrow = async (more: object) => {
    const entry = { type: "sallyport", ...more };
    return await askAsJob({ authorization_details: JSON.stringify([entry]) });
  };
  const known = {
    services: ["billing"],
    routes: ["invoices"],
    operations: ["billing:getInvoice"],
  };
  const { body } = await narrow(known);
  assert.deepEqual(body["authorization_details"], [{ type: "sallyport", ...known }]);
  const refused = await narrow({ routes: ["invoice"] });
  assert.equal(
    refused.body["error_description"],
    "routes of an entry name one that no service has",
  );
});

test("a client that exchanges a key of its own acts for nobody", async () => {
  const { key, facts } = ownKey({ principal: workload("job") });
  const { ask, seen } = tokenGround({ subjects: { [key]: facts } });
  const details = [{ type: "sallyport", methods: ["GET"], routes: ["invoices"] }];
  const reply = await ask({
    body: exchange({
      subject_token: key,
      authorization_details: JSON.stringify(details),
      expires_in: "10",
    }),
  });
  assert.deepEqual(reply.body["authorization_details"], details);
  assert.equal(seen.claims[0]?.act, undefined);
  assert.deepEqual(
    seen.questions.map(({ as, narrowed }) => [as, narrowed]),
    [["subject", true]],
  );
  assert.deepEqual(seen.outcomes[0]?.key?.ancestors[0]?.id, "key-7");
});

test("a client that acts already is not put before itself, and is asked about", async () => {
  const actor = {
    authenticator: "keys",
    subject: "job",
    issuer: undefined,
    clientId: undefined,
    behind: [],
  };
  const { key, facts } = ownKey({ actor });
  const { ask, seen } = tokenGround({ subjects: { [key]: facts } });
  await ask({ body: exchange({ subject_token: key }) });
  assert.deepEqual(seen.claims[0]?.act, { sub: "keys/job" });
  assert.deepEqual(
    seen.questions.map(({ as }) => as),
    ["subject", "actor"],
  );
});

test("an assertion of somebody else gives a key in which the client acts (RFC 7523)", async () => {
  const { ask, seen } = tokenGround(withAlice);
  const body = { grant_type: JWT_BEARER, audience: "billing", assertion: "alice", ...asJob() };
  const reply = await ask({ body });
  assert.equal(reply.status, 200);
  assert.equal(reply.body["issued_token_type"], undefined);
  assert.deepEqual(
    seen.questions.map(({ grant, as }) => [grant, as]),
    [
      ["jwt-bearer", "subject"],
      ["jwt-bearer", "actor"],
    ],
  );
});

test("a DPoP proof binds the key to its key", async () => {
  const { askAsJob, seen } = tokenGround();
  const reply = await askAsJob({}, { fields: proof(), certificate: CERTIFICATE });
  assert.equal(reply.body["token_type"], "DPoP");
  assert.deepEqual(seen.claims[0]?.cnf, { jkt: proofs.thumbprint });
  assert.equal(seen.questions[0]?.binding, "dpop");
});

test("a client that is known by its certificate gets keys that are bound to it", async () => {
  const { ask, seen } = tokenGround();
  const body = { grant_type: "client_credentials", audience: "billing", client_id: "job" };
  const reply = await ask({ body, certificate: CERTIFICATE });
  assert.equal(reply.body["token_type"], "Bearer");
  assert.deepEqual(seen.claims[0]?.cnf, { "x5t#S256": CERTIFICATE });
  assert.equal(seen.questions[0]?.binding, "mtls");
});

test("nonces are asked for and given where proofs need them (RFC 9449 section 8)", async () => {
  const { askAsJob } = tokenGround({ nonce: "required" });
  const first = await askAsJob({}, { fields: proof() });
  assert.deepEqual([first.status, first.body["error"]], [400, "use_dpop_nonce"]);
  const nonce = first.field("dpop-nonce");
  assert.ok(nonce !== undefined);
  assert.equal((await askAsJob({}, { fields: proof(proofs, { nonce }) })).status, 200);
});

const bound = (confirmation: Partial<NonNullable<CredentialFacts["confirmation"]>>) => ({
  ...alice,
  confirmation: {
    keyThumbprint: undefined,
    certificateThumbprint: undefined,
    other: false,
    ...confirmation,
  },
});
const byKey: GroundOptions = { subjects: { alice: bound({ keyThumbprint: proofs.thumbprint }) } };
const byCertificate: GroundOptions = {
  subjects: { alice: bound({ certificateThumbprint: CERTIFICATE }) },
};

test("a bound token is exchanged with its proof, and the key is bound to the same", async () => {
  const first = tokenGround(byKey);
  assert.equal((await first.ask({ body: exchange(), fields: proof() })).status, 200);
  assert.deepEqual(first.seen.claims[0]?.cnf, { jkt: proofs.thumbprint });
  const second = tokenGround(byCertificate);
  assert.equal((await second.ask({ body: exchange(), certificate: CERTIFICATE })).status, 200);
  assert.deepEqual(second.seen.claims[0]?.cnf, { "x5t#S256": CERTIFICATE });
});

interface Row {
  readonly request: TokenRequest;
  readonly options?: GroundOptions;
  readonly error: string;
  readonly status?: number;
  readonly reason?: Reason;
}

const own = ownKey();
const withOwn: GroundOptions = { subjects: { [own.key]: own.facts } };
const self = (more: Readonly<Record<string, string>>): TokenRequest => ({
  body: { grant_type: "client_credentials", audience: "billing", ...asJob(), ...more },
});
const of = (more: Readonly<Record<string, string>>): TokenRequest => ({ body: exchange(more) });
const bearer = (more: Readonly<Record<string, string>>): TokenRequest => ({
  body: {
    grant_type: JWT_BEARER,
    audience: "billing",
    assertion: "alice",
    ...asJob(),
    ...more,
  },
});
const details = (value: unknown) => ({ authorization_details: JSON.stringify(value) });

const HOSTILE: Readonly<Record<string, Row>> = {
  "no grant": { request: { body: asJob() }, error: "invalid_request" },
  "an unknown grant": {
    request: self({ grant_type: "password" }),
    error: "unsupported_grant_type",
  },
  "an authorization code": {
    request: self({ grant_type: "authorization_code" }),
    error: "unsupported_grant_type",
  },
  // What is asked for.
  "no service": { request: self({ audience: "" }), error: "invalid_request" },
  "an unknown service": { request: self({ audience: "nowhere" }), error: "invalid_target" },
  "an unknown resource": {
    request: self({ resource: "https://nowhere.example" }),
    error: "invalid_target",
  },
  "an unknown service by its URN": {
    request: self({ resource: "urn:sallyport:service:nowhere" }),
    error: "invalid_target",
  },
  "a resource that two services have": {
    request: self({ resource: "https://both.example" }),
    error: "invalid_target",
  },
  "a service that is a member of every object": {
    request: self({ audience: "constructor" }),
    error: "invalid_target",
  },
  "a scope with a quote": { request: self({ scope: 'a"b' }), error: "invalid_scope" },
  "scopes with two spaces": { request: self({ scope: "a  b" }), error: "invalid_scope" },
  "a lifetime that is none": { request: self({ expires_in: "1e9" }), error: "invalid_request" },
  "a lifetime of nothing": { request: self({ expires_in: "0" }), error: "invalid_request" },
  "details of another type": {
    request: self(details([{ type: "payment" }])),
    error: "invalid_authorization_details",
  },
  "details with what we do not enforce": {
    request: self(details([{ type: "sallyport", amount: 7 }])),
    error: "invalid_authorization_details",
  },
  "details that are no JSON": {
    request: self({ authorization_details: "{" }),
    error: "invalid_authorization_details",
  },
  ...Object.fromEntries(
    Object.entries({
      "a route that does not exist": { routes: ["invoices", "invoice"] },
      "a route that is a member of every object": { routes: ["constructor"] },
      "a route without a service": { routes: ["home"] },
      "a route of another service": { routes: ["orders"] },
      "a route of a service that the entry has not": {
        services: ["orders"],
        routes: ["invoices"],
      },
      "a service that does not exist": { services: ["billing", "nowhere"] },
      "an operation that does not exist": { operations: ["billing:getInvoices"] },
      "an operation without its service": { operations: ["getInvoice"] },
      "an operation of another service": { operations: ["orders:getOrder"] },
    }).map(([what, entry]): [string, Row] => [
      `details with ${what}`,
      {
        request: self(details([{ type: "sallyport" }, { type: "sallyport", ...entry }])),
        error: "invalid_authorization_details",
      },
    ]),
  ),
  ...Object.fromEntries(
    Object.entries({ "does not exist": "invoice", "its services do not have": "orders" }).map(
      ([what, route]): [string, Row] => [
        `details with a route that ${what}, in an exchange for the same services`,
        {
          request: {
            body: {
              ...exchange({
                subject_token: own.key,
                ...details([{ type: "sallyport", routes: [route] }]),
              }),
              audience: "",
            },
          },
          options: withOwn,
          error: "invalid_authorization_details",
        },
      ],
    ),
  ),
  "details for another service": {
    request: self(details([{ type: "sallyport", services: ["orders"] }])),
    error: "invalid_authorization_details",
  },
  // Exchange.
  "no subject token": {
    request: of({ subject_token: "", subject_token_type: "" }),
    error: "invalid_request",
  },
  "a subject token without its type": {
    request: of({ subject_token_type: "" }),
    error: "invalid_request",
  },
  "a type without a subject token": {
    request: of({ subject_token: "" }),
    error: "invalid_request",
  },
  "an ID token": {
    request: of({ subject_token_type: "urn:ietf:params:oauth:token-type:id_token" }),
    error: "invalid_request",
  },
  "a SAML assertion": {
    request: of({ subject_token_type: "urn:ietf:params:oauth:token-type:saml2" }),
    error: "invalid_request",
  },
  "a refresh token that is asked for": {
    request: of({ requested_token_type: "urn:ietf:params:oauth:token-type:refresh_token" }),
    error: "invalid_request",
  },
  "an actor's type without its token": {
    request: of({ actor_token_type: ACCESS_TOKEN }),
    error: "invalid_request",
  },
  "an unknown subject token": {
    request: of({ subject_token: "mallory" }),
    error: "invalid_request",
    reason: "unknown-issuer",
  },
  "an actor token of the subject, which would hide the client": {
    request: of({ actor_token: "alice", actor_token_type: ACCESS_TOKEN }),
    options: withAlice,
    error: "invalid_request",
  },
  "an unknown actor token": {
    request: of({ actor_token: "mallory", actor_token_type: ACCESS_TOKEN }),
    error: "invalid_request",
    reason: "unknown-issuer",
  },
  "a subject token that has ended": {
    request: of({}),
    options: { subjects: { alice: { ...alice, expiresAt: NOW / 1000 - 60 } } },
    error: "invalid_request",
    reason: "token-expired",
  },
  "a subject token for somebody else": {
    request: of({}),
    options: { subjects: { alice: { ...alice, audience: ["https://other.example"] } } },
    error: "invalid_request",
    reason: "wrong-audience",
  },
  "a subject token of a key that is gone": {
    request: of({}),
    options: { subjects: { alice: { ...alice, valid: () => false } } },
    error: "invalid_request",
    reason: "unknown-key",
  },
  "a revoked subject token": {
    request: of({}),
    options: { ...withAlice, revoked: ({ tokenId }) => tokenId === "alice-1" },
    error: "invalid_request",
    reason: "credential-revoked",
  },
  "a subject token whose provider is away": {
    request: of({}),
    options: {
      subjects: { alice: { failure: "identity-unavailable", detail: "", costly: false } },
    },
    error: "temporarily_unavailable",
    status: 503,
    reason: "identity-unavailable",
  },
  "where nothing can be exchanged": {
    request: of({}),
    options: { tokens: { subjects: undefined } },
    error: "invalid_request",
    reason: "unknown-issuer",
  },
  // Rule 11.
  "a scope that the key does not have": {
    request: of({ subject_token: own.key, scope: "read write" }),
    options: withOwn,
    error: "invalid_scope",
  },
  "a service that the key is not for": {
    request: of({ subject_token: own.key, audience: "orders" }),
    options: withOwn,
    error: "invalid_target",
  },
  "a token that is bound to a key, without a proof": {
    request: of({}),
    options: byKey,
    error: "invalid_request",
    reason: "missing-proof",
  },
  "a token that is bound to a key, with another's proof": {
    request: { ...of({}), fields: proof(others) },
    options: byKey,
    error: "invalid_request",
    reason: "wrong-proof-key",
  },
  "a token that is bound to a certificate, without one": {
    request: of({}),
    options: byCertificate,
    error: "invalid_request",
    reason: "missing-proof",
  },
  "a token that is bound to another certificate": {
    request: { ...of({}), certificate: "e".repeat(43) },
    options: byCertificate,
    error: "invalid_request",
    reason: "wrong-certificate",
  },
  "a token that is bound to what nobody can check": {
    request: of({}),
    options: { subjects: { alice: bound({ other: true }) } },
    error: "invalid_request",
    reason: "missing-proof",
  },
  "a bound actor token without its proof": {
    request: of({ actor_token: "robot", actor_token_type: ACCESS_TOKEN }),
    options: { subjects: { alice, robot: bound({ keyThumbprint: proofs.thumbprint }) } },
    error: "invalid_request",
    reason: "missing-proof",
  },
  // JWT bearer.
  "no assertion": { request: bearer({ assertion: "" }), error: "invalid_request" },
  "an unknown assertion": {
    request: bearer({ assertion: "mallory" }),
    error: "invalid_grant",
    reason: "unknown-issuer",
  },
  "an assertion that has ended": {
    request: bearer({}),
    options: { subjects: { alice: { ...alice, expiresAt: NOW / 1000 - 60 } } },
    error: "invalid_grant",
    reason: "token-expired",
  },
  "an assertion for somebody else": {
    request: bearer({}),
    options: { subjects: { alice: { ...alice, audience: ["https://other.example"] } } },
    error: "invalid_grant",
    reason: "wrong-audience",
  },
  "a bound assertion without its proof": {
    request: bearer({}),
    options: byKey,
    error: "invalid_grant",
    reason: "missing-proof",
  },
  // Proofs.
  "a proof that is none": {
    request: { ...self({}), fields: ["dpop", "abc"] },
    error: "invalid_dpop_proof",
    reason: "invalid-proof",
  },
  "two proofs": {
    request: { ...self({}), fields: [...proof(), ...proof()] },
    error: "invalid_dpop_proof",
    reason: "invalid-proof",
  },
  "a proof for another endpoint": {
    request: { ...self({}), fields: proof(proofs, { url: `${ORIGIN}/other` }) },
    error: "invalid_dpop_proof",
    reason: "invalid-proof",
  },
  "a proof from long ago": {
    request: { ...self({}), fields: proof(proofs, { nowMs: NOW - 3_600_000 }) },
    error: "invalid_dpop_proof",
    reason: "stale-proof",
  },
  "a proof by another key than it carries": {
    request: { ...self({}), fields: proof(proofs, { signer: others.key }) },
    error: "invalid_dpop_proof",
    reason: "invalid-proof",
  },
  // Policies and what else is looked at for each question.
  "no permit": {
    request: self({}),
    options: { issue: () => "no-permit" },
    error: "unauthorized_client",
    reason: "no-permit",
  },
  "a forbid": {
    request: self({}),
    options: { issue: () => "forbidden" },
    error: "unauthorized_client",
    reason: "forbidden",
  },
  "an exchange that is not permitted to the subject": {
    request: of({}),
    options: { ...withAlice, issue: ({ as }) => (as === "subject" ? "no-permit" : "permitted") },
    error: "invalid_target",
    reason: "no-permit",
  },
  "an exchange that is not permitted to the actor": {
    request: of({}),
    options: { ...withAlice, issue: ({ as }) => (as === "actor" ? "no-permit" : "permitted") },
    error: "invalid_target",
    reason: "no-permit",
  },
  "an assertion that is not permitted to the client": {
    request: bearer({}),
    options: { ...withAlice, issue: ({ as }) => (as === "actor" ? "forbidden" : "permitted") },
    error: "unauthorized_client",
    reason: "forbidden",
  },
  "a blocked service": {
    request: self({}),
    options: { issue: () => "service-blocked" },
    error: "invalid_target",
    reason: "service-blocked",
  },
  "a subject that was revoked meanwhile": {
    request: of({}),
    options: { ...withAlice, issue: () => "credential-revoked" },
    error: "invalid_request",
    reason: "credential-revoked",
  },
  "a client that was revoked meanwhile": {
    request: self({}),
    options: { issue: () => "credential-revoked" },
    error: "invalid_client",
    status: 401,
    reason: "credential-revoked",
  },
  "a gate that fails": {
    request: self({}),
    options: { issue: () => "internal-error" },
    error: "server_error",
    status: 500,
    reason: "internal-error",
  },
  // What is ours.
  "no key that may sign": {
    request: self({}),
    options: {
      issuing: {
        sign: () => {
          throw new SallyportError("signing-unavailable", "no key");
        },
      },
    },
    error: "temporarily_unavailable",
    status: 503,
    reason: "identity-unavailable",
  },
};

for (const [name, row] of Object.entries(HOSTILE)) {
  test(`the token endpoint refuses ${name}`, async () => {
    const { ask, seen } = tokenGround(row.options ?? withAlice);
    const reply = await ask(row.request);
    assert.deepEqual([reply.status, reply.body["error"]], [row.status ?? 400, row.error]);
    assert.equal(reply.outcome?.reason, row.reason ?? "invalid-token-request");
    assert.equal(reply.outcome?.key, undefined);
    assert.equal(reply.body["access_token"], undefined);
    assert.equal(reply.field("cache-control"), "no-store");
    const told = JSON.stringify(reply.body);
    assert.doesNotMatch(told, /policy|permit|forbid|alice|jti/);
    assert.ok(seen.used.length === 0);
  });
}

test("a denial that policies made is on record of whom it is about, any other of the client", async () => {
  const denied = tokenGround({ ...withAlice, issue: () => "no-permit" });
  await denied.ask({ body: exchange() });
  assert.equal(denied.seen.outcomes[0]?.principal, undefined, "the gate knows");
  const refused = tokenGround();
  await refused.askAsJob({ audience: "nowhere" });
  assert.equal(refused.seen.outcomes[0]?.principal?.subject, "job");
});
