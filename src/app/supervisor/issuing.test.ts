import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "../../model/errors.ts";
import type { KeyClaims, KeyIssuing, RegisteredClient } from "../../model/issued-keys.ts";
import type { RevocationTarget } from "../../model/revocation.ts";
import {
  answerIssuing,
  type IssuingRequest,
  type IssuingSource,
  supervisedIssuing,
} from "./issuing.ts";
import { isFromWorker, type Message } from "./protocol.ts";

const ISSUER = "https://sallyport.example.com";
const CLAIMS: KeyClaims = {
  iss: ISSUER,
  sub: "corp/alice",
  aud: "billing",
  client_id: "client",
  iat: 1,
  exp: 2,
  jti: "key-1",
  scope: undefined,
  principal: { kind: "user", authenticator: "corp", subject: "alice" },
};
const TARGET: RevocationTarget = { kind: "id", authenticator: "keys", id: "key-1" };
const CLIENT: RegisteredClient = {
  id: "billing-job",
  principal: {
    kind: "workload",
    authenticator: "keys",
    subject: "billing-job",
    roles: [],
    groups: [],
    attributes: {},
  },
  keys: [],
  certificates: [],
  secrets: [],
  source: "registered",
};

/** A supervisor, and a worker that reaches it by messages as the socket carries them. */
function ground(own: Partial<KeyIssuing> = {}) {
  const told: unknown[] = [];
  const issuing: KeyIssuing = {
    issuer: ISSUER,
    sign: ({ jti }) => `signed ${jti}`,
    client: (id) => Promise.resolve(id === CLIENT.id ? CLIENT : undefined),
    used: (id, atMs) => void told.push({ id, atMs }),
    revoke: (target, until) => Promise.resolve(void told.push({ target, until })),
    ...own,
  };
  const state = { connected: true, answers: true, keeps: true };
  const patience: (number | undefined)[] = [];
  const source: IssuingSource = {
    get connected() {
      return state.connected;
    },
    async issue(request: IssuingRequest, patienceMs) {
      patience.push(patienceMs);
      if (!state.answers) return undefined;
      const message = JSON.parse(JSON.stringify({ type: "issue", seq: 1, ...request })) as Message;
      assert.ok(isFromWorker(message) && message.type === "issue");
      const answer = await answerIssuing(state.keeps ? issuing : undefined, message);
      return JSON.parse(JSON.stringify(answer)) as typeof answer;
    },
    clientUsed: (id, atMs) => issuing.used(id, atMs),
  };
  return { state, told, patience, issuing: supervisedIssuing(ISSUER, source) };
}

test("supervisedIssuing() has keys signed, finds clients, and takes keys away", async () => {
  const { issuing, told, patience } = ground();
  assert.equal(await issuing.sign(CLAIMS), "signed key-1");
  assert.deepEqual(await issuing.client("billing-job"), CLIENT);
  assert.equal(await issuing.client("nobody"), undefined);
  await issuing.revoke(TARGET, { expiresMs: 2000, by: "corp/alice" });
  issuing.used("billing-job", 7);
  assert.deepEqual(told, [
    { target: TARGET, until: { expiresMs: 2000, by: "corp/alice" } },
    { id: "billing-job", atMs: 7 },
  ]);
  // Signing asks nobody else: a supervisor that is late with it is not there.
  assert.equal(patience[0], undefined);
  assert.ok(patience.slice(1).every((ms) => ms !== undefined));
});

test("supervisedIssuing() says at once that nothing can be had of a supervisor that is gone", async () => {
  const { issuing, state, patience } = ground();
  for (const change of [{ connected: false }, { connected: true, answers: false }]) {
    Object.assign(state, change);
    await assert.rejects(async () => await issuing.sign(CLAIMS), { code: "signing-unavailable" });
    await assert.rejects(issuing.client("x"), { code: "store-unavailable" });
    const until = { expiresMs: 1, by: "x" };
    await assert.rejects(issuing.revoke(TARGET, until), { code: "store-unavailable" });
  }
  assert.equal(patience.length, 3, "one that is not connected was asked");
});

test("supervisedIssuing() keeps the code of what the authority cannot do", async () => {
  const fails = (code: "signing-unavailable" | "store-unavailable" | "revocations-full") => () => {
    throw new SallyportError(code, "not now");
  };
  const { issuing } = ground({
    sign: fails("signing-unavailable"),
    client: fails("store-unavailable"),
    revoke: fails("revocations-full"),
  });
  await assert.rejects(async () => await issuing.sign(CLAIMS), { code: "signing-unavailable" });
  await assert.rejects(issuing.client("x"), { code: "store-unavailable" });
  await assert.rejects(issuing.revoke(TARGET, { expiresMs: 1, by: "x" }), {
    code: "revocations-full",
  });
});

test("supervisedIssuing() is refused by a supervisor that keeps no authority", async () => {
  const { issuing, state } = ground();
  state.keeps = false;
  await assert.rejects(async () => await issuing.sign(CLAIMS), { code: "signing-unavailable" });
});

test("supervisedIssuing() lets only so many questions wait, and takes more once they are answered", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const { issuing } = ground({ sign: () => promise });
  const waiting = Array.from({ length: 256 }, async () => await issuing.sign(CLAIMS));
  await assert.rejects(async () => await issuing.sign(CLAIMS), { code: "signing-unavailable" });
  resolve("token");
  assert.equal((await Promise.all(waiting)).length, 256);
  assert.equal(await issuing.sign(CLAIMS), "token");
});

test("answerIssuing() rejects with what is a mistake of ours, so that it is seen", async () => {
  const mistaken = ground({
    sign: () => {
      throw new TypeError("another issuer");
    },
  });
  await assert.rejects(async () => await mistaken.issuing.sign(CLAIMS), TypeError);
});

const BAD: readonly object[] = [
  { seq: 0, verb: "sign", claims: CLAIMS },
  { verb: "publish" },
  { verb: "sign" },
  { verb: "sign", claims: "x" },
  { verb: "sign", claims: { ...CLAIMS, iss: 1 } },
  { verb: "sign", claims: { ...CLAIMS, sub: "" } },
  { verb: "sign", claims: { ...CLAIMS, jti: undefined } },
  { verb: "sign", claims: { ...CLAIMS, client_id: undefined } },
  { verb: "sign", claims: { ...CLAIMS, aud: [] } },
  { verb: "sign", claims: { ...CLAIMS, aud: [1] } },
  { verb: "sign", claims: { ...CLAIMS, exp: "2" } },
  { verb: "sign", claims: { ...CLAIMS, iat: -1 } },
  { verb: "sign", claims: { ...CLAIMS, principal: [] } },
  { verb: "sign", claims: { ...CLAIMS, scope: "x".repeat(12 * 1024) } },
  { verb: "client", id: "" },
  { verb: "client", id: "x".repeat(129) },
  { verb: "revoke", target: TARGET, by: "x" },
  { verb: "revoke", target: TARGET, expiresMs: 1 },
  { verb: "revoke", target: TARGET, expiresMs: 0, by: "x" },
  { verb: "revoke", target: { kind: "id", id: "x" }, expiresMs: 1, by: "x" },
  { verb: "revoke", target: { kind: "constructor" }, expiresMs: 1, by: "x" },
  { verb: "revoke", target: "x", expiresMs: 1, by: "x" },
];

test("isFromWorker() takes no question about keys that is not whole", () => {
  assert.ok(isFromWorker({ type: "issue", seq: 1, verb: "client", id: "x" } as Message));
  for (const one of BAD) {
    const message = JSON.parse(JSON.stringify({ type: "issue", seq: 1, ...one })) as Message;
    assert.equal(isFromWorker(message), false, JSON.stringify(one).slice(0, 100));
  }
  assert.ok(isFromWorker({ type: "client-used", id: "x", atMs: 0 } as Message));
  assert.equal(isFromWorker({ type: "client-used", id: "x" } as Message), false);
  assert.equal(isFromWorker({ type: "client-used", id: 1, atMs: 0 } as unknown as Message), false);
});
