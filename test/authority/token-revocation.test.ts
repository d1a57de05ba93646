/**
 * What an operator takes away ends the keys that came of it, over a proxy as `sallyport run` starts it, and
 * what is on record of keys can be explained.
 */
import assert from "node:assert/strict";
import { createPrivateKey, webcrypto } from "node:crypto";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import * as oauth from "openid-client";
import { connectAdmin } from "../../src/cli/admin-connect.ts";
import type { RevocationTarget } from "../../src/cli/admin-client.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { explainDecision } from "../../src/review/explain-decision.ts";
import type { Stage } from "../e2e/stage.ts";
import { discover, fetchOver } from "./oauth-client.ts";
import { ISSUER, jobKey, serverAuthority, startTokenStage } from "./token-stage.ts";

const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

let stage: Stage;
let privateKey: webcrypto.CryptoKey;

before(async () => {
  stage = await startTokenStage({ adminSocket: "admin.sock" });
  const pem = jobKey.privateKey.export({ type: "pkcs8", format: "pem" });
  const der = createPrivateKey(pem).export({ type: "pkcs8", format: "der" });
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  privateKey = await webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
});
after(async () => await stage.close());

async function job(): Promise<oauth.Configuration> {
  const auth = oauth.PrivateKeyJwt({ key: privateKey, kid: "job-1" });
  return await discover(ISSUER, "job", { auth, reaching: reaching() });
}

function reaching() {
  return { address: stage.proxy, ca: serverAuthority };
}

async function call(key: string, path = "/invoices/7"): Promise<Response> {
  const headers = { authorization: `Bearer ${key}` };
  const body = undefined as never;
  return await fetchOver(reaching())(`${ISSUER}${path}`, {
    method: "GET",
    headers,
    redirect: "manual",
    body,
  });
}

/** What is taken away, or given back, reaches requests within a second. */
async function answered(key: string, status: number): Promise<Response> {
  for (let left = 40; ; left--) {
    const answer = await call(key);
    if (answer.status === status) return answer;
    assert.ok(left > 0, `answered ${String(answer.status)}, and not ${String(status)}`);
    await setTimeout(50);
  }
}

/** A key for a token of this caller, with what that token has besides. */
async function exchanged(claims: Record<string, unknown>): Promise<string> {
  const answer = await oauth.genericGrantRequest(await job(), EXCHANGE, {
    subject_token: stage.issuer.token(claims),
    subject_token_type: ACCESS_TOKEN,
    audience: "recorder",
  });
  return answer.access_token;
}

function operators() {
  return connectAdmin({ config: join(stage.folder, "sallyport.yaml") });
}

async function take(mode: "revoke" | "block", target: RevocationTarget): Promise<string> {
  const { value } = await operators().createRevocation({ body: { target, mode } });
  return value.id;
}

async function lift(id: string): Promise<void> {
  await operators().liftRevocation({ id });
}

for (const [name, target] of [
  ["the token that was exchanged, by its id", { kind: "id", authenticator: "test", id: "t-1" }],
  ["the subject", { kind: "subject", authenticator: "test", subject: "tester" }],
  ["the subject's authenticator", { kind: "authenticator", authenticator: "test" }],
  ["the actor", { kind: "subject", authenticator: "keys", subject: "job" }],
] as const) {
  test(`a block of ${name} ends the key that came of it`, async () => {
    const key = await exchanged({ jti: "t-1" });
    assert.equal((await call(key)).status, 200);
    const id = await take("block", target);
    const denied = await answered(key, 401);
    const { reason } = (await denied.json()) as { readonly reason: string };
    assert.equal(reason, "credential-revoked");
    await lift(id);
    await answered(key, 200);
  });
}

test("what is on record of a key is explained by the policies of then", async () => {
  const answer = await oauth.clientCredentialsGrant(await job(), { audience: "recorder" });
  const [, payload = ""] = answer.access_token.split(".");
  const { jti } = JSON.parse(Buffer.from(payload, "base64url").toString()) as { jti: string };
  const folder = join(stage.folder, "audit");
  const deps = { clock: systemClock };
  const alone = await stage.found(({ key }) => (key as { id?: string } | undefined)?.id === jti);
  const told = await explainDecision({ folder, id: alone["decisionId"] as string }, deps);
  assert.equal(told?.evaluation, "same");
  assert.equal(told.policies?.resource, 'Sallyport::Service::"recorder"');
  assert.deepEqual(told.policies.determining, ["issue-to-job"]);
  // Of subject and actor the record has the first question.
  await exchanged({});
  const two = await stage.found(({ issue }) => (issue as { questions?: number })?.questions === 2);
  const first = await explainDecision({ folder, id: two["decisionId"] as string }, deps);
  assert.equal(first?.evaluation, "uncertain");
  assert.deepEqual(first.policies?.determining, ["issue-for-testers"]);
});

test("a request outside of what a key is narrowed to says which key would do", async () => {
  const details = [{ type: "sallyport", routes: ["invoices"] }];
  const answer = await oauth.clientCredentialsGrant(await job(), {
    audience: "recorder",
    authorization_details: JSON.stringify(details),
  });
  assert.equal((await call(answer.access_token)).status, 200);
  const denied = await call(answer.access_token, "/payments/7");
  assert.equal(denied.status, 403);
  const { reason } = (await denied.json()) as { readonly reason: string };
  assert.equal(reason, "outside-key");
  assert.match(denied.headers.get("www-authenticate") ?? "", /error="insufficient_scope"/);
});
