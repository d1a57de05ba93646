import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { createRoot, type TestCertificate } from "../../../test/certificates.ts";
import { recordedLog, recordedMetrics } from "../../../test/ports.ts";
import { createJwtAuthority, spiffeBundle } from "../../../test/spiffe.ts";
import type { DocumentFetcher } from "../../model/ports.ts";
import { ManualClock } from "../../platform/clock.ts";
import { createDocumentFetcher } from "../../platform/document-fetcher.ts";
import { ManualTimers } from "../../platform/timers.ts";
import { mtlsOptionsSchema } from "../mtls-options.ts";
import { openTrustBundle } from "./trust-bundle-open.ts";
import { createTrustBundlePool, type TrustBundlePool } from "./trust-bundle-pool.ts";

const DOMAIN = "far.example";
const root = createRoot("Far Root", { uri: [`spiffe://${DOMAIN}`] });
const next = createRoot("Next Root", { uri: [`spiffe://${DOMAIN}`] });
const jwt = createJwtAuthority("k1");

interface GroundOptions {
  readonly bundle?: Record<string, unknown>;
  readonly files?: Readonly<Record<string, string>>;
  readonly fetcher?: DocumentFetcher;
  readonly pool?: TrustBundlePool;
}

function ground(context: TestContext, options: GroundOptions = {}) {
  const clock = new ManualClock(Date.now());
  const timers = new ManualTimers();
  const log = recordedLog();
  const metrics = recordedMetrics();
  const served: { document: unknown; asked: number } = { document: undefined, asked: 0 };
  const fetcher = options.fetcher ?? {
    fetchJson: () => {
      served.asked += 1;
      return served.document instanceof Error
        ? Promise.reject(served.document)
        : Promise.resolve({ body: served.document, maxAgeSeconds: undefined });
    },
  };
  const { bundle } = mtlsOptionsSchema.parse({
    type: "mtls",
    trustDomain: DOMAIN,
    bundle: {
      url: "https://far.example/bundle",
      profile: "https_web",
      keep: "10m",
      ...options.bundle,
    },
  });
  assert.ok(bundle !== undefined);
  const open = () =>
    openTrustBundle(
      { name: "far", trustDomain: DOMAIN, bundle, part: "x509-bundles" },
      {
        clock,
        timers,
        log,
        metrics,
        fetcher,
        readFile: (file) => Buffer.from(options.files?.[file] ?? ""),
        ...(options.pool === undefined ? {} : { trustBundles: options.pool }),
      },
    );
  const source = open();
  context.after(() => source.close());
  return { source, open, served, timers, log, metrics };
}

const thumbprints = (source: {
  readonly current: { readonly x509: readonly { thumbprint: string }[] } | undefined;
}) => source.current?.x509.map(({ thumbprint }) => thumbprint);

/** A bundle of this sequence. */
const numbered = (sequence: number | undefined, ...roots: readonly TestCertificate[]): object =>
  spiffeBundle(roots, [jwt], sequence === undefined ? {} : { spiffe_sequence: sequence });

/** Asks again now, leaving the bound on the bundle's age where it is. */
async function again(g: ReturnType<typeof ground>): Promise<void> {
  // The bound and the next look both wait; a look that has run asks for another of each.
  const before = g.served.asked;
  g.timers.runFirst((ms) => ms !== 600_000);
  while (g.served.asked === before) await Promise.resolve();
  for (let turns = 0; turns < 10; turns++) await Promise.resolve();
}

test("an endpoint is asked as the bundle's hint says, within bounds", async (context) => {
  for (const [hint, ms] of [
    [60, 60_000],
    [undefined, 300_000],
    [0, 5000],
    [1_000_000, 3_600_000],
  ] as const) {
    const g = ground(context);
    g.served.document = {
      ...spiffeBundle([root]),
      ...(hint === undefined ? {} : { spiffe_refresh_hint: hint }),
    };
    await g.source.start();
    assert.deepEqual(thumbprints(g.source), [root.thumbprint]);
    assert.deepEqual(g.timers.delays.toSorted(compare), [ms, 600_000].toSorted(compare));
  }
});

function compare(a: number, b: number): number {
  return a - b;
}

test("a sequence number never goes back, and what says the same stays the same", async (context) => {
  const g = ground(context);
  g.served.document = numbered(5, root);
  await g.source.start();
  const first = g.source.current;
  let changes = 0;
  g.source.onChange(() => {
    changes += 1;
  });
  for (const earlier of [4, 0, undefined]) {
    g.served.document = numbered(earlier, next);
    await again(g);
    assert.equal(g.source.current, first, `sequence ${earlier ?? "none"} is refused`);
  }
  assert.ok(
    g.log.lines.some((line) => line.includes("the sequence number of the bundle goes back")),
  );
  g.served.document = numbered(6, root);
  await again(g);
  assert.equal(g.source.current, first);
  assert.equal(changes, 0);
  g.served.document = numbered(7, root, next);
  await again(g);
  assert.deepEqual(thumbprints(g.source), [root.thumbprint, next.thumbprint]);
  assert.equal(changes, 1);
  // Taken back, all of it: nobody is trusted, and that is no failure.
  g.served.document = { keys: [], spiffe_sequence: 8 };
  await again(g);
  assert.deepEqual(thumbprints(g.source), []);
});

test("the last good bundle serves while the endpoint fails, up to its bound", async (context) => {
  const g = ground(context);
  g.served.document = numbered(5, root);
  await g.source.start();
  for (const document of [
    new Error("down"),
    "nonsense",
    { keys: "x" },
    { keys: [{ use: "x509-svid" }] },
  ]) {
    g.served.document = document;
    await again(g);
    assert.deepEqual(thumbprints(g.source), [root.thumbprint]);
  }
  assert.equal(g.source.figures().failures, 4);
  assert.equal(g.metrics.value("sallyport_trust_bundle_fetches far failed"), 4);
  // 5, 10, 20, 40 seconds, and never more than a minute.
  assert.deepEqual(
    g.timers.delays.filter((ms) => ms !== 600_000),
    [40_000],
  );
  g.timers.runFirst((ms) => ms === 600_000);
  assert.equal(g.source.current, undefined);
  assert.ok(g.log.lines.some((line) => line.startsWith("error a trust bundle is staler")));
  // Back again, and still not with what was there before.
  g.served.document = numbered(4, next);
  await again(g);
  assert.equal(g.source.current, undefined);
  g.served.document = numbered(5, root);
  await again(g);
  assert.deepEqual(thumbprints(g.source), [root.thumbprint]);
});

test("an endpoint that was never reached gives nothing, and start() waits for one try", async (context) => {
  const g = ground(context);
  g.served.document = new Error("down");
  await g.source.start();
  assert.equal(g.source.current, undefined);
  assert.deepEqual(g.timers.delays, [5000]);
});

test("a reload goes on with the bundle that is there", async (context) => {
  const g = ground(context, { pool: createTrustBundlePool() });
  g.served.document = numbered(5, root);
  await g.source.start();
  const reloaded = g.open();
  g.served.document = new Error("down");
  await reloaded.start();
  assert.equal(reloaded.current, g.source.current);
  assert.equal(g.served.asked, 1);
  g.source.close();
  assert.equal(g.source.current, undefined);
  assert.deepEqual(thumbprints(reloaded), [root.thumbprint]);
  reloaded.close();
  assert.deepEqual(g.timers.delays, [], "nothing is left running");
});

// Over real connections

const ENDPOINT = `spiffe://${DOMAIN}/spire/server`;

async function serve(
  context: TestContext,
  shown: TestCertificate,
  { issuer = root }: { readonly issuer?: TestCertificate } = {},
): Promise<string> {
  const server = createServer(
    { cert: shown.pem + issuer.pem, key: shown.keyPem },
    (_, response) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(numbered(1, root)));
    },
  );
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => {
    server.once("listening", resolve);
  });
  context.after(() => server.close());
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const svid = (id: string, issuer = root, more: object = {}): TestCertificate =>
  issuer.issue({ name: "endpoint", uri: [id], ...more });

/** Who answers at the endpoint, and whether it is believed. */
const ENDPOINTS: readonly (readonly [string, () => TestCertificate, boolean])[] = [
  ["the SPIFFE ID that is configured", () => svid(ENDPOINT), true],
  ["another SPIFFE ID of the trust domain", () => svid(`spiffe://${DOMAIN}/payments`), false],
  [
    "the right ID and another one",
    () => root.issue({ name: "x", uri: [ENDPOINT, "https://x.example"] }),
    false,
  ],
  [
    "no SPIFFE ID, and the right address",
    () => root.issue({ name: "x", ip: ["127.0.0.1"] }),
    false,
  ],
  ["the right ID by another authority", () => svid(ENDPOINT, next), false],
  [
    "the right ID, expired",
    () => svid(ENDPOINT, root, { notAfter: new Date(Date.now() - 1000) }),
    false,
  ],
  [
    "the right ID, for clients alone",
    () => svid(ENDPOINT, root, { usages: ["1.3.6.1.5.5.7.3.2"] }),
    false,
  ],
];

for (const [who, make, believed] of ENDPOINTS) {
  test(`https_spiffe ${believed ? "believes" : "does not believe"} ${who}`, async (context) => {
    const url = await serve(context, make());
    const g = ground(context, {
      bundle: {
        url,
        profile: "https_spiffe",
        endpointSpiffeId: ENDPOINT,
        endpointBundle: "far.pem",
      },
      files: { "far.pem": root.pem },
      fetcher: createDocumentFetcher(),
    });
    await g.source.start();
    assert.deepEqual(
      thumbprints(g.source),
      believed ? [root.thumbprint] : undefined,
      g.log.lines.join(),
    );
  });
}

test("https_web wants a certificate for the host, of the authorities that are named", async (context) => {
  const web = createRoot("Web");
  const right = web.issue({ name: "x", ip: ["127.0.0.1"] });
  const wrong = web.issue({ name: "x", dns: ["elsewhere.example"] });
  for (const [shown, ca, believed] of [
    [right, web.pem, true],
    [wrong, web.pem, false],
    [right, root.pem, false],
  ] as const) {
    const url = await serve(context, shown, { issuer: web });
    const g = ground(context, {
      bundle: { url, profile: "https_web", ca: "web.pem" },
      files: { "web.pem": ca },
      fetcher: createDocumentFetcher(),
    });
    await g.source.start();
    assert.equal(g.source.current !== undefined, believed, g.log.lines.join());
  }
});

test("a bundle without an authority verifies no endpoint: the runtime's are never taken for it", async (context) => {
  const url = await serve(context, svid(ENDPOINT));
  const g = ground(context, {
    bundle: {
      url,
      profile: "https_spiffe",
      endpointSpiffeId: ENDPOINT,
      endpointBundle: "far.json",
    },
    files: { "far.json": JSON.stringify({ keys: [] }) },
    fetcher: createDocumentFetcher(),
  });
  await g.source.start();
  assert.equal(g.source.current, undefined);
  assert.ok(g.log.lines.join().includes("has no authority"));
});
