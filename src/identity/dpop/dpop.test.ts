import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { corpora } from "../../../test/corpora.ts";
import {
  type DpopClient,
  dpopClient,
  type ProofOptions,
} from "../../../test/identity/dpop-client.ts";
import { testMemory } from "../../../test/identity/memory.ts";
import { encode, hmacToken, signToken, testKey } from "../../../test/issuer.ts";
import { recordedMetrics } from "../../../test/ports.ts";
import type { Algorithm } from "../../crypto/algorithms.ts";
import { SallyportError } from "../../model/errors.ts";
import type { Fields } from "../../model/http.ts";
import type { Reason } from "../../model/reason.ts";
import type { SharedMemory } from "../../model/shared-memory.ts";
import type { ProofAnswer, ProofInput } from "../../model/verifiers.ts";
import { ManualClock } from "../../platform/clock.ts";
import { createProofVerifier, type ProofVerifierOptions } from "./dpop.ts";
import { dpopSchema } from "./dpop-options.ts";

const NOW = 1_800_000_000_000;
const RESOURCE = "https://api.example.com/orders/7";
const TOKEN = "header.payload.signature";
const client = dpopClient();
const stranger = dpopClient("ES256", "stranger");
const rsa = dpopClient("RS256", "rsa");
const ed = dpopClient("Ed25519", "ed");

function ground(options: Partial<ProofVerifierOptions> = {}, shared?: SharedMemory) {
  const clock = new ManualClock(NOW);
  const memory = testMemory(clock);
  const metrics = recordedMetrics();
  const { nonce: _, ...defaults } = dpopSchema.parse(undefined);
  const verifier = createProofVerifier(
    { ...defaults, nonce: "off", ...options },
    { shared: shared ?? memory, metrics },
  );
  const input = (proofs: readonly string[], rest: Partial<ProofInput> = {}): ProofInput => ({
    fields: ["accept", "*/*", ...proofs.flatMap((proof) => ["dpop", proof])],
    method: "GET",
    url: RESOURCE,
    token: TOKEN,
    keyThumbprint: client.thumbprint,
    nowMs: clock.now(),
    ...rest,
  });
  return {
    clock,
    memory,
    metrics,
    verify: (proofs: string | readonly string[], rest: Partial<ProofInput> = {}) =>
      verifier.verify(input(typeof proofs === "string" ? [proofs] : proofs, rest)),
    good: (rest: Partial<ProofOptions> = {}, of: DpopClient = client) =>
      of.proof({ method: "GET", url: RESOURCE, token: TOKEN, nowMs: clock.now(), ...rest }),
  };
}

function reasonOf(answer: ProofAnswer | Promise<ProofAnswer>): Reason | undefined {
  assert.ok(!(answer instanceof Promise), "nothing had to be waited for");
  return answer.refused?.reason;
}

const plain = ground();
const proof = (rest: Partial<ProofOptions> = {}, of: DpopClient = client) => plain.good(rest, of);
const [HEADER = "", PAYLOAD = "", SIGNATURE = ""] = proof().split(".");
const seconds = NOW / 1000;
/** Made with `node:crypto` alone, so that no part of ours vouches for itself. */
const privateJwk = JSON.parse(JSON.stringify(client.key.privateKey.export({ format: "jwk" })));

interface Row {
  readonly proofs?: readonly string[];
  readonly reason: Reason;
  readonly detail: RegExp;
  readonly asked?: Partial<ProofInput>;
  readonly options?: Partial<ProofVerifierOptions>;
  readonly costly?: boolean;
}

/** Each breaks one rule, and none but that one. */
const HOSTILE: Readonly<Record<string, Row>> = {
  // Section 4.3, check 1: one field.
  "no proof": { proofs: [], reason: "missing-proof", detail: /no DPoP/ },
  "two proofs": { proofs: [proof(), proof()], reason: "invalid-proof", detail: /more than one/ },
  "the same proof twice": {
    proofs: [`${HEADER}.${PAYLOAD}.${SIGNATURE}`, `${HEADER}.${PAYLOAD}.${SIGNATURE}`],
    reason: "invalid-proof",
    detail: /more than one/,
  },
  "two proofs in one field": {
    proofs: [`${proof()}, ${proof()}`],
    reason: "invalid-proof",
    detail: /three parts/,
  },
  // Check 2: a well-formed JWT.
  "an empty field": { proofs: [""], reason: "invalid-proof", detail: /three parts/ },
  "no JWT": { proofs: ["secret"], reason: "invalid-proof", detail: /three parts/ },
  "two parts": { proofs: [`${HEADER}.${PAYLOAD}`], reason: "invalid-proof", detail: /three parts/ },
  "four parts": { proofs: [`${proof()}.x`], reason: "invalid-proof", detail: /three parts/ },
  "a proof that is too long": {
    proofs: [proof({ claims: { more: "x".repeat(8192) } })],
    reason: "invalid-proof",
    detail: /longer/,
  },
  "a padded payload": {
    proofs: [`${HEADER}.${PAYLOAD}=.${SIGNATURE}`],
    reason: "invalid-proof",
    detail: /payload is not canonical/,
  },
  "a header that is not base64url": {
    proofs: [`+${HEADER}.${PAYLOAD}.${SIGNATURE}`],
    reason: "invalid-proof",
    detail: /header is not canonical/,
  },
  "a signature that is not base64url": {
    proofs: [`${HEADER}.${PAYLOAD}.${SIGNATURE}!`],
    reason: "invalid-proof",
    detail: /signature is not canonical/,
  },
  "a payload that is no object": {
    proofs: [`${HEADER}.${encode("[]")}.${SIGNATURE}`],
    reason: "invalid-proof",
    detail: /payload is not a JSON object/,
  },
  "a payload with a member twice": {
    proofs: [`${HEADER}.${encode('{"htm":"GET","htm":"POST"}')}.${SIGNATURE}`],
    reason: "invalid-proof",
    detail: /payload is not strict JSON/,
  },
  "a header that is no object": {
    proofs: [`${encode("null")}.${PAYLOAD}.${SIGNATURE}`],
    reason: "invalid-proof",
    detail: /header is not a JSON object/,
  },
  // Check 3: all claims.
  "no jti": row({ claims: { jti: undefined } }, /jti/),
  "an empty jti": row({ claims: { jti: "" } }, /jti/),
  "a jti that is a number": row({ claims: { jti: 7 } }, /jti/),
  "a jti without end": row({ claims: { jti: "x".repeat(257) } }, /jti/),
  "no htm": row({ claims: { htm: undefined } }, /htm is absent/),
  "no htu": row({ claims: { htu: undefined } }, /htu is absent/),
  "a list of htu": row({ claims: { htu: [RESOURCE] } }, /htu is absent/),
  "no iat": row({ claims: { iat: undefined } }, /iat is absent/),
  "an iat that is a text": row({ claims: { iat: String(seconds) } }, /iat is absent/),
  "no ath": row({ claims: { ath: undefined } }, /ath is absent/),
  "a nonce that is no text": row({ claims: { nonce: 7 } }, /nonce/),
  "a nonce without end": row({ claims: { nonce: "x".repeat(257) } }, /nonce/),
  "an exp that is no number": row({ claims: { exp: "never" } }, /exp/),
  "an nbf that is no number": row({ claims: { nbf: "now" } }, /nbf/),
  // Check 4: the type.
  "an access token as its proof": row({ header: { typ: "at+jwt" } }, /typ/),
  "no typ": row({ header: { typ: undefined } }, /typ/),
  "the type in another case": row({ header: { typ: "DPoP+JWT" } }, /typ/),
  "a type with more to it": row({ header: { typ: "application/dpop+jwt" } }, /typ/),
  // Check 5: the algorithm.
  "alg none": row({ header: { alg: "none" } }, /alg is not in the list/),
  "no alg": row({ header: { alg: undefined } }, /alg is not in the list/),
  "a symmetric alg": {
    proofs: [
      hmacToken(
        JSON.stringify(client.jwk),
        { typ: "dpop+jwt", alg: "HS256", jwk: client.jwk },
        JSON.parse(Buffer.from(PAYLOAD, "base64url").toString()),
      ),
    ],
    reason: "invalid-proof",
    detail: /alg is not in the list/,
  },
  "an alg that is not listed": {
    ...row({}, /alg is not in the list/),
    options: { algorithms: ["EdDSA"] },
  },
  "an alg of another kind of key": row({ header: { alg: "RS256" } }, /another kty/),
  "an alg of another curve": {
    ...row({ header: { alg: "ES384" } }, /alg is not one of the key's/),
    options: { algorithms: ["ES384"] },
  },
  "an alg that the key says it is not for": row(
    { header: { jwk: { ...client.jwk, alg: "ES384" } } },
    /no signature algorithm/,
  ),
  // Check 6 and section 4.2: a public key, in the header and nowhere else.
  "no key": row({ header: { jwk: undefined } }, /jwk is absent/),
  "a kid in place of the key": row({ header: { jwk: undefined, kid: "client" } }, /jwk is absent/),
  "a key that is a text": row({ header: { jwk: JSON.stringify(client.jwk) } }, /jwk is absent/),
  "a private key": row({ header: { jwk: privateJwk } }, /private/),
  "a key with a symmetric part": row({ header: { jwk: { ...client.jwk, k: "AAAA" } } }, /private/),
  "a key for encryption": row({ header: { jwk: { ...client.jwk, use: "enc" } } }, /use/),
  "a key that may not verify": row(
    { header: { jwk: { ...client.jwk, key_ops: ["sign"] } } },
    /key_ops/,
  ),
  "a key that is on no curve": {
    ...row({ header: { jwk: offCurve() } }, /numbers/),
    asked: { keyThumbprint: thumbprintOf(offCurve()) },
  },
  jku: row({ header: { jku: "https://evil.example/keys" } }, /jku/),
  x5u: row({ header: { x5u: "https://evil.example/chain" } }, /x5u/),
  x5c: row({ header: { x5c: ["AAAA"] } }, /x5c/),
  x5t: row({ header: { x5t: "AAAA" } }, /x5t/),
  "x5t#S256": row({ header: { "x5t#S256": "AAAA" } }, /x5t#S256/),
  "x5c in the key": row({ header: { jwk: { ...client.jwk, x5c: ["AAAA"] } } }, /x5c/),
  crit: row({ header: { crit: ["exp"] } }, /crit/),
  b64: row({ header: { b64: false } }, /b64/),
  // Check 7: the signature.
  "a signature by another key": {
    ...row({ signer: stranger.key }, /signature does not fit/),
    costly: true,
  },
  "another payload under the signature": {
    proofs: [`${HEADER}.${payloadWith({ jti: "another" })}.${SIGNATURE}`],
    reason: "invalid-proof",
    detail: /signature does not fit/,
    costly: true,
  },
  "no signature": {
    proofs: [`${HEADER}.${PAYLOAD}.`],
    reason: "invalid-proof",
    detail: /signature does not fit/,
    costly: true,
  },
  "a signature of zeros": {
    proofs: [`${HEADER}.${PAYLOAD}.${Buffer.alloc(64).toString("base64url")}`],
    reason: "invalid-proof",
    detail: /signature does not fit/,
    costly: true,
  },
  // Checks 8 and 9: this request.
  "another method": row({ method: "POST" }, /htm/),
  "the method in lower case": row({ method: "get" }, /htm/),
  "another host": row({ url: "https://evil.example/orders/7" }, /htu/),
  "another path": row({ url: "https://api.example.com/orders/8" }, /htu/),
  "another scheme": row({ url: "http://api.example.com/orders/7" }, /htu/),
  "another port": row({ url: "https://api.example.com:8443/orders/7" }, /htu/),
  "a path in another case": row({ url: "https://api.example.com/Orders/7" }, /htu/),
  "a slash at the end": row({ url: `${RESOURCE}/` }, /htu/),
  "a path without a host": row({ url: "/orders/7" }, /htu/),
  // Checks 10 and 11: nonce and time.
  "no nonce where one is wanted": {
    ...row({}, /no nonce/, "use-dpop-nonce"),
    options: { nonce: "required" },
  },
  "a nonce that is not ours": {
    ...row({ nonce: "AAAAAAAAAAAAAAAAAAAAAA" }, /not good/, "use-dpop-nonce"),
    options: { nonce: "required" },
  },
  "a proof that is too old": row({ claims: { iat: seconds - 66 } }, /too long/, "stale-proof"),
  "a proof of tomorrow": row({ claims: { iat: seconds + 6 } }, /ahead/, "stale-proof"),
  "an iat in milliseconds": row({ claims: { iat: NOW } }, /ahead/, "stale-proof"),
  "an iat below zero": row({ claims: { iat: -1 } }, /too long/, "stale-proof"),
  "a proof that has expired": row({ claims: { exp: seconds - 5 } }, /exp/, "stale-proof"),
  "a proof for later": row({ claims: { nbf: seconds + 6 } }, /nbf/, "stale-proof"),
  // Check 12: the token.
  "a proof for another token": row({ token: "another" }, /ath/),
  "ath in another encoding": row({ claims: { ath: hash("sha256", TOKEN, "base64") } }, /ath/),
  "the token itself in ath": row({ claims: { ath: TOKEN } }, /ath/),
  "another key, and a good proof by it": {
    proofs: [proof({}, stranger)],
    reason: "wrong-proof-key",
    detail: /another key/,
  },
  "the right key's name on another's proof": {
    proofs: [proof({ header: { jwk: { ...stranger.jwk, kid: client.thumbprint } } }, stranger)],
    reason: "wrong-proof-key",
    detail: /another key/,
  },
};

for (const [name, hostile] of Object.entries(HOSTILE)) {
  test(`verify() refuses ${name}`, () => {
    // Twice: cold, and when the key and its header are known.
    for (const warm of [false, true]) {
      const { verify, good, metrics } = ground(hostile.options);
      if (warm && hostile.options === undefined) assert.equal(reasonOf(verify(good())), undefined);
      const answer = verify(hostile.proofs ?? [], hostile.asked);
      assert.equal(reasonOf(answer), hostile.reason, name);
      const { refused } = answer as ProofAnswer;
      assert.match(refused?.detail ?? "", hostile.detail);
      assert.equal(refused?.costly, hostile.costly ?? false, "costly");
      assert.equal(metrics.value(`sallyport_dpop_proofs ${hostile.reason}`), 1);
    }
  });
}

function row(
  options: Partial<ProofOptions>,
  detail: RegExp,
  reason: Reason = "invalid-proof",
): Row {
  return { proofs: [proof(options)], reason, detail };
}

function offCurve() {
  return { kty: "EC", crv: "P-256", x: "A".repeat(42) + "E", y: "A".repeat(42) + "E" };
}

function thumbprintOf({ crv, kty, x, y }: Record<"crv" | "kty" | "x" | "y", string>): string {
  return hash("sha256", JSON.stringify({ crv, kty, x, y }), "base64url");
}

function payloadWith(claims: object): string {
  const payload = JSON.parse(Buffer.from(PAYLOAD, "base64url").toString()) as object;
  return encode({ ...payload, ...claims });
}

test("verify() takes a good proof once, and never again", () => {
  const { clock, verify, good, metrics } = ground();
  const sent = good();
  assert.equal(reasonOf(verify(sent)), undefined);
  assert.equal(reasonOf(verify(sent)), "replayed-proof");
  clock.advance(64_000);
  assert.equal(reasonOf(verify(sent)), "replayed-proof", "within the window");
  clock.advance(1001);
  assert.equal(reasonOf(verify(sent)), "stale-proof", "after it");
  assert.equal(metrics.value("sallyport_dpop_proofs verified"), 1);
});

test("verify() takes no proof again whose iat is as far ahead as is let through", () => {
  const { clock, verify, good } = ground();
  const sent = good({ claims: { iat: seconds + 5 } });
  assert.equal(reasonOf(verify(sent)), undefined);
  for (let passed = 0; passed <= 75; passed++) {
    assert.notEqual(reasonOf(verify(sent)), undefined, `after ${passed} s`);
    clock.advance(1000);
  }
});

test("verify() takes a proof to the last millisecond of its time, and not beyond", () => {
  for (const [claims, reason] of [
    [{ iat: seconds - 65 }, undefined],
    [{ iat: seconds - 65.001 }, "stale-proof"],
    [{ iat: seconds + 5 }, undefined],
    [{ iat: seconds + 5.001 }, "stale-proof"],
    [{ exp: seconds - 4.999 }, undefined],
    [{ exp: seconds - 5 }, "stale-proof"],
    [{ exp: seconds + 60, nbf: seconds - 60 }, undefined],
    [{ nbf: seconds + 5 }, undefined],
    [{ nbf: seconds + 5.001 }, "stale-proof"],
  ] as const) {
    const { verify, good } = ground();
    assert.equal(reasonOf(verify(good({ claims }))), reason, JSON.stringify(claims));
  }
});

test("verify() takes claims as long as they may be", () => {
  const { verify, good } = ground();
  const claims = { jti: "x".repeat(256), nonce: "n".repeat(256) };
  assert.equal(reasonOf(verify(good({ claims }))), undefined);
});

test("verify() takes one jti again of another key, and in another proof of the same key never", () => {
  const { verify, good } = ground();
  const claims = { jti: "one" };
  assert.equal(reasonOf(verify(good({ claims }))), undefined);
  assert.equal(reasonOf(verify(good({ claims: { ...claims, more: 1 } }))), "replayed-proof");
  const { thumbprint } = stranger;
  const other = verify(good({ claims }, stranger), { keyThumbprint: thumbprint });
  assert.equal(reasonOf(other), undefined);
});

test("verify() uses up no proof that it refuses", () => {
  const { verify, good } = ground();
  const sent = good();
  assert.equal(reasonOf(verify(sent, { method: "POST" })), "invalid-proof");
  assert.equal(reasonOf(verify([sent, sent])), "invalid-proof");
  assert.equal(reasonOf(verify(`${sent.slice(0, -6)}AAAAAA`)), "invalid-proof");
  assert.equal(reasonOf(verify(sent)), undefined);
});

for (const [of, algorithm] of [
  [client, "ES256"],
  [rsa, "RS256"],
  [dpopClient("PS256", "rsa"), "PS256"],
  [ed, "Ed25519"],
  [dpopClient("EdDSA", "ed"), "EdDSA"],
  [dpopClient("ES384", "384"), "ES384"],
  [dpopClient("ES512", "521"), "ES512"],
] as const satisfies readonly (readonly [DpopClient, Algorithm])[]) {
  test(`verify() takes a proof by ${algorithm}, and none that was tampered with`, () => {
    const { verify, good } = ground({ algorithms: [algorithm] });
    const asked = { keyThumbprint: of.thumbprint };
    assert.equal(reasonOf(verify(good({}, of), asked)), undefined);
    const [header, , signature] = good({}, of).split(".");
    const forged = `${header}.${payloadWith({ jti: "forged" })}.${signature}`;
    assert.equal(reasonOf(verify(forged, asked)), "invalid-proof");
  });
}

test("verify() takes Ed25519 and EdDSA for one algorithm", () => {
  const { verify, good } = ground({ algorithms: ["EdDSA"] });
  assert.equal(reasonOf(verify(good({}, ed), { keyThumbprint: ed.thumbprint })), undefined);
});

test("verify() does not trust a header because its key is known", () => {
  const { verify, good } = ground();
  assert.equal(reasonOf(verify(good())), undefined);
  assert.equal(reasonOf(verify(good({ header: { typ: "JWT" } }))), "invalid-proof");
  // A known key's header under a token of somebody else.
  const asked = { keyThumbprint: stranger.thumbprint };
  assert.equal(reasonOf(verify(good(), asked)), "wrong-proof-key");
});

test("verify() takes a proof with members that say nothing to us", () => {
  const { verify, good } = ground();
  const header = { kid: "mine", extra: 1, jwk: { ...client.jwk, kid: "mine", use: "sig" } };
  assert.equal(reasonOf(verify(good({ header, claims: { more: { a: 1 } } }))), undefined);
});

test("verify() does not ask for a nonce that is sent where none is wanted", () => {
  const { verify, good } = ground();
  assert.equal(reasonOf(verify(good({ nonce: "another server's" }))), undefined);
});

test("verify() gives a nonce with its refusal, takes it, and gives the next before it ends", () => {
  const { clock, verify, good } = ground({ nonce: "required", nonceLifetime: 300_000 });
  const turn = 150_000 - (clock.now() % 150_000);
  const nonceIn = ({ answerFields }: ProofAnswer): string | undefined => {
    if (answerFields.length === 0) return undefined;
    assert.equal(answerFields[0], "dpop-nonce");
    return answerFields[1];
  };
  const first = verify(good()) as ProofAnswer;
  assert.equal(first.refused?.reason, "use-dpop-nonce");
  const nonce = nonceIn(first);
  assert.match(nonce ?? "", /^[A-Za-z0-9_-]{22}$/);
  const second = verify(good({ nonce })) as ProofAnswer;
  assert.equal(second.refused, undefined);
  assert.equal(nonceIn(second), undefined, "it has the newest");
  clock.advance(turn);
  const third = verify(good({ nonce })) as ProofAnswer;
  assert.equal(third.refused, undefined, "good for one more turn");
  const next = nonceIn(third);
  assert.notEqual(next, undefined, "and told of the next");
  assert.notEqual(next, nonce);
  clock.advance(150_000);
  const late = verify(good({ nonce })) as ProofAnswer;
  assert.equal(late.refused?.reason, "use-dpop-nonce", "not any more");
  assert.equal((verify(good({ nonce: next })) as ProofAnswer).refused, undefined);
});

test("verify() takes no nonce of a process that shares no memory, and each of one that does", () => {
  const here = ground({ nonce: "required" });
  const there = ground({ nonce: "required" });
  const beside = ground({ nonce: "required" }, here.memory);
  const [, nonce] = (here.verify(here.good()) as ProofAnswer).answerFields;
  assert.equal(reasonOf(there.verify(here.good({ nonce }))), "use-dpop-nonce");
  assert.equal(reasonOf(beside.verify(here.good({ nonce }))), undefined);
});

test("verify() takes a proof once among all that share a memory", () => {
  const here = ground();
  const beside = ground({}, here.memory);
  const sent = here.good();
  assert.equal(reasonOf(here.verify(sent)), undefined);
  assert.equal(reasonOf(beside.verify(sent)), "replayed-proof");
});

test("verify() refuses where the memory cannot be asked, or is full", async () => {
  const lost = new SallyportError("memory-unavailable", "nobody there");
  const broken = (fail: () => never | Promise<never>): SharedMemory => ({
    since: 0,
    claim: fail,
    agree: fail,
    get: fail,
    put: fail,
    remove: fail,
  });
  const fails = [
    () => {
      throw lost;
    },
    () => Promise.reject(lost),
  ];
  for (const fail of fails) {
    for (const nonce of ["off", "required"] as const) {
      const { verify, good } = ground({ nonce }, broken(fail));
      const answer = await verify(good());
      assert.equal(answer.refused?.reason, "memory-unavailable");
      assert.equal(answer.refused?.costly, false);
    }
  }
});

test("verify() refuses proofs from before the memory was lost", () => {
  const { clock, memory, good } = ground();
  let since = 0;
  const forgetful: SharedMemory = {
    ...memory,
    get since() {
      return since;
    },
  };
  const { verify } = ground({}, forgetful);
  const sent = good();
  assert.equal(reasonOf(verify(good())), undefined);
  since = clock.now() + 1;
  assert.equal(reasonOf(verify(sent)), "stale-proof");
  assert.equal(reasonOf(verify(good({ claims: { iat: seconds + 1 } }))), undefined);
});

test("verify() says nothing of a proof in its details", () => {
  const canary = "canary-3f9a";
  const { verify, good } = ground();
  for (const options of [
    { claims: { jti: canary.repeat(30) } },
    { claims: { htu: `https://${canary}/` } },
    { claims: { htm: canary } },
    { claims: { ath: canary } },
    { claims: { nonce: canary.repeat(30) } },
    { header: { typ: canary } },
    { header: { alg: canary } },
    { header: { jwk: { ...client.jwk, x: canary } } },
    { header: { jku: canary } },
  ] satisfies readonly Partial<ProofOptions>[]) {
    const { refused } = verify(good(options)) as ProofAnswer;
    assert.ok(refused !== undefined && !refused.detail.includes(canary));
  }
});

const vectors = corpora("jose/rfc-vectors");

interface Vectors {
  readonly dpop_proofs: readonly {
    readonly proof: string;
    readonly payload?: Readonly<Record<string, unknown>>;
  }[];
  readonly ath: { readonly access_token: string; readonly ath: string };
  readonly jkt_bound_access_token_claims: { readonly cnf: { readonly jkt: string } };
}

test(
  "verify() takes the proofs of RFC 9449 that are for a resource",
  { skip: vectors === undefined && "no corpora/jose" },
  () => {
    const text = readFileSync(join(vectors ?? "", "vectors.json"), "utf8");
    const {
      dpop_proofs: proofs,
      ath,
      jkt_bound_access_token_claims: bound,
    } = JSON.parse(text) as Vectors;
    let taken = 0;
    let others = 0;
    for (const { proof: sent } of proofs) {
      const claims = JSON.parse(
        Buffer.from(sent.split(".")[1] ?? "", "base64url").toString(),
      ) as Record<"htm" | "htu" | "ath", string> & { readonly iat: number };
      const fields: Fields = ["dpop", sent];
      const { verify } = ground();
      const answer = verify([], {
        fields,
        method: claims.htm,
        url: claims.htu,
        token: ath.access_token,
        keyThumbprint: bound.cnf.jkt,
        nowMs: claims.iat * 1000,
      });
      if (claims.ath === undefined) {
        // One for the token endpoint: it is for no access token.
        assert.equal(reasonOf(answer), "invalid-proof");
        others += 1;
      } else {
        assert.equal(claims.ath, ath.ath);
        assert.equal(reasonOf(answer), undefined);
        taken += 1;
      }
    }
    assert.ok(taken > 0 && others > 0, `${taken} and ${others}`);
  },
);

test("verify() takes no proof that another library's key format would make of ours", () => {
  const { verify } = ground();
  const key = testKey("client", "ES256");
  const jwk = { ...client.jwk, x: `${client.jwk["x"] as string}=` };
  const sent = signToken(key, { typ: "dpop+jwt", alg: "ES256", jwk }, payloadObject());
  assert.equal(reasonOf(verify(sent)), "wrong-proof-key");
});

function payloadObject(): object {
  return JSON.parse(Buffer.from(PAYLOAD, "base64url").toString()) as object;
}

const endpoint = { token: undefined, keyThumbprint: undefined } as const;

test("verify() says whose key a proof is by where none is asked for", () => {
  const { verify, good } = ground();
  for (const owner of [client, ed, stranger]) {
    const answer = verify(good({ token: undefined }, owner), endpoint);
    assert.ok(!(answer instanceof Promise));
    assert.deepEqual([answer.refused, answer.keyThumbprint], [undefined, owner.thumbprint]);
  }
});

test("verify() takes a proof once where no key is asked for, and each key's for itself", () => {
  const { verify, good } = ground();
  const claims = { jti: "the-same" };
  const sent = good({ token: undefined, claims });
  assert.equal(reasonOf(verify(sent, endpoint)), undefined);
  assert.equal(reasonOf(verify(sent, endpoint)), "replayed-proof");
  assert.equal(reasonOf(verify(good({ token: undefined, claims }, stranger), endpoint)), undefined);
});

test("verify() refuses, where no key is asked for, all that it refuses elsewhere", () => {
  const { verify, good, clock } = ground();
  const wrong = (rest: Partial<ProofOptions>) =>
    reasonOf(verify(good({ token: undefined, ...rest }), endpoint));
  assert.equal(wrong({ method: "POST" }), "invalid-proof");
  assert.equal(wrong({ url: "https://other.example/" }), "invalid-proof");
  assert.equal(wrong({ signer: testKey("other", "ES256") }), "invalid-proof");
  assert.equal(wrong({ header: { typ: "JWT" } }), "invalid-proof");
  assert.equal(wrong({ claims: { ath: 7 } }), "invalid-proof");
  assert.equal(wrong({ nowMs: clock.now() - 3_600_000 }), "stale-proof");
  assert.equal(reasonOf(verify([], endpoint)), "missing-proof");
});

test("verify() refuses a proof for the token endpoint where a token is used", () => {
  const { verify, good } = ground();
  assert.equal(reasonOf(verify(good({ token: undefined }))), "invalid-proof");
});
