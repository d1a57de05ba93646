import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import {
  type CertificateOptions,
  createRoot,
  OID,
  type TestCertificate,
} from "../../test/certificates.ts";
import { recordedLog, recordedMetrics } from "../../test/ports.ts";
import { type CredentialFacts, isFailure, type Verified } from "../model/facts.ts";
import type { PeerTls } from "../model/peer-tls.ts";
import { ManualClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import { createMtlsAuthenticator, type MtlsAuthenticator } from "./mtls.ts";
import { mtlsOptionsSchema } from "./mtls-options.ts";

const NOW = Date.UTC(2026, 5, 1);
const DOMAIN = "prod.example";
const root = createRoot("Prod Root", { uri: [`spiffe://${DOMAIN}`] });
const other = createRoot("Other Root", { uri: ["spiffe://other.example"] });

/** As a listener gives it: what was presented has led to an authority of the listener. */
function shown(...certificates: readonly TestCertificate[]): PeerTls {
  const [leaf] = certificates;
  return {
    certificate: {
      subject: "",
      issuer: "",
      serial: "",
      notBefore: 0,
      notAfter: 0,
      thumbprint: leaf?.thumbprint ?? "",
      dnsNames: [],
      uris: [],
      emails: [],
      spiffeId: undefined,
    },
    thumbprint: leaf?.thumbprint,
    detail: undefined,
    presented: certificates.map(({ der }) => der),
    refusal: () => undefined,
  };
}

function ground(
  options: Record<string, unknown>,
  files: Readonly<Record<string, string>> = { "prod.pem": root.pem },
) {
  const clock = new ManualClock(NOW);
  const timers = new ManualTimers();
  const log = recordedLog();
  const contents = new Map(Object.entries(files));
  const deps = {
    clock,
    timers,
    log,
    metrics: recordedMetrics(),
    fetcher: { fetchJson: () => Promise.reject(new Error("nothing is fetched")) },
    readFile: (file: string) =>
      contents.has(file) ? Buffer.from(contents.get(file) ?? "") : readFileSync(file),
  };
  const parsed = mtlsOptionsSchema.parse({ type: "mtls", ...options });
  const mtls = createMtlsAuthenticator({ ...parsed, name: "mesh" }, deps);
  return { mtls, clock, timers, log };
}

const SPIFFE = { trustDomain: DOMAIN, bundle: "prod.pem" };

function svid(options: Partial<CertificateOptions> = {}, issuer = root): TestCertificate {
  return issuer.issue({ name: "svid", uri: [`spiffe://${DOMAIN}/payments/api`], ...options });
}

function factsOf(found: Verified | undefined): CredentialFacts {
  assert.ok(found !== undefined && !isFailure(found), JSON.stringify(found));
  return found;
}

/** Bits of a key usage, the first in the highest bit. */
const USAGE = {
  digitalSignature: 0x80,
  keyCertSign: 0x04,
  crlSign: 0x02,
} as const;

const intermediate = (options: Partial<CertificateOptions> = {}): TestCertificate =>
  root.issue({ name: "Intermediate", authority: true, ...options });

/** Each breaks one rule; `detail` says that it was that one. */
const HOSTILE: readonly {
  readonly what: string;
  readonly shows: () => readonly TestCertificate[];
  readonly options?: Record<string, unknown>;
  readonly reason: string;
  readonly detail: RegExp;
}[] = [
  {
    what: "two SPIFFE IDs",
    shows: () => [svid({ uri: [`spiffe://${DOMAIN}/a`, `spiffe://${DOMAIN}/b`] })],
    reason: "wrong-identity",
    detail: /2 URIs/,
  },
  {
    what: "a SPIFFE ID and another URI",
    shows: () => [svid({ uri: [`spiffe://${DOMAIN}/a`, "https://example.org/a"] })],
    reason: "wrong-identity",
    detail: /2 URIs/,
  },
  {
    what: "IDs of two trust domains, ours last",
    shows: () => [svid({ uri: ["spiffe://other.example/a", `spiffe://${DOMAIN}/a`] })],
    reason: "wrong-identity",
    detail: /2 URIs/,
  },
  {
    what: "an ID that is none: a port",
    shows: () => [svid({ uri: [`spiffe://${DOMAIN}:443/a`] })],
    reason: "wrong-identity",
    detail: /no SPIFFE ID/,
  },
  {
    what: "an ID that is none: capitals",
    shows: () => [svid({ uri: ["SPIFFE://Prod.Example/a"] })],
    reason: "wrong-identity",
    detail: /no SPIFFE ID/,
  },
  {
    what: "an ID that is none: a user name",
    shows: () => [svid({ uri: [`spiffe://me@${DOMAIN}/a`] })],
    reason: "wrong-identity",
    detail: /no SPIFFE ID/,
  },
  {
    what: "an ID that is none: dot segments",
    shows: () => [svid({ uri: [`spiffe://${DOMAIN}/a/../b`] })],
    reason: "wrong-identity",
    detail: /no SPIFFE ID/,
  },
  {
    what: "an ID that is none: percent-encoding",
    shows: () => [svid({ uri: [`spiffe://${DOMAIN}/%61`] })],
    reason: "wrong-identity",
    detail: /no SPIFFE ID/,
  },
  {
    what: "the ID of the trust domain itself",
    shows: () => [svid({ uri: [`spiffe://${DOMAIN}`] })],
    reason: "wrong-identity",
    detail: /no path/,
  },
  {
    what: "the certificate of an authority",
    shows: () => [svid({ authority: true, keyUsage: [7, USAGE.digitalSignature] })],
    reason: "wrong-identity",
    detail: /of an authority/,
  },
  {
    what: "keyCertSign on an end entity",
    shows: () => [svid({ keyUsage: [2, USAGE.digitalSignature | USAGE.keyCertSign] })],
    reason: "wrong-identity",
    detail: /keyCertSign/,
  },
  {
    what: "cRLSign on an end entity",
    shows: () => [svid({ keyUsage: [1, USAGE.digitalSignature | USAGE.crlSign] })],
    reason: "wrong-identity",
    detail: /cRLSign/,
  },
  {
    what: "no digitalSignature",
    shows: () => [svid({ keyUsage: [5, 0x20] })],
    reason: "wrong-identity",
    detail: /no digitalSignature/,
  },
  {
    what: "no key usage at all",
    shows: () => [svid({ keyUsage: null })],
    reason: "wrong-identity",
    detail: /no digitalSignature/,
  },
  {
    what: "an extended key usage for servers alone",
    shows: () => [svid({ usages: [OID.serverAuth] })],
    reason: "wrong-identity",
    detail: /extended key usage/,
  },
  {
    what: "our ID, signed by the authority of another trust domain",
    shows: () => [svid({}, other), other],
    reason: "wrong-identity",
    detail: /no path from its issuer/,
  },
  {
    what: "our ID, signed by an intermediate of another trust domain with our root beside it",
    shows: () => {
      const theirs = other.issue({ name: "Prod Root", authority: true });
      return [svid({}, theirs), theirs, root];
    },
    reason: "wrong-identity",
    detail: /no path from its issuer/,
  },
  {
    what: "our ID, signed by a workload's certificate",
    shows: () => {
      const workload = svid({ name: "workload" });
      return [svid({}, workload), workload];
    },
    reason: "wrong-identity",
    detail: /no path from its issuer/,
  },
  {
    what: "an intermediate without keyCertSign",
    shows: () => {
      const signer = intermediate({ keyUsage: [7, USAGE.digitalSignature] });
      return [svid({}, signer), signer];
    },
    reason: "wrong-identity",
    detail: /no path from its issuer/,
  },
  {
    what: "an intermediate without a key usage",
    shows: () => {
      const signer = intermediate({ keyUsage: null });
      return [svid({}, signer), signer];
    },
    reason: "wrong-identity",
    detail: /signs, and its key usage has no keyCertSign/,
  },
  {
    what: "an intermediate with the ID of a workload",
    shows: () => {
      const signer = intermediate({ uri: [`spiffe://${DOMAIN}/payments/api`] });
      return [svid({}, signer), signer];
    },
    reason: "wrong-identity",
    detail: /signs, and its SPIFFE ID/,
  },
  {
    what: "an intermediate with two IDs",
    shows: () => {
      const signer = intermediate({ uri: [`spiffe://${DOMAIN}`, "spiffe://other.example"] });
      return [svid({}, signer), signer];
    },
    reason: "wrong-identity",
    detail: /signs, and its SPIFFE ID/,
  },
  {
    what: "more intermediates than the path length of one allows",
    shows: () => {
      const first = intermediate({ pathLength: 0 });
      const second = first.issue({ name: "Second", authority: true });
      return [svid({}, second), second, first];
    },
    reason: "wrong-identity",
    detail: /no path from its issuer/,
  },
  {
    what: "a certificate that has expired",
    shows: () => [svid({ notAfter: new Date(NOW - 2000) })],
    reason: "certificate-expired",
    detail: /expired at/,
  },
  {
    what: "a certificate of tomorrow",
    shows: () => [svid({ notBefore: new Date(NOW + 1000) })],
    reason: "certificate-expired",
    detail: /not valid before/,
  },
  {
    what: "an intermediate that has expired",
    shows: () => {
      const signer = intermediate({ notAfter: new Date(NOW - 2000) });
      return [svid({}, signer), signer];
    },
    reason: "certificate-expired",
    detail: /Intermediate: expired at/,
  },
  {
    what: "a longer life than maxLifetime",
    shows: () => [svid()],
    options: { ...SPIFFE, maxLifetime: "24h" },
    reason: "wrong-identity",
    detail: /longer than maxLifetime/,
  },
  {
    what: "an ID that fits no pattern",
    shows: () => [svid()],
    options: { ...SPIFFE, match: [{ path: "/billing/*" }] },
    reason: "wrong-identity",
    detail: /fits no pattern/,
  },
  {
    what: "an attribute that nothing gives",
    shows: () => [svid()],
    options: { ...SPIFFE, principal: { attributes: { team: { type: "string" } } } },
    reason: "wrong-identity",
    detail: /attribute team/,
  },
];

for (const { what, shows, options = SPIFFE, reason, detail } of HOSTILE) {
  test(`verify() refuses ${what}`, (context) => {
    const { mtls } = opened(context, options);
    const found = mtls.verify(shown(...shows()), NOW);
    assert.ok(found !== undefined && isFailure(found), JSON.stringify(found));
    assert.equal(found.failure, reason);
    assert.match(found.detail, detail);
    assert.equal(found.authenticator, "mesh");
  });
}

function opened(
  context: TestContext,
  options: Record<string, unknown>,
  files?: Readonly<Record<string, string>>,
): ReturnType<typeof ground> {
  const made = ground(options, files);
  context.after(() => made.mtls.close());
  return made;
}

test("verify() says who an X.509-SVID is", (context) => {
  const { mtls } = opened(context, {
    ...SPIFFE,
    match: [
      {
        path: "/payments/{service}",
        roles: ["AdminService"],
        attributes: { service: "{service}" },
      },
      { path: "/payments/*", roles: ["Payments", "AdminService"], groups: ["money"] },
      { path: "/billing/*", roles: ["Billing"] },
    ],
    principal: {
      attributes: {
        service: { type: "string" },
        tier: { type: "long", default: 3 },
        regions: { type: "strings", default: ["eu"] },
      },
    },
  });
  const leaf = svid();
  const facts = factsOf(mtls.verify(shown(leaf), NOW));
  assert.deepEqual(
    { ...facts.principal, attributes: { ...facts.principal.attributes } },
    {
      kind: "workload",
      authenticator: "mesh",
      subject: `spiffe://${DOMAIN}/payments/api`,
      roles: ["AdminService", "Payments"],
      groups: ["mesh/money"],
      attributes: { service: "api", tier: 3, regions: ["eu"] },
    },
  );
  assert.equal(facts.kind, "mtls");
  assert.equal(facts.credentialHash, leaf.thumbprint);
  assert.equal(facts.audience, undefined);
  assert.equal(facts.expiresAt, Date.UTC(2120, 0, 1) / 1000 + 1);
  assert.equal(facts.issuedAt, Date.UTC(2020, 0, 1) / 1000);
  assert.deepEqual(mtls.vocabulary, {
    name: "mesh",
    kinds: ["workload"],
    attributes: { service: "string", tier: "long", regions: "strings" },
    bareRoles: ["AdminService", "Payments", "Billing"],
  });
});

test("verify() follows intermediates to the trust domain's own authority", (context) => {
  const { mtls } = opened(context, SPIFFE);
  const first = intermediate({ uri: [`spiffe://${DOMAIN}`] });
  const second = first.issue({ name: "Second", authority: true });
  factsOf(mtls.verify(shown(svid({}, second), other, first, second), NOW));
});

test("verify() has nothing to say of what is another's", (context) => {
  const { mtls } = opened(context, SPIFFE);
  for (const uri of [["spiffe://other.example/a"], ["https://prod.example/a"], []]) {
    assert.equal(mtls.verify(shown(svid({ uri })), NOW), undefined);
  }
  const longer = svid({ uri: [`spiffe://${DOMAIN}.evil.org/a`] });
  assert.equal(mtls.verify(shown(longer), NOW), undefined);
  // What the listener did not take proves nothing, whatever it says.
  assert.equal(mtls.verify({ ...shown(svid()), certificate: undefined }, NOW), undefined);
});

test("verify() gives the same facts for as long as a connection and the bundle last", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-mtls-"));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "prod.pem");
  writeFileSync(file, root.pem);
  const { mtls, timers } = opened(context, { ...SPIFFE, bundle: file });
  const tls = shown(svid());
  const facts = factsOf(mtls.verify(tls, NOW));
  assert.equal(mtls.verify(tls, NOW + 1000), facts);
  assert.equal(facts.valid(), true);
  writeFileSync(file, other.pem);
  await reread(timers, mtls);
  assert.equal(facts.valid(), false);
  const found = mtls.verify(tls, NOW);
  assert.ok(found !== undefined && isFailure(found));
  assert.equal(found.failure, "wrong-identity");
  // The search cost signatures once; asked again it is the same answer for nothing.
  assert.equal(found.costly, true);
  const again = mtls.verify(tls, NOW);
  assert.ok(again !== undefined && isFailure(again));
  assert.equal(again.costly, false);
});

test("verify() refuses once the time of the certificate is over, on the same connection", (context) => {
  const { mtls } = opened(context, SPIFFE);
  const tls = shown(svid({ notAfter: new Date(NOW + 60_000) }));
  factsOf(mtls.verify(tls, NOW));
  factsOf(mtls.verify(tls, NOW + 60_999));
  const found = mtls.verify(tls, NOW + 61_000);
  assert.ok(found !== undefined && isFailure(found));
  assert.equal(found.failure, "certificate-expired");
});

test("verify() looks again where the clock goes back behind what it found", (context) => {
  const { mtls } = opened(context, SPIFFE);
  const tls = shown(svid({ notBefore: new Date(NOW) }));
  factsOf(mtls.verify(tls, NOW));
  const found = mtls.verify(tls, NOW - 1);
  assert.ok(found !== undefined && isFailure(found));
  assert.equal(found.failure, "certificate-expired");
});

test("verify() takes a certificate that lives as long as maxLifetime allows", (context) => {
  const { mtls } = opened(context, { ...SPIFFE, maxLifetime: "24h" });
  const notBefore = new Date(NOW - 3_600_000);
  const of = (ms: number) =>
    mtls.verify(shown(svid({ notBefore, notAfter: new Date(notBefore.getTime() + ms) })), NOW);
  factsOf(of(24 * 3_600_000));
  const longer = of(24 * 3_600_000 + 1000);
  assert.ok(longer !== undefined && isFailure(longer));
});

test("verify() says that nobody can be judged while there is no bundle", (context) => {
  const { mtls } = opened(context, SPIFFE);
  const tls = shown(svid());
  const facts = factsOf(mtls.verify(tls, NOW));
  mtls.close();
  assert.equal(facts.valid(), false);
  const found = mtls.verify(tls, NOW);
  assert.ok(found !== undefined && isFailure(found));
  assert.equal(found.failure, "identity-unavailable");
  // It is no fault of the caller's.
  assert.equal(found.costly, false);
});

test("createMtlsAuthenticator() refuses a bundle that is none", () => {
  for (const [text, rule] of [
    ["", /no certificate in PEM/],
    [root.keyPem, /but private key/],
    [svid().pem, /no authority/],
    [root.pem.slice(0, -30), /no certificate in PEM/],
    [root.pem + root.pem.slice(0, -30), /damaged/],
    [intermediate({ uri: [`spiffe://${DOMAIN}/a`] }).pem, /no trust domain's/],
    ["{", /not strict JSON/],
    ['{"keys":{}}', /list `keys`/],
  ] as const) {
    assert.throws(() => ground(SPIFFE, { "prod.pem": text }), rule);
  }
});

// Plain certificates

const devices = createRoot("Devices");
const PLAIN = {
  ca: "devices.pem",
  match: [{ commonName: "device-*", roles: ["Sensor"] }],
  principal: { kind: "device", subject: "commonName" },
};
const FILES = { "devices.pem": devices.pem };

test("verify() knows plain certificates by their names", (context) => {
  const { mtls } = opened(context, PLAIN, FILES);
  const { principal } = factsOf(mtls.verify(shown(devices.issue({ name: "device-7" })), NOW));
  assert.deepEqual(
    [principal.kind, principal.subject, principal.roles],
    ["device", "device-7", ["Sensor"]],
  );
});

/** What proves nothing here. */
const NOT_ITS_OWN: readonly (readonly [string, () => readonly TestCertificate[]])[] = [
  ["a name that no pattern fits", () => [devices.issue({ name: "server-7" })]],
  ["a right name of another authority", () => [other.issue({ name: "device-7" }), other]],
  [
    "two common names",
    () => [devices.issue({ name: "device-7", within: [[OID.commonName, "device-1"]] })],
  ],
  ["use by servers alone", () => [devices.issue({ name: "device-7", usages: [OID.serverAuth] })]],
];

for (const [what, shows] of NOT_ITS_OWN) {
  test(`verify() takes no plain certificate with ${what}`, (context) => {
    const { mtls } = opened(context, PLAIN, FILES);
    assert.equal(mtls.verify(shown(...shows()), NOW), undefined);
  });
}

test("verify() wants every pattern of an entry to fit, and adds up the entries that do", (context) => {
  const { mtls } = opened(
    context,
    {
      match: [
        { dns: "*.example.com", subject: "CN=*,O=Acme", roles: ["Both"] },
        { uri: "urn:partner:*", roles: ["Partner"] },
        { email: "*@example.com" },
      ],
      principal: { subject: "dns" },
    },
    {},
  );
  const acme = { within: [[OID.organization, "Acme"]] as const };
  const roles = (options: Partial<CertificateOptions>) => {
    const found = mtls.verify(shown(devices.issue({ name: "x", ...options })), NOW);
    return found === undefined ? undefined : factsOf(found).principal.roles;
  };
  assert.deepEqual(roles({ ...acme, dns: ["a.example.com"] }), ["Both"]);
  assert.equal(roles({ dns: ["a.example.com"] }), undefined);
  assert.equal(roles(acme), undefined);
  assert.deepEqual(roles({ ...acme, dns: ["a.example.com"], uri: ["urn:partner:7"] }), [
    "Both",
    "Partner",
  ]);
});

/** One of the names has to be the principal's, and no guess says which. */
const NAMELESS: readonly (readonly [string, Partial<CertificateOptions>, RegExp])[] = [
  ["two names that fit", { dns: ["a.example.com", "b.example.com"] }, /more than one dns/],
  ["no name of that kind", { uri: ["urn:x"] }, /no dns/],
  ["a name for many", { uri: ["urn:x"], dns: ["*.example.com"] }, /no dns/],
];

for (const [what, options, detail] of NAMELESS) {
  test(`verify() refuses a plain certificate with ${what}`, (context) => {
    const { mtls } = opened(
      context,
      {
        match: [{ dns: "*.example.com" }, { uri: "urn:x" }],
        principal: { subject: "dns" },
      },
      {},
    );
    const found = mtls.verify(shown(devices.issue({ name: "x", ...options })), NOW);
    assert.ok(found !== undefined && isFailure(found), JSON.stringify(found));
    assert.equal(found.failure, "wrong-identity");
    assert.match(found.detail, detail);
  });
}

test("verify() refuses a common name with a line feed in it", (context) => {
  const { mtls } = opened(context, { ...PLAIN, match: [{ commonName: "*" }] }, FILES);
  const found = mtls.verify(shown(devices.issue({ name: "device-7\nadmin" })), NOW);
  assert.ok(found !== undefined && isFailure(found));
  assert.match(found.detail, /not a name/);
});

async function reread(timers: ManualTimers, mtls: MtlsAuthenticator): Promise<void> {
  const before = mtls.authorities?.current;
  // Two looks have to see the same; how long one takes is the machine's to say.
  const deadline = performance.now() + 20_000;
  while (mtls.authorities?.current === before && performance.now() < deadline) {
    timers.runAll();
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}
