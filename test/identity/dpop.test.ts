/**
 * Tokens bound to a key, from a configuration to a service: a real proxy, both protocols, and what
 * somebody can try who has found a token, a proof, or both.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../e2e/life.ts";
import { PROTOCOLS } from "../e2e/protocols.ts";
import { createTestIssuer } from "../e2e/test-issuer.ts";
import {
  boundCaller,
  type BoundGround,
  challengesOf,
  nonceOf,
  ORIGIN,
  said,
  startGround,
} from "./bound-ground.ts";
import { shared } from "../shared.ts";
import { dpopClient } from "./dpop-client.ts";

const SLOW = { timeout: 120_000 };

const issuer = createTestIssuer();
const plainGround = shared((scope) => startGround(scope, { issuer }));
const nonceGround = shared((scope) =>
  startGround(scope, { issuer, config: "dpop: { nonce: required }" }),
);

test("a token that is bound to a key is taken with its proof, once", SLOW, async () => {
  const ground = await plainGround();
  const { token, proof } = boundCaller(issuer);
  for (const over of PROTOCOLS) {
    const asked = { over, token, proof: proof() };
    assert.equal(said(await ground.ask(asked)), "200", over);
    assert.equal(said(await ground.ask(asked)), "401 replayed-proof", over);
    const other = over === "h2" ? "http/1.1" : "h2";
    assert.equal(said(await ground.ask({ ...asked, over: other })), "401 replayed-proof");
    // A query counts for nothing in htu, and what RFC 3986 calls the same is the same.
    for (const [target, url] of [
      ["/bound/x?a=1", `${ORIGIN}/bound/x`],
      ["/bound/x", `${ORIGIN}/bound/x?b=2#c`],
      ["/bound/%7Ex", `${ORIGIN}/bound/~x`],
      ["/bound/a/../x", `${ORIGIN}/bound/x`],
      ["/bound//x", `${ORIGIN}/bound//x`],
      ["/bound/%c3%a9", "HTTPS://API.EXAMPLE:443/bound/%C3%A9"],
    ] as const) {
      const answer = await ground.ask({ over, token, target, proof: proof({ url }) });
      assert.equal(said(answer), "200", `${over} ${target} ${url}`);
    }
    for (const [target, url] of [
      ["/bound/x", `${ORIGIN}/bound//x`],
      ["/bound//x", `${ORIGIN}/bound/x`],
      ["/bound/x", `${ORIGIN}/bound/X`],
      ["/bound/x", `${ORIGIN}/bound/x/`],
      ["/bound/x", `${ORIGIN}:8443/bound/x`],
      ["/bound/x", "http://api.example/bound/x"],
      ["/bound/x", `https://api.example@evil.example/bound/x`],
      ["/bound/x", `https://you@api.example/bound/x`],
      ["/bound/x", "https://other.example/bound/x"],
    ] as const) {
      const answer = await ground.ask({ over, token, target, proof: proof({ url }) });
      assert.equal(said(answer), "401 invalid-proof", `${over} ${target} ${url}`);
    }
  }
});

test("what came with a request makes its proof for nothing else", SLOW, async () => {
  const ground = await plainGround();
  const { token, proof, client } = boundCaller(issuer);
  const thief = dpopClient("ES256", "thief");
  const theirs = issuer.token({ cnf: { jkt: thief.thumbprint } });
  const at = { method: "GET", url: `${ORIGIN}/bound/x`, token } as const;
  for (const over of PROTOCOLS) {
    const attempts: Readonly<Record<string, readonly [object, string]>> = {
      "the token alone, as Bearer": [{ token, scheme: "Bearer" }, "401 missing-proof"],
      "the token as Bearer, with its proof": [
        { token, scheme: "Bearer", proof: proof() },
        "401 missing-proof",
      ],
      "the token alone, as DPoP": [{ token }, "401 missing-proof"],
      "a proof by the thief's own key": [{ token, proof: thief.proof(at) }, "401 wrong-proof-key"],
      "the right key, the thief's signature": [
        { token, proof: client.proof({ ...at, signer: thief.key }) },
        "401 invalid-proof",
      ],
      "a proof for another token of the same key": [
        { token, proof: proof({ token: theirs }) },
        "401 invalid-proof",
      ],
      "a proof for another method": [
        { token, method: "DELETE", proof: proof() },
        "401 invalid-proof",
      ],
      "a proof for another path": [
        { token, target: "/bound/y", proof: proof() },
        "401 invalid-proof",
      ],
      "two proofs": [{ token, proof: proof(), fields: [`DPoP: ${proof()}`] }, "401 invalid-proof"],
      "two proofs in one field": [{ token, proof: `${proof()}, ${proof()}` }, "401 invalid-proof"],
      "two proofs, one under another spelling": [
        { token, proof: proof(), fields: [`dpop: ${proof()}`] },
        "401 invalid-proof",
      ],
      "a proof of an hour ago": [
        { token, proof: proof({ nowMs: Date.now() - 3_600_000 }) },
        "401 stale-proof",
      ],
      "a proof for a host that forwarded fields name": [
        {
          token,
          proof: proof({ url: "https://evil.example/bound/x" }),
          fields: ["X-Forwarded-Host: evil.example", "Forwarded: host=evil.example;proto=https"],
        },
        "401 invalid-proof",
      ],
      "an unbound token, as DPoP": [{ token: issuer.token(), proof: proof() }, "401 invalid-proof"],
      "a token bound to what nobody can check": [
        { token: issuer.token({ cnf: { kid: "x" } }), proof: proof() },
        "401 missing-proof",
      ],
    };
    for (const [name, [asked, expected]] of Object.entries(attempts)) {
      ground.arrived();
      assert.equal(said(await ground.ask({ over, ...asked })), expected, `${over}: ${name}`);
      assert.equal(ground.arrived(), "", `${name}: nothing of it reaches the service`);
    }
  }
});

test("a connection that proved itself once proves nothing for its next request", SLOW, async () => {
  const ground = await plainGround();
  const { token, proof } = boundCaller(issuer);
  const statuses: number[] = [];
  const answers: string[] = [];
  // One connection, the same token: what is remembered of it must not stand in for the proof.
  for (const sent of [proof(), undefined, proof(), "again"]) {
    const value = sent === "again" ? answers.at(-1) : sent;
    if (value !== undefined) answers.push(value);
    const headers = { authorization: `DPoP ${token}`, ...(value && { dpop: value }) };
    const answer = await fetch(`http://${ground.edge}/bound/x`, {
      headers: { ...headers, host: "api.example" },
    });
    await answer.text();
    statuses.push(answer.status);
  }
  assert.deepEqual(statuses, [200, 401, 200, 401]);
});

test("challenges say how a proof is made and what was wrong with this one", SLOW, async (t) => {
  const ground = await startGround(t, { issuer, config: "dpop: { algorithms: [ES256] }" });
  const { token, proof } = boundCaller(issuer);
  for (const over of PROTOCOLS) {
    const [bearer, dpop, ...others] = challengesOf(await ground.ask({ over }));
    assert.equal(bearer, 'Bearer realm="recorder"');
    assert.equal(dpop, 'DPoP algs="ES256"');
    assert.deepEqual(others, []);
    const old = proof({ nowMs: 0 });
    assert.match(
      challengesOf(await ground.ask({ over, token, proof: old }))[1] ?? "",
      /^DPoP algs="ES256", error="invalid_dpop_proof", error_description="[^"]+"$/,
    );
    const late = issuer.token({ exp: 1 });
    const [first, second] = challengesOf(await ground.ask({ over, token: late, proof: proof() }));
    assert.match(first ?? "", /^Bearer .*error="invalid_token"/);
    assert.match(second ?? "", /^DPoP .*error="invalid_token"/);
  }
});

test(
  "without a public origin no proof can be for the listener, and none is asked for",
  SLOW,
  async (t) => {
    const ground = await startGround(t, { issuer, publicOrigin: false });
    const { token, proof } = boundCaller(issuer);
    const url = `http://${ground.edge}/bound/x`;
    const answer = await ground.ask({ token, proof: proof({ url }) });
    assert.equal(said(answer), "401 missing-proof");
    assert.equal(challengesOf(answer).length, 1);
  },
);

test("a nonce is asked for, taken, and good at this proxy alone", SLOW, async (t) => {
  const [here, there] = await Promise.all([
    nonceGround(),
    startGround(t, { issuer, config: "dpop: { nonce: required }" }),
  ]);
  const { token, proof } = boundCaller(issuer);
  for (const over of PROTOCOLS) {
    const first = await here.ask({ over, token, proof: proof() });
    assert.equal(said(first), "401 use-dpop-nonce");
    assert.match(challengesOf(first)[1] ?? "", /error="use_dpop_nonce"/);
    const nonce = nonceOf(first);
    const good = proof({ nonce });
    assert.equal(said(await here.ask({ over, token, proof: good })), "200");
    assert.equal(said(await here.ask({ over, token, proof: good })), "401 replayed-proof");
    // What was used at one proxy is worth nothing at the other, though they share no memory.
    assert.equal(said(await there.ask({ over, token, proof: good })), "401 use-dpop-nonce");
    assert.notEqual(nonceOf(await there.ask({ over, token, proof: good })), nonce);
  }
});

test("a route says whether tokens must be bound, and who would fail", SLOW, async () => {
  const ground = await plainGround();
  const { token, proof } = boundCaller(issuer);
  const free = issuer.token();
  const at = (target: string) => proof({ url: ORIGIN + target });
  const before = decisionsOf(ground).length;
  for (const over of PROTOCOLS) {
    for (const [target, asked, expected] of [
      ["/strict/x", { token: free, scheme: "Bearer" }, "401 unbound-token"],
      ["/strict/x", { token, proof: at("/strict/x") }, "200"],
      ["/strict/x", { token, scheme: "Bearer" }, "401 missing-proof"],
      ["/bound/x", { token: free, scheme: "Bearer" }, "200"],
      ["/report/x", { token: free, scheme: "Bearer" }, "200"],
      ["/report/x", { token, scheme: "Bearer" }, "401 missing-proof"],
      ["/report/x", { token, proof: at("/report/x") }, "200"],
    ] as const) {
      assert.equal(said(await ground.ask({ over, target, ...asked })), expected, target);
    }
  }
  assert.equal(await ground.metric('sallyport_unbound_tokens_total{route="report"}'), 2);
  const decisions = () => decisionsOf(ground).slice(before);
  await until("all are on record", () => decisions().length === 14);
  const reported = decisions().filter(({ detail }) => String(detail).startsWith("unbound-token"));
  assert.deepEqual(
    reported.map(({ route, decision }) => `${String(route)} ${String(decision)}`),
    ["report permit", "report permit"],
  );
});

test(
  "the service gets neither token nor proof, unless the route hands its caller's on",
  SLOW,
  async () => {
    const ground = await plainGround();
    const { token, proof } = boundCaller(issuer);
    for (const over of PROTOCOLS) {
      ground.arrived();
      assert.equal(said(await ground.ask({ over, token, proof: proof() })), "200");
      const stripped = ground.arrived();
      assert.ok(stripped.includes("/bound/x") && !/^(?:authorization|dpop):/im.test(stripped));
      const kept = { over, token, target: "/kept/x", proof: proof({ url: `${ORIGIN}/kept/x` }) };
      assert.equal(said(await ground.ask(kept)), "200");
      const handed = ground.arrived();
      assert.ok(handed.includes(`DPoP ${token}`) && handed.includes(kept.proof));
    }
  },
);

test("no proof, nonce or token is in logs, records or metrics", SLOW, async () => {
  const ground = await nonceGround();
  const { token, proof } = boundCaller(issuer);
  const before = ground.records().length;
  const nonce = nonceOf(await ground.ask({ token, proof: proof() }));
  const sent = [proof({ nonce }), proof({ nonce, nowMs: 0 }), proof({ nonce: "canary-nonce" })];
  for (const one of sent) await ground.ask({ token, proof: one });
  await until("all are on record", () => ground.records().length >= before + 5);
  const metrics = await (await fetch(`http://${ground.admin}/metrics`)).text();
  const all = ground.log() + JSON.stringify(ground.records()) + metrics;
  for (const secret of [token, nonce ?? "", "canary-nonce", ...sent]) {
    assert.ok(!all.includes(secret) && !all.includes(secret.split(".").at(-1) ?? ""));
  }
});

function decisionsOf(ground: BoundGround): ReturnType<BoundGround["records"]> {
  return ground.records().filter(({ type }) => type === "decision");
}

const CONNECTIONS = 24;

/** So many at once, each over its own connection, so that the kernel gives some to each worker. */
async function many(ground: BoundGround, token: string, proof: string): Promise<string[]> {
  const asked = Array.from({ length: CONNECTIONS }, () => ground.ask({ token, proof }));
  return (await Promise.all(asked)).map(said);
}

function counted(answers: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1;
  return counts;
}

test("one proof at many connections of several workers is taken once", SLOW, async (t) => {
  const config = "workers: 2\ndpop: { nonce: required }";
  const ground = await startGround(t, { issuer, config });
  const { token, proof } = boundCaller(issuer);
  const nonces = new Set<string | undefined>();
  for (let asked = 0; asked < CONNECTIONS; asked++) {
    nonces.add(nonceOf(await ground.ask({ token, proof: proof() })));
  }
  assert.equal(nonces.size, 1, "workers give the same nonce");
  const [nonce] = nonces;
  for (let round = 0; round < 5; round++) {
    const answers = counted(await many(ground, token, proof({ nonce })));
    assert.deepEqual(answers, { "200": 1, "401 replayed-proof": CONNECTIONS - 1 });
  }
  assert.equal(ground.writers(), 2, "both workers were asked");
});

test(
  "without a supervisor no proof is taken, and none from before its end afterwards",
  SLOW,
  async (t) => {
    const ground = await startGround(t, { issuer, config: "workers: 2" });
    const { token, proof } = boundCaller(issuer);
    const used = proof();
    assert.equal(said(await ground.ask({ token, proof: used })), "200");
    ground.signal("SIGKILL");
    await ground.ended;
    await until("it is refused", async () => {
      const answer = said(await ground.ask({ token, proof: proof() }));
      return answer === "503 memory-unavailable";
    });
    assert.equal(said(await ground.ask({ token, proof: used })), "503 memory-unavailable");
    const free = issuer.token();
    assert.equal(said(await ground.ask({ token: free, scheme: "Bearer" })), "200", "tokens alone");
  },
);
