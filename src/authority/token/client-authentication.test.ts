/** Every way to prove a client, and each way in which it is no proof, with the error of the RFC. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  asJob,
  CERTIFICATE,
  clientAssertion,
  ISSUER,
  jobKey,
  NOW,
  ORIGIN,
  OTHER_CERTIFICATE,
  SECRET,
  strangerKey,
  TOKEN,
  tokenGround,
  type GroundOptions,
  type TokenRequest,
  unavailable,
  workload,
} from "../../../test/authority/token-ground.ts";
import { factsOf } from "../../../test/identity/facts.ts";
import { hmacToken, signToken, testKey } from "../../../test/issuer.ts";
import { SallyportError } from "../../model/errors.ts";
import type { Reason } from "../../model/reason.ts";

const FOR_BILLING = { grant_type: "client_credentials", audience: "billing" };

function basic(id: string, secret: string): string {
  const text = `${encodeURIComponent(id)}:${encodeURIComponent(secret)}`;
  return `Basic ${Buffer.from(text).toString("base64")}`;
}

const SVID = "spiffe://prod.example.org/orders";
const svidFacts = factsOf({
  principal: workload(SVID, "mesh"),
  authenticator: "mesh",
  kind: "jwt-svid",
  audience: [ISSUER],
  acceptedAudience: ["sallyport"],
});
const svid = signToken(strangerKey, { alg: "ES256" }, { sub: SVID, aud: ISSUER });
const byMesh = (subject: string) =>
  factsOf({
    principal: workload(subject, "mesh"),
    authenticator: "mesh",
    kind: "mtls",
    audience: undefined,
  });

interface Row {
  readonly request: TokenRequest;
  readonly options?: GroundOptions;
  readonly client: string;
}

const assertion = (of: Parameters<typeof clientAssertion>[0] = {}): TokenRequest => ({
  body: { ...FOR_BILLING, ...asJob(of) },
});
const token = (text: string, more: object = {}): TokenRequest => ({
  body: {
    ...FOR_BILLING,
    client_assertion_type: asJob()["client_assertion_type"] ?? "",
    client_assertion: text,
    ...more,
  },
});

const GOOD: Readonly<Record<string, Row>> = {
  "an assertion for our issuer": { request: assertion(), client: "job" },
  "an assertion for the token endpoint": {
    request: assertion({ claims: { aud: `${ORIGIN}${TOKEN}` } }),
    client: "job",
  },
  "an assertion with its audience as a list": {
    request: assertion({ claims: { aud: [ISSUER] } }),
    client: "job",
  },
  "an assertion with the client's id beside it": {
    request: { body: { ...FOR_BILLING, ...asJob(), client_id: "job" } },
    client: "job",
  },
  "an assertion without kid and iat": {
    request: assertion({ header: { kid: undefined }, claims: { iat: undefined } }),
    client: "job",
  },
  "a JWT-SVID": {
    request: token(svid),
    options: { assertions: () => svidFacts },
    client: `mesh/${SVID}`,
  },
  "a JWT-SVID for the audience of its authenticator, with its subject as client_id": {
    request: token(svid, { client_id: SVID }),
    options: { assertions: () => ({ ...svidFacts, audience: ["sallyport"] }) },
    client: `mesh/${SVID}`,
  },
  "a certificate of a client": {
    request: { certificate: CERTIFICATE, body: { ...FOR_BILLING, client_id: "job" } },
    client: "job",
  },
  "a certificate that an authenticator knows": {
    request: { certificate: OTHER_CERTIFICATE, body: FOR_BILLING },
    options: { certificates: () => byMesh(SVID) },
    client: `mesh/${SVID}`,
  },
  "… with its id as client_id": {
    request: {
      certificate: OTHER_CERTIFICATE,
      body: { ...FOR_BILLING, client_id: `mesh/${SVID}` },
    },
    options: { certificates: () => byMesh(SVID) },
    client: `mesh/${SVID}`,
  },
  "a secret by Basic": {
    request: { authorization: basic("old", SECRET), body: FOR_BILLING },
    client: "old",
  },
  "a secret in the body": {
    request: { body: { ...FOR_BILLING, client_id: "old", client_secret: SECRET } },
    client: "old",
  },
  "an assertion over a connection with a certificate": {
    request: { ...assertion(), certificate: OTHER_CERTIFICATE },
    client: "job",
  },
};

for (const [name, { request, options, client }] of Object.entries(GOOD)) {
  test(`authenticateClient() takes ${name}`, async () => {
    const { ask, seen } = tokenGround(options);
    const { status, body } = await ask(request);
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(seen.questions[0]?.clientId, client);
    assert.equal(seen.claims[0]?.client_id, client);
    assert.equal(seen.charged, 0);
  });
}

test("authenticateClient() finds registered clients, and tells of those that got a key", async () => {
  const registered = {
    id: "new",
    principal: workload("new"),
    keys: [jobKey.jwk as never],
    certificates: [],
    secrets: [],
    source: "registered",
  } as const;
  const { ask, seen } = tokenGround({
    issuing: { client: async (id) => (id === "new" ? registered : undefined) },
  });
  assert.equal((await ask(assertion({ client: "new" }))).status, 200);
  assert.deepEqual(seen.used, ["new"]);
});

test("authenticateClient() is loud about secrets", async () => {
  const { ask, log } = tokenGround();
  await ask({ authorization: basic("old", SECRET), body: FOR_BILLING });
  assert.match(JSON.stringify(log.lines), /used a secret/);
  assert.ok(!JSON.stringify(log.lines).includes(SECRET));
});

interface BadRow {
  readonly request: TokenRequest;
  readonly options?: GroundOptions;
  readonly error?: string;
  readonly status?: number;
  readonly reason?: Reason;
  readonly detail?: RegExp;
  /** Whether it counts against its sender. */
  readonly free?: boolean;
}

const now = NOW / 1000;
const rsa = testKey("job-1", "RS256");
const invalid = (request: TokenRequest, more: Partial<BadRow> = {}): BadRow => ({
  request,
  error: "invalid_client",
  status: 401,
  reason: "invalid-client",
  ...more,
});
const twice = (request: TokenRequest): BadRow => ({
  request,
  error: "invalid_request",
  status: 400,
  reason: "invalid-token-request",
  free: true,
});

const BAD: Readonly<Record<string, BadRow>> = {
  nothing: invalid({ body: FOR_BILLING }, { reason: "missing-credential", free: true }),
  "an id alone": invalid(
    { body: { ...FOR_BILLING, client_id: "job" } },
    { reason: "missing-credential", free: true },
  ),
  // RFC 6749 section 2.3: one way.
  "Basic and a secret in the body": twice({
    authorization: basic("old", SECRET),
    body: { ...FOR_BILLING, client_id: "old", client_secret: SECRET },
  }),
  "Basic and an assertion": twice({ ...assertion(), authorization: basic("old", SECRET) }),
  "a secret and an assertion": twice({
    body: { ...FOR_BILLING, ...asJob(), client_id: "old", client_secret: SECRET },
  }),
  "a bearer token and an assertion": twice({ ...assertion(), authorization: "Bearer abc" }),
  "Basic of one and client_id of another": twice({
    authorization: basic("old", SECRET),
    body: { ...FOR_BILLING, client_id: "job" },
  }),
  "a secret without an id": twice({ body: { ...FOR_BILLING, client_secret: SECRET } }),
  "an assertion without its type": twice({
    body: { ...FOR_BILLING, client_assertion: clientAssertion() },
  }),
  "an assertion of another type": twice({
    body: {
      ...FOR_BILLING,
      client_assertion: clientAssertion(),
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
    },
  }),
  // Secrets.
  "another secret": invalid({ authorization: basic("old", `${SECRET}!`), body: FOR_BILLING }),
  "the hash of the secret": invalid({
    authorization: basic("old", tokenGround().tokens.declared.get("old")?.secrets[0] ?? ""),
    body: FOR_BILLING,
  }),
  "a secret of a client that has none": invalid({
    authorization: basic("job", SECRET),
    body: FOR_BILLING,
  }),
  "a secret of nobody": invalid({ authorization: basic("nobody", SECRET), body: FOR_BILLING }),
  "Basic that is no Base64": invalid({ authorization: "Basic old", body: FOR_BILLING }),
  "Basic without a colon": invalid({
    authorization: `Basic ${Buffer.from("old").toString("base64")}`,
    body: FOR_BILLING,
  }),
  "a bearer token": invalid({ authorization: "Bearer abc", body: FOR_BILLING }),
  // private_key_jwt.
  "an assertion by another key": invalid(assertion({ key: strangerKey }), { detail: /signature/ }),
  "an assertion by another key under the client's kid": invalid(
    assertion({ key: strangerKey, header: { kid: "job-1" } }),
  ),
  "an assertion by another algorithm": invalid(assertion({ key: rsa })),
  "an assertion without a signature": invalid(
    token(clientAssertion({ header: { alg: "none" } }).replace(/[^.]*$/, "")),
  ),
  "an assertion with the public key as a secret": invalid(
    token(
      hmacToken(
        JSON.stringify(jobKey.jwk),
        { alg: "HS256" },
        {
          iss: "job",
          sub: "job",
          aud: ISSUER,
          exp: now + 60,
          jti: "h",
        },
      ),
    ),
  ),
  "an assertion that brings its key": invalid(
    assertion({ key: strangerKey, header: { kid: undefined, jwk: strangerKey.jwk } }),
  ),
  "an assertion of an unknown client": invalid(assertion({ client: "nobody" })),
  "an assertion of an id that could be none": invalid(assertion({ client: "no/body" })),
  "an assertion of another client": invalid(assertion({ client: "billing" })),
  "client_id of another than the assertion": invalid({
    body: { ...FOR_BILLING, ...asJob(), client_id: "billing" },
  }),
  "iss and sub that differ": invalid(assertion({ claims: { sub: "billing" } }), {
    reason: "unknown-issuer",
  }),
  "an assertion for somebody else": invalid(
    assertion({ claims: { aud: "https://other.example" } }),
    {
      detail: /aud/,
    },
  ),
  "an assertion for us and somebody else": invalid(
    assertion({ claims: { aud: [ISSUER, "https://other.example"] } }),
    { detail: /aud/ },
  ),
  "an assertion for nobody": invalid(assertion({ claims: { aud: undefined } })),
  "an assertion without exp": invalid(assertion({ claims: { exp: undefined } })),
  "an assertion that lives long": invalid(assertion({ claims: { exp: now + 3600 } }), {
    detail: /longer/,
  }),
  "an assertion that has ended": invalid(assertion({ claims: { exp: now - 60 } }), {
    reason: "token-expired",
  }),
  "an assertion from the future": invalid(assertion({ claims: { iat: now + 120 } }), {
    reason: "token-not-yet-valid",
  }),
  "an assertion that is not good yet": invalid(assertion({ claims: { nbf: now + 120 } }), {
    reason: "token-not-yet-valid",
  }),
  "an assertion without jti": invalid(assertion({ claims: { jti: undefined } }), { detail: /jti/ }),
  "an assertion with an endless jti": invalid(assertion({ claims: { jti: "x".repeat(257) } })),
  "an access token of the client's own making": invalid(assertion({ header: { typ: "at+jwt" } }), {
    detail: /typ/,
  }),
  "a DPoP proof as an assertion": invalid(assertion({ header: { typ: "dpop+jwt" } })),
  "no JWT": invalid(token("abc"), { reason: "malformed-credential" }),
  "what cannot be remembered": {
    request: assertion(),
    options: { shared: unavailable },
    error: "temporarily_unavailable",
    status: 503,
    reason: "memory-unavailable",
    free: true,
  },
  "a store that does not answer": {
    request: assertion({ client: "new" }),
    options: {
      issuing: {
        client: () => Promise.reject(new SallyportError("store-unavailable", "no database")),
      },
    },
    error: "temporarily_unavailable",
    status: 503,
    reason: "identity-unavailable",
    free: true,
  },
  // Tokens of workloads.
  "a token of nobody": invalid(token(svid), { reason: "unknown-issuer" }),
  "a JWT-SVID for another audience": invalid(token(svid), {
    options: { assertions: () => ({ ...svidFacts, audience: ["billing"] }) },
    reason: "wrong-audience",
  }),
  "a JWT-SVID that has ended": invalid(token(svid), {
    options: { assertions: () => ({ ...svidFacts, expiresAt: now - 60 }) },
    reason: "token-expired",
  }),
  "a JWT-SVID with another client_id": invalid(token(svid, { client_id: "job" }), {
    options: { assertions: () => svidFacts },
  }),
  "a bound token": invalid(token(svid), {
    options: {
      assertions: () => ({
        ...svidFacts,
        confirmation: { keyThumbprint: "k", certificateThumbprint: undefined, other: false },
      }),
    },
    reason: "missing-proof",
  }),
  "an authenticator whose keys are away": {
    request: token(svid),
    options: {
      assertions: () => ({ failure: "identity-unavailable", detail: "no keys", costly: false }),
    },
    error: "temporarily_unavailable",
    status: 503,
    reason: "identity-unavailable",
    free: true,
  },
  "a revoked workload": invalid(token(svid), {
    options: { assertions: () => svidFacts, revoked: () => true },
    reason: "credential-revoked",
  }),
  "a revoked client": invalid(assertion(), {
    options: { revoked: ({ principal }) => principal.subject === "job" },
    reason: "credential-revoked",
  }),
  // Certificates.
  "another certificate than the client's": invalid({
    certificate: OTHER_CERTIFICATE,
    body: { ...FOR_BILLING, client_id: "job" },
  }),
  "a workload's certificate under a client's id": invalid(
    { certificate: OTHER_CERTIFICATE, body: { ...FOR_BILLING, client_id: "job" } },
    { options: { certificates: () => byMesh(SVID) } },
  ),
  "the certificate of a client that it does not name": invalid({
    certificate: CERTIFICATE,
    body: FOR_BILLING,
  }),
  "a certificate that is refused": invalid(
    { certificate: OTHER_CERTIFICATE, body: FOR_BILLING },
    {
      options: {
        certificates: () => ({ failure: "wrong-identity", detail: "no SVID", costly: false }),
      },
      reason: "wrong-identity",
    },
  ),
  "a certificate with another client_id": invalid(
    { certificate: OTHER_CERTIFICATE, body: { ...FOR_BILLING, client_id: "spiffe://other/x" } },
    { options: { certificates: () => byMesh(SVID) } },
  ),
};

for (const [name, row] of Object.entries(BAD)) {
  test(`authenticateClient() refuses ${name}`, async () => {
    const { ask, seen } = tokenGround(row.options);
    const reply = await ask(row.request);
    assert.deepEqual([reply.status, reply.body["error"]], [row.status, row.error]);
    assert.equal(reply.outcome?.reason, row.reason);
    if (row.detail !== undefined) assert.match(reply.outcome?.detail ?? "", row.detail);
    assert.equal(seen.charged, row.free === true ? 0 : 1);
    assert.deepEqual([seen.questions.length, seen.claims.length], [0, 0]);
    const basicUsed = row.request.authorization !== undefined && row.status === 401;
    assert.equal(reply.field("www-authenticate")?.startsWith("Basic ") ?? false, basicUsed);
  });
}

test("authenticateClient() takes an assertion once, at whichever endpoint", async () => {
  const { ask } = tokenGround();
  const request = assertion();
  assert.equal((await ask(request)).status, 200);
  const again = await ask(request);
  assert.deepEqual([again.status, again.body["error"]], [401, "invalid_client"]);
  assert.equal(again.outcome?.reason, "replayed-assertion");
  const elsewhere = await ask({
    path: "/.sallyport/introspect",
    body: { ...(request.body as object), token: "x" },
  });
  assert.equal(elsewhere.outcome?.reason, "replayed-assertion");
});

test("authenticateClient() refuses an assertion from before its memory was lost", async () => {
  const { shared } = tokenGround();
  const lost = { ...shared, since: NOW + 1, claim: () => true };
  const { ask } = tokenGround({ shared: lost });
  assert.equal((await ask(assertion())).outcome?.reason, "replayed-assertion");
});

test("authenticateClient() does not let one client use up the assertions of another", async () => {
  const { ask } = tokenGround();
  const jti = "the-same";
  assert.equal((await ask(assertion({ claims: { jti } }))).status, 200);
  const other = assertion({ client: "billing", key: testKey("billing", "ES256"), claims: { jti } });
  assert.equal((await ask(other)).status, 200);
});
