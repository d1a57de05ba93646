/**
 * The token endpoint of a proxy as `sallyport run` starts it, by a client library that we did not write:
 * each grant, each way to prove a client, what becomes of the keys, and what is refused.
 */
import assert from "node:assert/strict";
import { createPrivateKey, webcrypto } from "node:crypto";
import { after, before, test } from "node:test";
import * as oauth from "openid-client";
import type { TestCertificate } from "../certificates.ts";
import { type Stage, until } from "../e2e/stage.ts";
import { dpopClient } from "../identity/dpop-client.ts";
import { discover, fetchOver, type Reaching } from "./oauth-client.ts";
import {
  ISSUER,
  jobCertificate,
  jobKey,
  ORDERS,
  ordersSvid,
  otherCertificate,
  SECRET,
  serverAuthority,
  startTokenStage,
  svids,
} from "./token-stage.ts";

const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

let stage: Stage;
let privateKey: webcrypto.CryptoKey;

before(async () => {
  stage = await startTokenStage();
  const der = createPrivateKey(jobKey.privateKey.export({ type: "pkcs8", format: "pem" })).export({
    type: "pkcs8",
    format: "der",
  });
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  privateKey = await webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
});
after(async () => await stage.close());

function reaching(certificate?: TestCertificate): Reaching {
  return { address: stage.proxy, ca: serverAuthority, certificate };
}

async function job(certificate?: TestCertificate): Promise<oauth.Configuration> {
  const auth = oauth.PrivateKeyJwt({ key: privateKey, kid: "job-1" });
  return await discover(ISSUER, "job", { auth, reaching: reaching(certificate) });
}

/** What a route says to a key. */
async function call(
  key: string,
  more: {
    readonly path?: string;
    readonly method?: string;
    readonly fields?: Record<string, string>;
    readonly certificate?: TestCertificate;
  } = {},
): Promise<Response> {
  const { path = "/invoices/7", method = "GET", fields, certificate } = more;
  const headers = fields ?? { authorization: `Bearer ${key}` };
  return await fetchOver(reaching(certificate))(`${ISSUER}${path}`, {
    method,
    headers,
    redirect: "manual",
    body: undefined as never,
  });
}

/** The `error` of what the library throws. */
async function errorOf(asked: Promise<unknown>): Promise<string> {
  const error: unknown = await asked.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Error, "it was answered");
  if (error instanceof oauth.ResponseBodyError) return error.error;
  const { cause } = error;
  throw new Error(`no error of OAuth: ${error.message} ${JSON.stringify(cause)}`);
}

test("client credentials with private_key_jwt give a key that opens a route", async () => {
  const answer = await oauth.clientCredentialsGrant(await job(), { audience: "recorder" });
  assert.equal(answer.token_type, "bearer");
  assert.equal(answer.expires_in, 300);
  const opened = await call(answer.access_token);
  assert.equal(opened.status, 200);
  const record = await stage.found(
    ({ decisionId }) => decisionId === opened.headers.get("sallyport-decision"),
  );
  const { principal } = record as { readonly principal?: { readonly id?: string } };
  assert.match(JSON.stringify(principal), /keys/);
});

test("a client that shows its certificate gets keys that only it can use (RFC 8705)", async () => {
  const auth = oauth.TlsClientAuth();
  const config = await discover(ISSUER, "job", { auth, reaching: reaching(jobCertificate) });
  const { access_token: key } = await oauth.clientCredentialsGrant(config, {
    audience: "recorder",
  });
  assert.equal((await call(key, { certificate: jobCertificate })).status, 200);
  assert.equal((await call(key)).status, 401);
  assert.equal((await call(key, { certificate: otherCertificate })).status, 401);
});

test("a SPIFFE workload needs no registration: by its certificate", async () => {
  const config = await discover(ISSUER, ORDERS, {
    auth: oauth.TlsClientAuth(),
    reaching: reaching(ordersSvid),
  });
  const answer = await oauth.clientCredentialsGrant(config, { audience: "recorder" });
  const opened = await call(answer.access_token, { certificate: ordersSvid });
  assert.equal(opened.status, 200);
  const id = opened.headers.get("sallyport-decision");
  const record = await stage.found(({ decisionId }) => decisionId === id);
  assert.match(JSON.stringify(record["principal"]), /spiffe:\/\/prod\.example\/orders/);
});

test("a SPIFFE workload needs no registration: by its JWT-SVID", async () => {
  const auth: oauth.ClientAuth = (_server, _client, body) => {
    body.set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    body.set("client_assertion", svids.token({ sub: ORDERS, aud: ISSUER }));
  };
  const config = await discover(ISSUER, ORDERS, { auth, reaching: reaching() });
  const answer = await oauth.clientCredentialsGrant(config, {
    resource: "urn:sallyport:service:recorder",
  });
  assert.equal((await call(answer.access_token)).status, 200);
});

for (const [name, auth] of [
  ["client_secret_basic", oauth.ClientSecretBasic(SECRET)],
  ["client_secret_post", oauth.ClientSecretPost(SECRET)],
] as const) {
  test(`${name} works, and is told of in the log`, async () => {
    const config = await discover(ISSUER, "old", { auth, reaching: reaching() });
    const parameters = { audience: "recorder", scope: "read" };
    const answer = await oauth.clientCredentialsGrant(config, parameters);
    assert.equal(answer.scope, "read");
    await until(() => /used a secret/.test(stage.log()));
    assert.ok(!stage.log().includes(SECRET));
  });
}

test("a token is exchanged, and the key says who acts", async () => {
  const config = await job();
  const answer = await oauth.genericGrantRequest(config, EXCHANGE, {
    subject_token: stage.issuer.token(),
    subject_token_type: ACCESS_TOKEN,
    audience: "recorder",
    scope: "read",
  });
  assert.equal(answer["issued_token_type"], ACCESS_TOKEN);
  const said = await oauth.tokenIntrospection(config, answer.access_token);
  assert.equal(said.active, true);
  assert.equal(said.sub, "test/tester");
  assert.deepEqual(said["act"], { sub: "keys/job" });
  assert.equal(said.scope, "read");
  assert.equal((await call(answer.access_token)).status, 200);
});

test("an actor token says who acts", async () => {
  const config = await job();
  const mine = await oauth.clientCredentialsGrant(config, { audience: "recorder" });
  const answer = await oauth.genericGrantRequest(config, EXCHANGE, {
    subject_token: stage.issuer.token(),
    subject_token_type: ACCESS_TOKEN,
    actor_token: mine.access_token,
    actor_token_type: ACCESS_TOKEN,
    audience: "recorder",
  });
  const said = await oauth.tokenIntrospection(config, answer.access_token);
  assert.deepEqual(said["act"], { sub: "keys/job" });
});

test("JWT bearer gives a key for whom the assertion is about", async () => {
  const config = await job();
  const answer = await oauth.genericGrantRequest(config, BEARER, {
    assertion: stage.issuer.token({ aud: ISSUER }),
    audience: "recorder",
  });
  const said = await oauth.tokenIntrospection(config, answer.access_token);
  assert.equal(said.sub, "test/tester");
});

test("a key is narrowed to one route, one method, one minute, and no further key is wider", async () => {
  const config = await job();
  const wide = await oauth.clientCredentialsGrant(config, {
    audience: "recorder",
    scope: "read write",
  });
  const narrow = async (of: string, more: Record<string, string>) =>
    await oauth.genericGrantRequest(config, EXCHANGE, {
      subject_token: of,
      subject_token_type: ACCESS_TOKEN,
      ...more,
    });
  const details = [{ type: "sallyport", routes: ["invoices"], methods: ["GET"] }];
  const key = await narrow(wide.access_token, {
    scope: "read",
    expires_in: "60",
    authorization_details: JSON.stringify(details),
  });
  assert.equal(key.expires_in, 60);
  assert.deepEqual(key["authorization_details"], details);
  assert.equal((await call(key.access_token)).status, 200);
  assert.equal((await call(key.access_token, { path: "/payments/7" })).status, 403);
  assert.equal((await call(key.access_token, { method: "POST" })).status, 403);
  assert.equal(await errorOf(narrow(key.access_token, { scope: "read write" })), "invalid_scope");
  const other = JSON.stringify([{ type: "sallyport", routes: ["payments"] }]);
  assert.equal(
    await errorOf(narrow(key.access_token, { authorization_details: other })),
    "invalid_authorization_details",
  );
  const longer = await narrow(key.access_token, { expires_in: "300" });
  assert.ok((longer.expires_in ?? 0) <= 60);
});

test("DPoP binds a key to the client's key, and only its proofs open a route (RFC 9449)", async () => {
  const config = await job();
  const keys = await oauth.randomDPoPKeyPair("ES256");
  const DPoP = oauth.getDPoPHandle(config, keys);
  const answer = await oauth.clientCredentialsGrant(config, { audience: "recorder" }, { DPoP });
  assert.equal(answer.token_type, "dpop");
  const url = new URL(`${ISSUER}/invoices/7`);
  const opened = await oauth.fetchProtectedResource(
    config,
    answer.access_token,
    url,
    "GET",
    undefined,
    undefined,
    { DPoP },
  );
  assert.equal(opened.status, 200);
  assert.equal((await call(answer.access_token)).status, 401);
  // What was derived from it is bound as well, and needs the proof.
  const exchange = { subject_token: answer.access_token, subject_token_type: ACCESS_TOKEN };
  assert.equal(
    await errorOf(oauth.genericGrantRequest(config, EXCHANGE, exchange)),
    "invalid_request",
  );
  const derived = await oauth.genericGrantRequest(config, EXCHANGE, exchange, { DPoP });
  assert.equal(derived.token_type, "dpop");
});

test("a key that is given back opens nothing any more, nor does what was derived from it", async () => {
  const config = await job();
  const parent = await oauth.clientCredentialsGrant(config, { audience: "recorder" });
  const child = await oauth.genericGrantRequest(config, EXCHANGE, {
    subject_token: parent.access_token,
    subject_token_type: ACCESS_TOKEN,
  });
  assert.equal((await call(child.access_token)).status, 200);
  await oauth.tokenRevocation(config, parent.access_token);
  for (const key of [parent.access_token, child.access_token]) {
    assert.equal((await call(key)).status, 401);
    assert.deepEqual(await oauth.tokenIntrospection(config, key), { active: false });
  }
});

test("what policies do not permit is refused, and says no more than that", async () => {
  const orders = await discover(ISSUER, "old", {
    auth: oauth.ClientSecretPost(SECRET),
    reaching: reaching(),
  });
  const wide = oauth.clientCredentialsGrant(orders, { audience: "recorder", scope: "write" });
  assert.equal(await errorOf(wide), "unauthorized_client");
  const record = await stage.found(({ reason }) => reason === "no-permit");
  assert.deepEqual([record["action"], record["decision"]], ["issueKey", "deny"]);
  assert.match(JSON.stringify(record["principal"]), /keys\/old|old/);
});

test("strangers are told the RFC's error, and are on record", async () => {
  const rows: readonly (readonly [oauth.ClientAuth, TestCertificate | undefined])[] = [
    [oauth.ClientSecretBasic("wrong"), undefined],
    [oauth.ClientSecretPost("wrong"), undefined],
    [oauth.None(), undefined],
    [oauth.TlsClientAuth(), otherCertificate],
  ];
  for (const [auth, certificate] of rows) {
    const config = await discover(ISSUER, "old", { auth, reaching: reaching(certificate) });
    const asked = oauth.clientCredentialsGrant(config, { audience: "recorder" });
    assert.equal(await errorOf(asked).catch(() => "invalid_client"), "invalid_client");
  }
  await stage.found(({ reason }) => reason === "invalid-client");
});

test("each key is on record with what it is good for, and never itself", async () => {
  const answer = await oauth.clientCredentialsGrant(await job(), { audience: "recorder" });
  const [, payload = ""] = answer.access_token.split(".");
  const { jti } = JSON.parse(Buffer.from(payload, "base64url").toString()) as { jti: string };
  const record = await stage.found(({ key }) => (key as { id?: string } | undefined)?.id === jti);
  assert.equal(record["action"], "issueKey");
  assert.equal(record["decision"], "permit");
  assert.ok(!stage.auditText().includes(answer.access_token));
  assert.ok(!stage.log().includes(answer.access_token));
});

test("a proof for the endpoint is worth nothing at a route, nor the other way round", async () => {
  const client = dpopClient();
  const proof = client.proof({
    method: "POST",
    url: `${ISSUER}/invoices/7`,
    token: undefined,
  });
  const asked = await fetchOver(reaching())(`${ISSUER}/.sallyport/token`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", dpop: proof },
    body: new URLSearchParams({
      grant_type: "client_credentials",
      audience: "recorder",
      client_id: "old",
      client_secret: SECRET,
    }),
    redirect: "manual",
  });
  assert.equal(asked.status, 400);
  const { error } = (await asked.json()) as { readonly error: string };
  assert.equal(error, "invalid_dpop_proof");
});
