/** A configuration to a bundle and back: what a proxy that follows the feed comes to run. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ConfigError, formatProblem } from "../model/errors.ts";
import { checkConfig } from "./check.ts";
import { decodeBundle } from "./bundle.ts";
import { inspectConfig, loadConfig, type LoadedConfig, loadOwn } from "./load.ts";
import { loadConfigInThread } from "./load-thread.ts";
import { systemClock } from "../platform/clock.ts";
import { bundleFor } from "./publish.ts";
import { unpackBundle } from "./unpack-bundle.ts";

const CANARY = "canary-s3cret";
const ENV: Readonly<Record<string, string>> = {
  KEK: "A".repeat(43),
  SECRET: CANARY,
  REGION: "eu",
  ROLE: CANARY,
  RATE: "shared",
};

const PARTS = `
authenticators:
  corp:
    type: jwt
    issuer: https://login.example.com
    jwks: file:keys.json
    audience: [https://api.example.com]
    principal:
      kind: { claim: kind, is: { user: u, workload: w } }
      roles: { claim: roles, allow: [Reader] }
      attributes: { tenant: { claim: tenant, type: string } }
  partners:
    type: jwt
    issuer: https://partners.example.com
    audience: [https://api.example.com]
    principal:
      kind: user
      roles: { claim: roles, allow: ["\${env:ROLE}", Partner] }
      attributes: { rank: { claim: rank, type: long } }
services:
  billing:
    endpoints: ["http://127.0.0.1:9001"]
    attributes: { public: false, region: "\${env:REGION}", big: 9007199254740993 }
  stock:
    endpoints: ["http://127.0.0.1:9002"]
    attributes: { public: true, owner: warehouse }
routes:
  - name: billing
    path: /billing/{id}/*
    service: billing
    authenticate: [corp]
    attributes: { tier: 3 }
    credentials: { header: { name: x-api-key, valueFile: secrets/billing } }
    request: { headers: { set: { x-b: "\${env:SECRET}", x-a: "\${principal.subject} \${env:SECRET}" } } }
    limit: ["\${env:RATE}"]
  - name: stock
    path: /stock/{item}
    service: stock
    authenticate: [partners, anonymous]
    attributes: { note: "\${file:secrets/billing}" }
    limit: [other]
  - name: old
    path: /old/*
    authenticate: [anonymous]
    redirect: { status: 308, path: /billing }
limits:
  failures: { burst: 7 }
  rates:
    shared: { requests: 5, per: 1s, by: address }
    other: { requests: 6, per: 1s, by: address }
policies: { enforce: [policies] }
audit: { path: data/audit }
`;

const POLICIES = {
  "a.cedar": `@id("stock-of-partners")
permit (
  principal in Sallyport::Role::"Partner",
  action,
  resource in Sallyport::Service::"stock"
) when { resource has owner && resource.owner == "warehouse" && context.params has item };
@id("ranked")
forbid (principal is Sallyport::User, action, resource)
when { principal has rank && principal.rank < 3 };
`,
  "b.cedar": `@id("readers")
permit (principal in Sallyport::Role::"Reader", action, resource == Sallyport::Route::"billing");
`,
};

const KEEPER = `version: 1
authority:
  issuer: https://sallyport.example.com
  store: sqlite:data/sallyport.db
  keyEncryptionKey: { env: KEK }
  serve: { address: "127.0.0.1:0", names: [authority.internal] }
  proxies:
    - { name: inner }
    - { name: "edge-*", services: [billing] }
`;

/** It serves callers itself, so that all of its own can be compared. */
const SERVING = `listeners: [{ name: edge, address: "127.0.0.1:0" }]
${KEEPER}`;

const FOLLOWER = `version: 1
listeners:
  - { name: edge, address: "127.0.0.1:0" }
authority: { feed: [https://authority.internal:9443], identity: data/identity }
audit: { path: data/audit }
`;

interface Ground {
  readonly authority: string;
  readonly proxy: string;
  /** Folder of the proxy. */
  readonly dir: string;
  readonly bundles: string;
}

/** A folder of an authority and one of a proxy, which has its secrets and none of the public files. */
function ground(context: TestContext, { parts = PARTS, keeper = KEEPER } = {}): Ground {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-bundles-"));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  const [authority, proxy] = [join(dir, "authority"), join(dir, "proxy")];
  for (const folder of [authority, proxy]) {
    mkdirSync(join(folder, "secrets"), { recursive: true });
    writeFileSync(join(folder, "secrets", "billing"), `${CANARY}-file`, { mode: 0o600 });
  }
  mkdirSync(join(authority, "policies"));
  for (const [name, text] of Object.entries(POLICIES)) {
    writeFileSync(join(authority, "policies", name), text);
  }
  const { publicKey } = generateKeyPairSync("ed25519");
  const keys = [{ ...publicKey.export({ format: "jwk" }), kid: "one" }];
  writeFileSync(join(authority, "keys.json"), JSON.stringify({ keys }));
  writeFileSync(join(authority, "sallyport.yaml"), keeper + parts);
  writeFileSync(join(proxy, "sallyport.yaml"), FOLLOWER);
  return {
    authority: join(authority, "sallyport.yaml"),
    proxy: join(proxy, "sallyport.yaml"),
    dir: proxy,
    bundles: join(proxy, "data", "identity", "bundles"),
  };
}

async function follow(
  { authority, proxy, bundles }: Ground,
  name: string,
): Promise<{ readonly from: LoadedConfig; readonly loaded: LoadedConfig }> {
  const from = await loadConfig(authority, { env: ENV });
  const found = bundleFor(from.published, name);
  assert.ok(found !== undefined);
  const bundle = await unpackBundle(found.bundle, { folder: bundles });
  return { from, loaded: await loadConfig(proxy, { env: ENV, bundle }) };
}

test("a bundle of all gives a proxy what the authority was told, and its own file the rest", async (context) => {
  const there = ground(context, { keeper: SERVING });
  const { from, loaded } = await follow(there, "inner");
  const { config } = loaded;
  assert.deepEqual(config.services, from.config.services);
  assert.deepEqual(config.limits, from.config.limits);
  assert.deepEqual(loaded.vocabulary, from.vocabulary);
  assert.deepEqual(loaded.policyFiles, from.policyFiles);
  assert.equal(loaded.shadowFiles, undefined);
  // Secret files are the proxy's own; public ones came along.
  const moved = JSON.stringify(from.config.routes).replaceAll("/authority/", "/proxy/");
  assert.equal(JSON.stringify(config.routes), moved);
  const keys = keyFile(config);
  assert.ok(keys.startsWith(there.bundles));
  const original = keyFile(from.config);
  assert.deepEqual(readFileSync(keys), readFileSync(original));
  assert.equal(statSync(keys).mode & 0o777, 0o600);
  assert.deepEqual(
    { ...config.authenticators, corp: { ...config.authenticators["corp"], jwks: undefined } },
    {
      ...from.config.authenticators,
      corp: { ...from.config.authenticators["corp"], jwks: undefined },
    },
  );
  assert.equal(config.listeners[0]?.name, "edge");
  assert.equal(config.audit.path, join(there.dir, "data", "audit"));
  assert.equal(loaded.bundle, bundleFor(from.published, "inner")?.bundle.hash);
  assert.deepEqual(loaded.published, []);
});

test("a candidate set travels with the words that only it speaks, and is absent where there is none", async (context) => {
  const parts = PARTS.replace("enforce: [policies]", "enforce: [policies], shadow: [candidate]");
  const there = ground(context, { keeper: SERVING, parts });
  const candidate = join(there.authority, "..", "candidate");
  mkdirSync(candidate);
  const text = '@id("all") permit (principal, action, resource == Sallyport::Route::"stock");';
  writeFileSync(join(candidate, "c.cedar"), text);
  const { from, loaded } = await follow(there, "edge-1");
  assert.deepEqual(loaded.shadowFiles, [{ name: "candidate/c.cedar", text }]);
  assert.deepEqual(loaded.shadowFiles, from.shadowFiles);
  assert.notEqual(loaded.policyFiles, from.shadowFiles);
  assert.ok(loaded.vocabulary.routes.some(({ name }) => name === "stock"));
  const other = ground(context, { keeper: SERVING });
  const without = await loadConfig(other.authority, { env: ENV });
  assert.ok(!Buffer.from(without.published[0]?.bundle.bytes ?? []).includes('"shadow"'));
});

test("a bundle of some services has their routes, authenticators and rates, redirects, and all words", async (context) => {
  const there = ground(context);
  const { from, loaded } = await follow(there, "edge-7");
  const { config } = loaded;
  assert.deepEqual(Object.keys(config.services), ["billing"]);
  assert.deepEqual(
    config.routes.map(({ name }) => name),
    ["billing", "old"],
  );
  assert.deepEqual(Object.keys(config.authenticators), ["corp"]);
  assert.deepEqual(Object.keys(config.limits.rates), ["shared"]);
  assert.equal(config.limits.failures.burst, 7);
  const sorted = <T extends { readonly name: string }>(list: readonly T[]): T[] =>
    list.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const kind of ["authenticators", "services", "routes"] as const) {
    assert.deepEqual(
      sorted<{ readonly name: string }>(loaded.vocabulary[kind]),
      sorted<{ readonly name: string }>(from.vocabulary[kind]),
    );
  }
});

test("a proxy that takes our own keys knows their issuer, and what every authenticator declares", async (context) => {
  const parts = PARTS.replace(
    "authenticators:\n",
    `authenticators:
  keys: { type: sallyport, principal: { roles: { allow: [Job] } } }
  svids:
    type: jwt-svid
    trustDomain: prod.example.org
    bundle: svids.json
    audience: [x]
    match: [{ path: "/jobs/*", roles: [Worker] }]
`,
  ).replaceAll("authenticate: [corp]", "authenticate: [keys]");
  const there = ground(context, { parts });
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = { ...publicKey.export({ format: "jwk" }), kid: "one", use: "jwt-svid" };
  writeFileSync(join(there.authority, "..", "svids.json"), JSON.stringify({ keys: [key] }));
  for (const name of ["edge-7", "inner"]) {
    const { from, loaded } = await follow(there, name);
    const own = loaded.config.authenticators["keys"];
    assert.equal(own?.type === "sallyport" && own.issuer, "https://sallyport.example.com");
    assert.equal(loaded.config.authenticators["svids"], undefined);
    const words = (all: LoadedConfig) =>
      all.vocabulary.authenticators.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    assert.deepEqual(words(loaded), words(from));
  }
});

test("checkConfig() validates policies about services that are not in the bundle", async (context) => {
  const there = ground(context);
  const { published } = await loadConfig(there.authority, { env: ENV });
  const found = bundleFor(published, "edge-1");
  assert.ok(found !== undefined);
  const bundle = await unpackBundle(found.bundle, { folder: there.bundles });
  const { problems, loaded } = await checkConfig(there.proxy, {
    env: ENV,
    bundle,
    clock: systemClock,
  });
  assert.deepEqual(
    problems.map(({ message }) => message).filter((one) => !one.includes("not enrolled")),
    [],
  );
  assert.ok(loaded !== undefined);
});

test("no value that was put in is in any bundle", async (context) => {
  const there = ground(context);
  const { published } = await loadConfig(there.authority, { env: ENV });
  for (const { bundle, services } of published) {
    assert.ok(!Buffer.from(bundle.bytes).includes(CANARY));
    if (services.length > 0) assert.ok(Buffer.from(bundle.bytes).includes("${env:SECRET}"));
  }
});

test("a proxy that no group names is told to serve nothing, whatever its own file asks for", async (context) => {
  const there = ground(context);
  const admin = 'admin: { address: "127.0.0.1:0", authenticate: [corp] }\n';
  writeFileSync(there.proxy, FOLLOWER + admin);
  const { from } = await follow(there, "other");
  const found = bundleFor(from.published, "other");
  assert.ok(found !== undefined);
  const bundle = await unpackBundle(found.bundle, { folder: there.bundles });
  const { loaded, problems } = await checkConfig(there.proxy, {
    env: ENV,
    bundle,
    clock: systemClock,
  });
  assert.deepEqual(
    problems.filter(({ message }) => !message.includes("not enrolled")),
    [],
  );
  assert.deepEqual([loaded?.config.services, loaded?.config.routes], [{}, []]);
  assert.deepEqual(Object.keys(loaded?.config.authenticators ?? {}), ["corp"]);
});

test("a proxy takes the authenticators of its routes, and those of its own admin API", async (context) => {
  const there = ground(context);
  const admin = 'admin: { address: "127.0.0.1:0", authenticate: [partners] }\n';
  writeFileSync(there.proxy, FOLLOWER + admin);
  const { from, loaded } = await follow(there, "edge-1");
  assert.deepEqual(Object.keys(loaded.config.authenticators).toSorted(), ["corp", "partners"]);
  assert.deepEqual(
    loaded.vocabulary.authenticators.map(({ name }) => name).toSorted(),
    from.vocabulary.authenticators.map(({ name }) => name).toSorted(),
  );
});

test("loadConfigInThread() composes as loadConfig() does", async (context) => {
  const there = ground(context);
  const { from, loaded } = await follow(there, "edge-7");
  const bundle = join(there.bundles, loaded.bundle ?? "");
  const inThread = await loadConfigInThread(there.proxy, { env: ENV, bundle });
  assert.deepEqual(inThread, loaded);
  assert.deepEqual(await loadConfigInThread(there.authority, { env: ENV }), from);
});

test("loadOwn() gives what a follower's file says, and nothing for other files", async (context) => {
  const there = ground(context);
  const own = await loadOwn(there.proxy, { env: ENV });
  assert.equal(own?.config.authority.identity, join(there.dir, "data", "identity"));
  assert.equal(await loadOwn(there.authority, { env: ENV }), undefined);
});

test("loadConfig() of a follower without a bundle says where the rest is", async (context) => {
  const there = ground(context);
  const error = await loadConfig(there.proxy, { env: ENV }).catch((reason: unknown) => reason);
  assert.ok(error instanceof ConfigError);
  assert.match(error.message, /come over the feed/);
  await assert.rejects(loadConfigInThread(there.proxy, { env: ENV }), /come over the feed/);
});

test("inspectConfig() names a problem of a bundle by its part, and one of the own file by its line", async (context) => {
  const there = ground(context);
  writeFileSync(there.proxy, FOLLOWER.replace("data/audit", "''"));
  const { published } = await loadConfig(there.authority, { env: ENV });
  const found = bundleFor(published, "inner");
  assert.ok(found !== undefined);
  const bundle = await unpackBundle(found.bundle, { folder: there.bundles });
  const { problems } = await inspectConfig(there.proxy, { env: { REGION: "eu" }, bundle });
  const lines = problems.map((one) => formatProblem(one).replace(there.proxy, "sallyport.yaml"));
  const hash = found.bundle.hash;
  for (const expected of [
    `bundle ${hash}: routes[0].request.headers.set.x-b  the environment variable SECRET is not set  set SECRET`,
    `bundle ${hash}: authenticators.partners.principal.roles.allow[0]  the environment variable ROLE is not set  set ROLE`,
  ]) {
    assert.ok(lines.includes(expected), lines.join("\n"));
  }
  assert.ok(
    lines.some((line) => line.startsWith("sallyport.yaml:5:")),
    lines.join("\n"),
  );
});

test("two authorities with the same files publish the same bundles", async (context) => {
  const [one, other] = [ground(context), ground(context)];
  const keys = readFileSync(one.authority.replace("sallyport.yaml", "keys.json"));
  writeFileSync(other.authority.replace("sallyport.yaml", "keys.json"), keys);
  // Comments and blank lines say nothing.
  writeFileSync(other.authority, `# the other one\n${KEEPER}${PARTS}\n\n`);
  const hashes = async ({ authority }: Ground): Promise<string[]> =>
    (await loadConfig(authority, { env: ENV })).published.map(({ bundle }) => bundle.hash);
  assert.deepEqual(await hashes(one), await hashes(other));
});

test("publish() refuses a public file that holds a private key", async (context) => {
  const there = ground(context);
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ format: "pem", type: "pkcs8" });
  const file = there.authority.replace("sallyport.yaml", "keys.json");
  const keys = readFileSync(file, "utf8");
  // In a member that a key set does not know.
  writeFileSync(file, JSON.stringify({ ...JSON.parse(keys), note: pem }));
  const { problems, loaded } = await inspectConfig(there.authority, { env: ENV });
  assert.equal(loaded, undefined);
  assert.match(
    problems.map(formatProblem).join("\n"),
    /:\d+:\d+ {2}"keys.json" cannot be published: it holds a private key/,
  );
});

test("decodeBundle() refuses bytes that are not those of the hash", async (context) => {
  const { published } = await loadConfig(ground(context).authority, { env: ENV });
  const [first, second] = published;
  assert.ok(first !== undefined && second !== undefined);
  const mixed = { hash: first.bundle.hash, bytes: second.bundle.bytes };
  assert.throws(() => decodeBundle(mixed), { code: "feed-failed" });
  const cut = { hash: first.bundle.hash, bytes: first.bundle.bytes.subarray(1) };
  assert.throws(() => decodeBundle(cut), { code: "feed-failed" });
});

test("an authority alone serves nothing itself, and needs no secret of what it publishes", async (context) => {
  const there = ground(context);
  rmSync(join(there.authority, "..", "secrets"), { recursive: true });
  const parts = PARTS.replace('note: "${file:secrets/billing}"', "note: none");
  writeFileSync(there.authority, KEEPER + parts);
  const env = { KEK: ENV["KEK"], ROLE: ENV["ROLE"], RATE: "shared" };
  const loaded = await loadConfig(there.authority, { env });
  assert.deepEqual([loaded.config.services, loaded.config.routes], [{}, []]);
  assert.deepEqual(
    loaded.vocabulary.routes.map(({ name }) => name),
    ["billing", "stock", "old"],
  );
  assert.deepEqual(await loadConfigInThread(there.authority, { env }), loaded);
  const checked = await checkConfig(there.authority, { env, clock: systemClock });
  assert.deepEqual(checked.problems.map(formatProblem), []);
  // The same with a listener serves callers, so it has to know.
  writeFileSync(there.authority, SERVING + parts);
  const messages = async (from: typeof env): Promise<string> =>
    (await inspectConfig(there.authority, { env: from })).problems.map(formatProblem).join("\n");
  assert.match(await messages(env), /the environment variable SECRET is not set/);
  assert.match(
    await messages({ ...env, ...ENV }),
    /the secret file "secrets\/billing" cannot be used/,
  );
});

test("an authority alone asks for a value without which it cannot judge the rest", async (context) => {
  const there = ground(context);
  const env = { KEK: ENV["KEK"], ROLE: ENV["ROLE"], SECRET: "x" };
  const { problems } = await inspectConfig(there.authority, { env });
  assert.deepEqual(
    problems.map(({ message }) => message),
    ["the environment variable RATE is not set"],
  );
});

test("checkConfig() of an authority loads what each group gets", async (context) => {
  const there = ground(context);
  const deps = { env: ENV, clock: systemClock };
  const { problems, loaded } = await checkConfig(there.authority, deps);
  assert.deepEqual(problems.map(formatProblem), []);
  assert.deepEqual(
    loaded?.published.map(({ name }) => name),
    ["inner", "edge-*", "*"],
  );
});

test("checkConfig() of a follower takes the bundle that it has, and says when it has none", async (context) => {
  const there = ground(context);
  const deps = { env: ENV, clock: systemClock };
  const before = await checkConfig(there.proxy, deps);
  assert.ok(before.own !== undefined && before.loaded === undefined);
  assert.match(before.problems.map(formatProblem).join("\n"), /this machine is not enrolled/);
  const { loaded } = await follow(there, "edge-1");
  const after = await checkConfig(there.proxy, deps);
  assert.equal(after.loaded?.bundle, loaded.bundle);
});

test("checkConfig() points out a secret that would be published in clear", async (context) => {
  const parts = PARTS.replace('x-b: "${env:SECRET}"', "x-token: s3cret-in-clear, x-b: plain");
  const there = ground(context, { parts });
  const { problems } = await checkConfig(there.authority, { env: ENV, clock: systemClock });
  assert.deepEqual(
    problems.map(({ message }) => message),
    ['"x-token" is written in clear and published to every proxy of "billing"'],
  );
});

test("checkConfig() points out a client's secret that would be published in clear", async (context) => {
  for (const secret of ["s3cret-in-clear", '"${env:SECRET}"']) {
    const asked = `  asked:
    type: introspection
    endpoint: https://login.example.com/introspect
    client: { id: gateway, secret: ${secret} }
services:`;
    const there = ground(context, { parts: PARTS.replace("services:", asked) });
    const { problems } = await checkConfig(there.authority, { env: ENV, clock: systemClock });
    assert.deepEqual(
      problems.map(({ message }) => message),
      secret.startsWith('"')
        ? []
        : ['the client\'s secret of "asked" is written in clear and published to every proxy'],
    );
  }
});

test("loadOwn() refuses an identity that others can enter", async (context) => {
  const there = ground(context);
  mkdirSync(join(there.dir, "data", "identity"), { recursive: true, mode: 0o755 });
  await assert.rejects(loadOwn(there.proxy, { env: ENV }), /sallyport\.yaml:4:.*0700/s);
});

test("of many routes that a proxy does not get, those stay in the words that a policy names", async (context) => {
  const more = [1, 2, 3]
    .map(
      (at) =>
        `  - { name: many-${at}, path: "/many${at}/*", service: stock, authenticate: [partners] }\n`,
    )
    .join("");
  const there = ground(context, { parts: PARTS.replace("routes:\n", `routes:\n${more}`) });
  const folder = join(there.authority, "..", "policies");
  const named = (route: string): string =>
    `@id("named") forbid (principal, action, resource == Sallyport::Route::"${route}");`;
  const spoken = async (policy: string): Promise<string[]> => {
    writeFileSync(join(folder, "c.cedar"), policy);
    const { loaded } = await follow(there, "edge-1");
    const { problems } = await checkConfig(there.authority, { env: ENV, clock: systemClock });
    assert.deepEqual(problems.map(formatProblem), []);
    return loaded.vocabulary.routes.map(({ name }) => name).filter((one) => one.startsWith("many"));
  };
  assert.deepEqual(await spoken(""), ["many-1"]);
  assert.deepEqual(await spoken(named("many-3")), ["many-1", "many-3"]);
  // An escape may hide a name, so all stay.
  assert.deepEqual(await spoken(named(String.raw`many\u{2d}2`)), ["many-1", "many-2", "many-3"]);
});

function keyFile({ authenticators: { corp } }: LoadedConfig["config"]): string {
  return corp?.type === "jwt" ? (corp.jwks?.replace("file:", "") ?? "") : "";
}
