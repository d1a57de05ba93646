import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  createFixtureCa,
  FixtureAuthority,
  invitation,
  ISSUER,
  newKey,
  peerOf,
} from "../../../test/authority/enrolment-ground.ts";
import { CLIENT_AUTH, parseCertificate, SERVER_AUTH } from "../../crypto/certificate.ts";
import { pemBlocks } from "../../crypto/pem.ts";
import { SallyportError } from "../../model/errors.ts";
import type { JsonObject } from "../../model/json.ts";
import type { PeerTls } from "../../model/peer-tls.ts";
import {
  ENDPOINT_LIMITS,
  ENROLMENT_PROBLEMS,
  type EnrolmentRequest,
  type EnrolmentResponse,
} from "./enrolment-endpoint.ts";
import { PROOF_TYPES, type ProofKey, proofKeyOf, signProof } from "./enrolment-proof.ts";
import { readJoinToken, tokenHash } from "./enrolment-token.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test("enrol() gives a certificate for the key that was proven, and for nothing else", async () => {
  const authority = new FixtureAuthority();
  const secret = secretOf(await authority.invite("edge-1"));
  const key = newKey();
  const answer = await enrol(authority, secret, { key });
  assert.equal(answer.status, 200);
  assert.ok(answer.fields.includes("no-store"));
  const body = JSON.parse(answer.body);
  assert.deepEqual(Object.keys(body).toSorted(), [
    "certificate",
    "endorsements",
    "issuer",
    "kind",
    "method",
    "name",
    "notAfterMs",
    "roots",
  ]);
  const [der] = pemBlocks(body.certificate, "CERTIFICATE");
  assert.ok(der);
  const { extensions, spki, notAfter } = parseCertificate(der);
  assert.deepEqual(extensions.uris, ["spiffe://sallyport.example.com/sallyport/proxy/edge-1"]);
  // Under its own name it may serve too: then it is a relay.
  assert.deepEqual(extensions.dnsNames, ["edge-1"]);
  assert.deepEqual(extensions.usages, [CLIENT_AUTH, SERVER_AUTH]);
  assert.equal(extensions.authority, false);
  assert.ok(spki.equals(key.verification.keyObject.export({ type: "spki", format: "der" })));
  assert.equal(notAfter, authority.clock.now() + 24 * HOUR);
  assert.equal(body.notAfterMs, notAfter);
});

test("enrol() gives a workload a certificate that serves nowhere", async () => {
  const authority = new FixtureAuthority();
  const secret = secretOf(await authority.invite("billing", "workload"));
  const { certificate } = JSON.parse((await enrol(authority, secret)).body);
  const [der] = pemBlocks(certificate, "CERTIFICATE");
  assert.ok(der);
  const { extensions } = parseCertificate(der);
  assert.deepEqual([extensions.dnsNames, extensions.usages], [[], [CLIENT_AUTH]]);
});

test("enrol() of a token that was redeemed is refused to another key, and answered again to the same", async () => {
  const authority = new FixtureAuthority();
  const secret = secretOf(await authority.invite("edge-1"));
  const key = newKey();
  assert.equal((await enrol(authority, secret, { key })).status, 200);
  refusedWith(await enrol(authority, secret), "token-refused");
  assert.equal((await enrol(authority, secret, { key })).status, 200);
  authority.clock.advance(10 * MINUTE);
  refusedWith(await enrol(authority, secret, { key }), "token-refused");
});

test("enrol() gives one same answer for every token that does not count", async () => {
  const authority = new FixtureAuthority();
  const { register, clock } = authority;
  const used = secretOf(await authority.invite("used"));
  await enrol(authority, used);
  const replaced = secretOf(await authority.invite("replaced"));
  await register.reenrol("replaced", { by: "ops" });
  const disabled = secretOf(await authority.invite("disabled"));
  await register.disable("disabled", { by: "ops" });
  const removed = secretOf(await authority.invite("removed"));
  await register.remove("removed", { by: "ops" });
  const removedAndBack = secretOf(await authority.invite("back"));
  await register.remove("back", { by: "ops" });
  await authority.invite("back");
  const answers = [];
  for (const secret of [used, replaced, disabled, removed, removedAndBack, "guessed", ""]) {
    answers.push(await enrol(authority, secret));
  }
  const late = secretOf(await authority.invite("late"));
  clock.advance(10 * MINUTE);
  const [{ timeMs: _then, ...expected }] = [JSON.parse(answers[0]?.body ?? "")];
  answers.push(await enrol(authority, late));
  for (const answer of answers) {
    refusedWith(answer, "token-refused");
    const { timeMs: _time, ...body } = JSON.parse(answer.body);
    assert.deepEqual(body, expected);
    assert.deepEqual(answer.fields, answers[0]?.fields);
  }
});

test("enrol() lets exactly one win where many redeem one token on two authorities at once", async () => {
  const one = new FixtureAuthority();
  const two = new FixtureAuthority(one);
  const secret = secretOf(await one.invite("edge-1"));
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, index) => enrol(index % 2 === 0 ? one : two, secret)),
  );
  const won = answers.filter(({ status }) => status === 200);
  assert.equal(won.length, 1);
  for (const answer of answers) if (answer !== won[0]) refusedWith(answer, "token-refused");
  const { certificate } = JSON.parse(won[0]?.body ?? "");
  const workload = await one.register.get("edge-1");
  const [der] = pemBlocks(certificate, "CERTIFICATE");
  assert.ok(der);
  assert.equal(workload?.key?.serial, parseCertificate(der).serial);
});

test("enrol() of a redeemed token with its key is refused once the machine is disabled or has renewed", async () => {
  const authority = new FixtureAuthority();
  const { register } = authority;
  const key = newKey();
  const secret = secretOf(await authority.invite("edge-1"));
  const { certificate } = JSON.parse((await enrol(authority, secret, { key })).body);
  await register.disable("edge-1", { by: "ops" });
  refusedWith(await enrol(authority, secret, { key }), "token-refused");
  await register.enable("edge-1", { by: "ops" });
  assert.equal((await enrol(authority, secret, { key })).status, 200);
  assert.equal((await renew(authority, certificate)).status, 200);
  refusedWith(await enrol(authority, secret, { key }), "token-refused");
});

test("enrol() refuses a token that is not the one that is out, whatever the store holds", async () => {
  const authority = new FixtureAuthority();
  await authority.invite("edge-1");
  await authority.store.commit([
    { collection: "join-tokens", id: tokenHash("left over"), body: { name: "edge-1" } },
  ]);
  refusedWith(await enrol(authority, "left over"), "token-refused");
});

test("enrol() and renew() commit nothing over a disable() that came in between", async () => {
  const authority = new FixtureAuthority();
  const { store, register } = authority;
  const certificate = await enrolled(authority, "edge-1");
  const secret = secretOf(await authority.invite("edge-2"));
  const between = (name: string): void => {
    const commit = store.commit.bind(store);
    store.commit = async (writes) => {
      store.commit = commit;
      await register.disable(name, { by: "ops" });
      return commit(writes);
    };
  };
  between("edge-1");
  refusedWith(await renew(authority, certificate), "identity-disabled");
  between("edge-2");
  refusedWith(await enrol(authority, secret), "token-refused");
  for (const name of ["edge-1", "edge-2"]) {
    assert.equal((await register.get(name))?.state, "disabled");
  }
});

test("enrol() at the moment of a disable() never leaves a machine that is let in", async () => {
  for (let round = 0; round < 20; round++) {
    const one = new FixtureAuthority();
    const two = new FixtureAuthority(one);
    const secret = secretOf(await one.invite("edge-1"));
    const [answer] = await Promise.all([
      enrol(one, secret),
      two.register.disable("edge-1", { by: "ops" }),
    ]);
    assert.equal((await one.register.get("edge-1"))?.state, "disabled");
    if (answer.status === 200) {
      const { certificate } = JSON.parse(answer.body);
      refusedWith(await renew(one, certificate), "identity-disabled");
    }
  }
});

/** Each is signed by `key` unless it says otherwise; each alone is why it is refused. */
const FORGERIES: readonly (readonly [
  name: string,
  make: (given: { secret: string; key: ProofKey; nowMs: number }) => string,
  code: string,
])[] = [
  [
    "signed by another key than it carries",
    ({ secret, nowMs }) => signProof(newKey(), draft(nowMs, { jwk: newKey().jwk, token: secret })),
    "proof-invalid",
  ],
  [
    "of another purpose",
    ({ secret, key, nowMs }) =>
      signProof(key, { ...draft(nowMs, { jwk: key.jwk, token: secret }), type: PROOF_TYPES.renew }),
    "proof-invalid",
  ],
  [
    "for another authority",
    ({ secret, key, nowMs }) =>
      signProof(key, {
        ...draft(nowMs, { jwk: key.jwk, token: secret }),
        audience: "https://other.example.com",
      }),
    "proof-invalid",
  ],
  [
    "of long ago",
    ({ secret, key, nowMs }) =>
      signProof(key, draft(nowMs - 6 * MINUTE, { jwk: key.jwk, token: secret })),
    "clock-off",
  ],
  [
    "of the future",
    ({ secret, key, nowMs }) =>
      signProof(key, draft(nowMs + 6 * MINUTE, { jwk: key.jwk, token: secret })),
    "clock-off",
  ],
  [
    "without a key",
    ({ secret, key, nowMs }) => signProof(key, draft(nowMs, { token: secret })),
    "proof-invalid",
  ],
  [
    "with a private key in it",
    ({ secret, key, nowMs }) => {
      const jwk = key.privateKey.export({ format: "jwk" }) as JsonObject;
      return signProof(key, draft(nowMs, { jwk, token: secret }));
    },
    "proof-invalid",
  ],
  [
    "without a token",
    ({ key, nowMs }) => signProof(key, draft(nowMs, { jwk: key.jwk })),
    "proof-invalid",
  ],
  [
    "with a token that is no text",
    ({ key, nowMs }) => signProof(key, draft(nowMs, { jwk: key.jwk, token: [1] })),
    "proof-invalid",
  ],
  [
    "with an empty jti",
    ({ secret, key, nowMs }) =>
      signProof(key, draft(nowMs, { jwk: key.jwk, token: secret, jti: "" })),
    "proof-invalid",
  ],
  [
    "with a changed payload",
    ({ secret, key, nowMs }) => {
      const [head, , signature] = signProof(
        key,
        draft(nowMs, { jwk: key.jwk, token: "guess" }),
      ).split(".");
      const payload = { aud: ISSUER, iat: nowMs / 1000, jti: "1", jwk: key.jwk, token: secret };
      return `${head}.${Buffer.from(JSON.stringify(payload)).toString("base64url")}.${signature}`;
    },
    "proof-invalid",
  ],
  [
    "without a signature",
    ({ secret, key, nowMs }) =>
      signProof(key, draft(nowMs, { jwk: key.jwk, token: secret })).replace(/[^.]+$/, ""),
    "proof-invalid",
  ],
  [
    "with alg none",
    ({ secret, key, nowMs }) => {
      const part = (value: unknown): string =>
        Buffer.from(JSON.stringify(value)).toString("base64url");
      const payload = { aud: ISSUER, iat: nowMs / 1000, jti: "1", jwk: key.jwk, token: secret };
      return `${part({ alg: "none", typ: PROOF_TYPES.enrol })}.${part(payload)}.`;
    },
    "proof-invalid",
  ],
];

for (const [name, make, code] of FORGERIES) {
  test(`enrol() refuses a proof ${name}, and the token stays good`, async () => {
    const authority = new FixtureAuthority();
    const secret = secretOf(await authority.invite("edge-1"));
    const key = newKey();
    const nowMs = authority.clock.now();
    const forged = make({ secret, key, nowMs });
    refusedWith(await authority.endpoint.enrol(requestOf(forged)), code);
    assert.equal((await enrol(authority, secret, { key })).status, 200);
  });
}

test("enrol() refuses keys other than P-256 and Ed25519", async () => {
  const authority = new FixtureAuthority();
  const secret = secretOf(await authority.invite("edge-1"));
  const p384 = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
  assert.throws(() => proofKeyOf(p384), { code: "key-invalid" });
  const key = newKey();
  for (const jwk of [
    p384.export({ format: "jwk" }),
    { kty: "oct", k: "AAAA" },
    { ...key.jwk, x: "AAAA" },
    { ...key.jwk, kty: "OKP" },
  ]) {
    const proof = signProof(
      key,
      draft(authority.clock.now(), { jwk: jwk as JsonObject, token: secret }),
    );
    refusedWith(await authority.endpoint.enrol(requestOf(proof)), "proof-invalid");
  }
  const ed25519 = proofKeyOf(generateKeyPairSync("ed25519").privateKey);
  assert.equal((await enrol(authority, secret, { key: ed25519 })).status, 200);
});

test("enrol() and renew() answer anything with a status of their table, and never throw", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array({ maxLength: 400 }),
        fc.string().map((text) => Buffer.from(text)),
        jwsLike(),
      ),
      async (body) => {
        const authority = new FixtureAuthority();
        for (const verb of ["enrol", "renew"] as const) {
          const answer = await authority.endpoint[verb]({ ...requestOf(""), body });
          const { code } = JSON.parse(answer.body);
          assert.ok(code in ENROLMENT_PROBLEMS, code);
          assert.ok(answer.status >= 400 && answer.status < 500, code);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test("enrol() of a new token with the key that the machine has already is refused", async () => {
  const authority = new FixtureAuthority();
  const key = newKey();
  await enrol(authority, secretOf(await authority.invite("edge-1")), { key });
  const again = invitation(await authority.register.reenrol("edge-1", { by: "ops" }));
  refusedWith(await enrol(authority, secretOf(again), { key }), "key-not-new");
  assert.equal((await enrol(authority, secretOf(again))).status, 200);
});

test("enrol() refuses bodies that are too large or of another type without reading them", async () => {
  const authority = new FixtureAuthority();
  const secret = secretOf(await authority.invite("edge-1"));
  const key = newKey();
  const proof = proofOf(authority, secret, key);
  const large = { ...requestOf(proof), body: Buffer.alloc(ENDPOINT_LIMITS.body + 1, 0x41) };
  refusedWith(await authority.endpoint.enrol(large), "body-too-large");
  for (const contentType of [[], ["application/json"], ["application/jose", "application/jose"]]) {
    const given = { ...requestOf(proof), contentType };
    refusedWith(await authority.endpoint.enrol(given), "unsupported-media-type");
  }
  assert.equal((await authority.endpoint.enrol(requestOf(proof))).status, 200);
});

test("enrol() counts failures by address and by IPv6 network; success costs nothing", async () => {
  const authority = new FixtureAuthority();
  const secret = secretOf(await authority.invite("edge-1"));
  const { burst } = ENDPOINT_LIMITS.perAddress;
  const key = newKey();
  for (let count = 0; count < burst * 2; count++) {
    assert.equal((await enrol(authority, secret, { key, address: "2001:db8::1" })).status, 200);
  }
  for (let count = 0; count < burst; count++) {
    refusedWith(
      await enrol(authority, "guess", { address: `2001:db8::${count}` }),
      "token-refused",
    );
  }
  const spent = await enrol(authority, secret, { key, address: "2001:db8::ffff" });
  refusedWith(spent, "too-many-failures");
  assert.ok(Number(spent.fields[spent.fields.indexOf("retry-after") + 1]) > 0);
  assert.equal((await enrol(authority, secret, { key, address: "2001:db8:1::1" })).status, 200);
  authority.clock.advance(MINUTE);
  assert.equal((await enrol(authority, secret, { key, address: "2001:db8::1" })).status, 200);
  assert.equal(authority.metrics.value("sallyport_enrolment_requests enrol token-refused"), burst);
});

test("enrol() bounds failures in all: guessing from everywhere stops too", async () => {
  const authority = new FixtureAuthority();
  const { burst } = ENDPOINT_LIMITS.inAll;
  const codes = new Map<string, number>();
  for (let count = 0; count < burst + 50; count++) {
    const address = `198.51.${count >> 8}.${count & 255}`;
    const { code } = JSON.parse((await enrol(authority, "guess", { address })).body);
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  assert.deepEqual(Object.fromEntries(codes), {
    "token-refused": burst,
    "too-many-failures": 50,
  });
});

test("renew() gives a certificate for a new key and ends the old one", async () => {
  const authority = new FixtureAuthority();
  const first = await enrolled(authority, "edge-1");
  authority.clock.advance(12 * HOUR);
  const key = newKey();
  const answer = await renew(authority, first, { key });
  assert.equal(answer.status, 200);
  const second = JSON.parse(answer.body).certificate;
  assert.equal((await authority.register.get("edge-1"))?.key?.thumbprint, key.thumbprint);
  refusedWith(await renew(authority, first), "identity-superseded");
  assert.equal((await renew(authority, second)).status, 200);
});

test("renew() with a key that was replaced is refused, logged loudly, counted and kept", async () => {
  const authority = new FixtureAuthority();
  const stolen = await enrolled(authority, "edge-1");
  const renewed = await renew(authority, stolen);
  const answer = await renew(authority, stolen, { address: "203.0.113.9" });
  refusedWith(answer, "identity-superseded");
  const loud = authority.log.lines.filter((line) => line.startsWith("error"));
  assert.equal(loud.length, 1);
  assert.match(loud[0] ?? "", /in two hands.*"name":"edge-1".*203\.0\.113\.9/);
  const metric = "sallyport_enrolment_requests renew identity-superseded";
  assert.equal(authority.metrics.value(metric), 1);
  const { suspicion } = (await authority.register.get("edge-1")) ?? {};
  assert.deepEqual(suspicion, { atMs: authority.clock.now(), address: "203.0.113.9" });
  // Who has the right key goes on, and the next enrolment settles it.
  assert.equal((await renew(authority, JSON.parse(renewed.body).certificate)).status, 200);
  assert.ok((await authority.register.get("edge-1"))?.suspicion);
  const again = invitation(await authority.register.reenrol("edge-1", { by: "ops" }));
  await enrol(authority, secretOf(again));
  assert.equal((await authority.register.get("edge-1"))?.suspicion, undefined);
});

test("renew() where the thief was faster is refused to the machine, and shown as well", async () => {
  const authority = new FixtureAuthority();
  const certificate = await enrolled(authority, "edge-1");
  const thief = await renew(authority, certificate, { address: "203.0.113.9" });
  assert.equal(thief.status, 200);
  refusedWith(await renew(authority, certificate), "identity-superseded");
  assert.ok((await authority.register.get("edge-1"))?.suspicion);
});

test("renew() whose answer was lost is answered again to the same key, with the old certificate", async () => {
  const authority = new FixtureAuthority();
  const old = await enrolled(authority, "edge-1");
  const key = newKey();
  const lost = await renew(authority, old, { key });
  authority.clock.advance(3 * HOUR);
  const again = await renew(authority, old, { key });
  assert.equal(again.status, 200);
  assert.equal((await authority.register.get("edge-1"))?.suspicion, undefined);
  // Both certificates are of the registered key, so both count.
  for (const { body } of [lost, again]) {
    const { certificate } = peer(authority, JSON.parse(body).certificate);
    assert.ok(certificate);
    assert.deepEqual(await authority.admission.admit(certificate), {
      name: "edge-1",
      kind: "proxy",
    });
  }
});

test("renew() refuses a proof that was made for another certificate", async () => {
  const authority = new FixtureAuthority();
  const [one, two] = [await enrolled(authority, "edge-1"), await enrolled(authority, "edge-2")];
  const key = newKey();
  const moved = renewalProof(authority, one, key);
  refusedWith(
    await authority.endpoint.renew(requestOf(moved, { peer: peer(authority, two) })),
    "proof-invalid",
  );
  const right = await authority.endpoint.renew(requestOf(moved, { peer: peer(authority, one) }));
  assert.equal(right.status, 200);
});

test("renew() refuses the key that is registered already", async () => {
  const authority = new FixtureAuthority();
  const secret = secretOf(await authority.invite("edge-1"));
  const key = newKey();
  const { certificate } = JSON.parse((await enrol(authority, secret, { key })).body);
  refusedWith(await renew(authority, certificate, { key }), "key-not-new");
});

test("renew() refuses an enrolment's proof, and enrol() a renewal's", async () => {
  const authority = new FixtureAuthority();
  const certificate = await enrolled(authority, "edge-1");
  const secret = secretOf(await authority.invite("edge-2"));
  const given = { peer: peer(authority, certificate) };
  const enrolment = proofOf(authority, secret, newKey());
  refusedWith(await authority.endpoint.renew(requestOf(enrolment, given)), "proof-invalid");
  const renewal = renewalProof(authority, certificate, newKey());
  refusedWith(await authority.endpoint.enrol(requestOf(renewal, given)), "proof-invalid");
});

test("renew() needs a certificate, of this authority and in its time", async () => {
  const authority = new FixtureAuthority();
  const certificate = await enrolled(authority, "edge-1");
  const proof = renewalProof(authority, certificate, newKey());
  refusedWith(await authority.endpoint.renew(requestOf(proof)), "certificate-required");
  // The same name by another CA: who can run a CA is not thereby one of our machines.
  const foreign = new FixtureAuthority();
  const impostor = await enrolled(foreign, "edge-1");
  const seen = peerOf(impostor, authority.ca, authority.clock);
  const moved = renewalProof(authority, impostor, newKey());
  refusedWith(
    await authority.endpoint.renew(requestOf(moved, { peer: seen })),
    "certificate-refused",
  );
  authority.clock.advance(24 * HOUR + 1000);
  const late = renewalProof(authority, certificate, newKey());
  const given = { peer: peer(authority, certificate) };
  refusedWith(await authority.endpoint.renew(requestOf(late, given)), "certificate-refused");
});

test("renew() refuses certificates of our CA that are not an enrolled machine's", async () => {
  const authority = new FixtureAuthority();
  const certificate = await enrolled(authority, "edge-1");
  const uri = "spiffe://sallyport.example.com/sallyport";
  for (const uris of [
    [],
    [`${uri}/proxy/edge-2`],
    [`${uri}/workload/edge-1`],
    [`${uri}/proxy/edge-1/x`],
    [`${uri}/proxy/edge-1?x`],
    [`${uri}/proxy/EDGE-1`],
    [`${uri}/robot/edge-1`],
    ["spiffe://other.example.com/sallyport/proxy/edge-1"],
    ["https://sallyport.example.com/sallyport/proxy/edge-1"],
    [`${uri}/proxy/edge-1`, `${uri}/proxy/edge-2`],
  ]) {
    const key = newKey();
    const issued = authority.ca.issue({
      publicKey: key.verification.keyObject,
      commonName: "edge-1",
      uris,
      dnsNames: [],
      ipAddresses: [],
      usages: ["client"],
      lifetimeMs: HOUR,
    });
    refusedWith(await renew(authority, issued.pem), "identity-unknown");
    const { certificate: seen } = peer(authority, issued.pem);
    assert.ok(seen);
    assert.equal((await authority.admission.admit(seen)).refused, "unknown", uris.join(" "));
  }
  assert.equal((await renew(authority, certificate)).status, 200);
});

test("disable() cuts a machine off: it is neither let in nor renewed until enable()", async () => {
  const authority = new FixtureAuthority();
  const { register, admission } = authority;
  const certificate = await enrolled(authority, "edge-1");
  const { certificate: seen } = peer(authority, certificate);
  assert.ok(seen);
  await register.disable("edge-1", { by: "ops" });
  assert.equal((await admission.admit(seen)).refused, "disabled");
  refusedWith(await renew(authority, certificate), "identity-disabled");
  await register.enable("edge-1", { by: "ops" });
  assert.equal((await admission.admit(seen)).refused, undefined);
  assert.equal((await renew(authority, certificate)).status, 200);
});

test("admit() lets a replaced certificate in for the overlap, and not longer", async () => {
  const authority = new FixtureAuthority();
  const { admission, clock } = authority;
  const old = peer(authority, await enrolled(authority, "edge-1")).certificate;
  assert.ok(old);
  await renew(authority, certificateOf(authority));
  assert.equal((await admission.admit(old)).refused, undefined);
  clock.advance(10 * MINUTE);
  assert.equal((await admission.admit(old)).refused, "superseded");
});

test("reenrol() with now, remove() and a new enrolment each end the old certificate at once", async () => {
  const end: Record<string, (authority: FixtureAuthority) => Promise<unknown>> = {
    superseded: ({ register }) => register.reenrol("edge-1", { by: "ops", now: true }),
    unknown: ({ register }) => register.remove("edge-1", { by: "ops" }),
  };
  for (const [refused, ended] of Object.entries(end)) {
    const authority = new FixtureAuthority();
    const certificate = await enrolled(authority, "edge-1");
    const { certificate: seen } = peer(authority, certificate);
    assert.ok(seen);
    await ended(authority);
    assert.equal((await authority.admission.admit(seen)).refused, refused);
    refusedWith(await renew(authority, certificate), `identity-${refused}`);
  }
  const authority = new FixtureAuthority();
  const certificate = await enrolled(authority, "edge-1");
  const { certificate: seen } = peer(authority, certificate);
  assert.ok(seen);
  const again = invitation(await authority.register.reenrol("edge-1", { by: "ops" }));
  assert.equal((await authority.admission.admit(seen)).refused, undefined);
  await enrol(authority, secretOf(again));
  assert.equal((await authority.admission.admit(seen)).refused, "superseded");
});

test("private-key-jwt: enrol() registers the key, renew() takes a new one that the old one vouches for", async () => {
  const authority = new FixtureAuthority();
  const { old, clientId } = await enrolledKey(authority);
  assert.equal(clientId, "billing");
  const next = newKey();
  assert.equal((await rotate(authority, old, next)).status, 200);
  assert.equal((await rotate(authority, old, next)).status, 200, "the answer was lost");
  refusedWith(await rotate(authority, old, newKey()), "identity-superseded");
  assert.ok((await authority.register.get("billing"))?.suspicion);
  const last = newKey();
  assert.equal((await rotate(authority, next, last)).status, 200);
  // Two back: nobody can check its signature any more.
  refusedWith(await rotate(authority, old, newKey()), "identity-unknown");
  authority.clock.advance(30 * 24 * HOUR);
  refusedWith(await rotate(authority, last, newKey()), "identity-expired");
  assert.equal((await authority.register.get("billing"))?.state, "expired");
});

test("private-key-jwt: renew() refuses what the old key did not sign, or not for this", async () => {
  const authority = new FixtureAuthority();
  const { old } = await enrolledKey(authority);
  const other = await enrolledKey(authority, "shop");
  const next = newKey();
  const nowMs = authority.clock.now();
  const inner = (claims: JsonObject, key = next) =>
    signProof(key, { type: PROOF_TYPES.renew, audience: ISSUER, nowMs, claims });
  const outer = (claims: JsonObject, key = old, type: string = PROOF_TYPES.rotate) =>
    signProof(key, { type, audience: ISSUER, nowMs, claims });
  const good = inner({ jwk: next.jwk, old: old.thumbprint });
  const pretending = { ...other.old, thumbprint: old.thumbprint };
  const late = { type: PROOF_TYPES.rotate, audience: ISSUER, nowMs: nowMs - 6 * MINUTE };
  const cases: readonly (readonly [string, string])[] = [
    [good, "certificate-required"],
    [outer({ sub: "billing", proof: good }, other.old), "identity-unknown"],
    [outer({ sub: "shop", proof: good }), "identity-unknown"],
    [outer({ sub: "nobody", proof: good }), "identity-unknown"],
    [outer({ sub: "shop", proof: good }, other.old), "proof-invalid"],
    [outer({ sub: "billing", proof: good }, pretending), "proof-invalid"],
    [signProof(old, { ...late, claims: { sub: "billing", proof: good } }), "clock-off"],
    [outer({ sub: "billing" }), "proof-invalid"],
    [outer({ sub: "billing", proof: inner({ jwk: next.jwk }) }), "proof-invalid"],
    [
      outer({ sub: "billing", proof: inner({ jwk: next.jwk, old: other.old.thumbprint }) }),
      "proof-invalid",
    ],
    // The new key has to prove itself as well: else a key could be registered that others have.
    [
      outer({ sub: "billing", proof: inner({ jwk: next.jwk, old: old.thumbprint }, old) }),
      "proof-invalid",
    ],
    [outer({ sub: "billing", proof: "x" }), "proof-invalid"],
    [
      outer({ sub: "billing", proof: inner({ jwk: old.jwk, old: old.thumbprint }, old) }),
      "key-not-new",
    ],
  ];
  for (const [proof, code] of cases) {
    refusedWith(await authority.endpoint.renew(requestOf(proof)), code);
  }
  await authority.register.disable("billing", { by: "ops" });
  refusedWith(await rotate(authority, old, next), "identity-disabled");
});

test("a machine of one method cannot renew by the other", async () => {
  const authority = new FixtureAuthority();
  const key = newKey();
  const secret = secretOf(await authority.invite("edge-1"));
  await enrol(authority, secret, { key });
  const nowMs = authority.clock.now();
  const next = newKey();
  const proof = signProof(next, {
    type: PROOF_TYPES.renew,
    audience: ISSUER,
    nowMs,
    claims: { jwk: next.jwk, old: key.thumbprint },
  });
  const outer = { type: PROOF_TYPES.rotate, audience: ISSUER, nowMs };
  const moved = signProof(key, { ...outer, claims: { sub: "edge-1", proof } });
  refusedWith(await authority.endpoint.renew(requestOf(moved)), "identity-unknown");
  // And a certificate of our CA in the name of one that has none.
  const { old } = await enrolledKey(authority);
  const { pem } = authority.ca.issue({
    publicKey: old.verification.keyObject,
    commonName: "billing",
    uris: ["spiffe://sallyport.example.com/sallyport/workload/billing"],
    dnsNames: [],
    ipAddresses: [],
    usages: ["client"],
    lifetimeMs: HOUR,
  });
  refusedWith(await renew(authority, pem), "identity-unknown");
  assert.equal((await authority.register.get("billing"))?.suspicion, undefined);
});

test("with the store away enrol() and renew() answer 503, the token stays good, nobody is charged", async () => {
  const authority = new FixtureAuthority();
  const secret = secretOf(await authority.invite("edge-1"));
  const certificate = await enrolled(authority, "edge-2");
  authority.store.away = true;
  for (let count = 0; count < ENDPOINT_LIMITS.perAddress.burst * 2; count++) {
    const answer = await enrol(authority, secret);
    refusedWith(answer, "store-unavailable");
    assert.ok(answer.fields.includes("retry-after"));
  }
  refusedWith(await renew(authority, certificate), "store-unavailable");
  authority.store.away = false;
  assert.equal((await enrol(authority, secret)).status, 200);
});

test("with a CA that cannot sign enrol() answers 503, and what is unexpected 500; the token stays good", async () => {
  const authority = new FixtureAuthority();
  const secret = secretOf(await authority.invite("edge-1"));
  const { ca } = authority;
  const issue = ca.issue.bind(ca);
  for (const [error, code] of [
    [new SallyportError("signing-unavailable", "between two roots"), "signing-unavailable"],
    [new TypeError("a defect that knows a secret"), "internal-error"],
  ] as const) {
    ca.issue = () => {
      throw error;
    };
    const answer = await enrol(authority, secret);
    refusedWith(answer, code);
    assert.ok(!answer.body.includes("secret"));
  }
  ca.issue = issue;
  assert.equal((await enrol(authority, secret)).status, 200);
});

test("roots() gives the authority's roots in PEM", () => {
  const { endpoint, ca } = new FixtureAuthority();
  assert.equal(endpoint.roots().body, ca.rootPem);
});

test("no token and no key is in the log, in answers, metrics' labels or the store", async () => {
  const authority = new FixtureAuthority();
  const invited = await authority.invite("edge-1");
  const { secret } = readJoinToken(invited.token);
  const key = newKey();
  const nowMs = authority.clock.now();
  const answers = [
    await enrol(authority, secret, { key }),
    await enrol(authority, secret),
    await authority.endpoint.enrol(requestOf(`${proofOf(authority, secret, key)}x`)),
    await authority.endpoint.enrol(
      requestOf(signProof(key, draft(nowMs - HOUR, { jwk: key.jwk, token: secret }))),
    ),
  ];
  authority.store.away = true;
  answers.push(await enrol(authority, secret, { key }));
  authority.store.away = false;
  const told = [
    ...authority.log.lines,
    ...answers.map(({ body }) => body),
    JSON.stringify(await authority.store.changes(0, 1000)),
  ].join("\n");
  const { d } = key.privateKey.export({ format: "jwk" });
  for (const canary of [secret, invited.token, d ?? ""]) {
    assert.ok(canary.length > 20 && !told.includes(canary));
  }
});

// What the tests say it with.

function draft(nowMs: number, claims: JsonObject) {
  return { type: PROOF_TYPES.enrol, audience: ISSUER, nowMs, claims };
}

function secretOf({ token }: { readonly token: string }): string {
  return readJoinToken(token).secret;
}

function proofOf(authority: FixtureAuthority, secret: string, key: ProofKey): string {
  return signProof(key, draft(authority.clock.now(), { jwk: key.jwk, token: secret }));
}

function requestOf(
  proof: string,
  given: { readonly peer?: PeerTls; readonly address?: string } = {},
): EnrolmentRequest {
  const { peer: tls, address = "192.0.2.1" } = given;
  return { contentType: ["application/jose"], body: Buffer.from(proof), peer: tls, address };
}

function enrol(
  authority: FixtureAuthority,
  secret: string,
  {
    key = newKey(),
    address = "192.0.2.1",
  }: { readonly key?: ProofKey; readonly address?: string } = {},
): Promise<EnrolmentResponse> {
  return authority.endpoint.enrol(requestOf(proofOf(authority, secret, key), { address }));
}

const certificates = new WeakMap<FixtureAuthority, string>();

async function enrolled(authority: FixtureAuthority, name: string): Promise<string> {
  const answer = await enrol(authority, secretOf(await authority.invite(name)));
  const { certificate } = JSON.parse(answer.body);
  certificates.set(authority, certificate);
  return certificate;
}

/** Of who was enrolled last. */
function certificateOf(authority: FixtureAuthority): string {
  return certificates.get(authority) ?? "";
}

function peer(authority: FixtureAuthority, certificate: string): PeerTls {
  return peerOf(certificate, authority.ca, authority.clock);
}

function renewalProof(authority: FixtureAuthority, certificate: string, key: ProofKey): string {
  const [der] = pemBlocks(certificate, "CERTIFICATE");
  assert.ok(der);
  return signProof(key, {
    type: PROOF_TYPES.renew,
    audience: ISSUER,
    nowMs: authority.clock.now(),
    claims: { jwk: key.jwk, old: parseCertificate(der).thumbprint },
  });
}

function renew(
  authority: FixtureAuthority,
  certificate: string,
  {
    key = newKey(),
    address = "192.0.2.1",
  }: { readonly key?: ProofKey; readonly address?: string } = {},
): Promise<EnrolmentResponse> {
  const given = { peer: peer(authority, certificate), address };
  return authority.endpoint.renew(requestOf(renewalProof(authority, certificate, key), given));
}

async function enrolledKey(
  authority: FixtureAuthority,
  name = "billing",
): Promise<{ readonly old: ProofKey; readonly clientId: string }> {
  const invited = invitation(
    await authority.register.enrol(name, {
      kind: "workload",
      method: "private-key-jwt",
      by: "ops",
    }),
  );
  const old = newKey();
  const { clientId, kid, certificate } = JSON.parse(
    (await enrol(authority, secretOf(invited), { key: old })).body,
  );
  assert.equal(kid, old.thumbprint);
  assert.equal(certificate, undefined);
  return { old, clientId };
}

function rotate(
  authority: FixtureAuthority,
  old: ProofKey,
  next: ProofKey,
): Promise<EnrolmentResponse> {
  const context = { audience: ISSUER, nowMs: authority.clock.now() };
  const claims = { jwk: next.jwk, old: old.thumbprint };
  const proof = signProof(next, { ...context, type: PROOF_TYPES.renew, claims });
  return authority.endpoint.renew(
    requestOf(
      signProof(old, { ...context, type: PROOF_TYPES.rotate, claims: { sub: "billing", proof } }),
    ),
  );
}

function refusedWith({ status, fields, body }: EnrolmentResponse, code: string): void {
  const problem = JSON.parse(body);
  assert.equal(problem.code, code);
  assert.equal(status, ENROLMENT_PROBLEMS[code as keyof typeof ENROLMENT_PROBLEMS][0]);
  assert.equal(problem.status, status);
  assert.ok(fields.includes("application/problem+json") && fields.includes("no-store"));
}

/** Three parts of base64url, some of them JSON of the right members with wrong values. */
function jwsLike(): fc.Arbitrary<Uint8Array> {
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom(...Object.values(PROOF_TYPES), "ES256"));
  const object = fc.dictionary(
    fc.constantFrom(
      "alg",
      "typ",
      "kid",
      "aud",
      "iat",
      "jti",
      "jwk",
      "token",
      "sub",
      "proof",
      "old",
    ),
    value,
  );
  return fc
    .tuple(object, object)
    .map(([head, payload]) =>
      Buffer.from(
        [JSON.stringify(head), JSON.stringify(payload), randomBytes(64)]
          .map((part) => Buffer.from(part as string).toString("base64url"))
          .join("."),
      ),
    );
}

test("another CA's certificate of the same name is not let in", async () => {
  const authority = new FixtureAuthority();
  await enrolled(authority, "edge-1");
  const other = createFixtureCa(authority.clock);
  const key = newKey();
  const { pem } = other.issue({
    publicKey: key.verification.keyObject,
    commonName: "edge-1",
    uris: ["spiffe://sallyport.example.com/sallyport/proxy/edge-1"],
    dnsNames: [],
    ipAddresses: [],
    usages: ["client"],
    lifetimeMs: HOUR,
  });
  const { certificate } = peerOf(pem, other, authority.clock);
  assert.ok(certificate);
  assert.equal((await authority.admission.admit(certificate)).refused, "superseded");
});
