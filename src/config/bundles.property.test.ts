/**
 * For configurations that nobody thought of: what a proxy comes to run is what the authority was told
 * about the services that the proxy is to serve, and nothing that an expression stands for has
 * travelled.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  array,
  asyncProperty,
  assert as check,
  bigInt,
  boolean,
  constant,
  constantFrom,
  dictionary,
  integer,
  oneof,
  record,
  subarray,
  uniqueArray,
} from "fast-check";
import { saysTheSame } from "./check-published.ts";
import { type LoadedConfig, loadConfig } from "./load.ts";
import { bundleFor } from "./publish.ts";
import { unpackBundle } from "./unpack-bundle.ts";

const NAMES = ["alpha", "beta", "gamma", "delta"] as const;
/** One type for each name: elsewhere it would be a mistake. */
const ATTRIBUTES = record(
  {
    text: constantFrom("canary-attribute", "${", "a \u{1f512} b", ""),
    flag: boolean(),
    whole: oneof(integer(), bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    texts: array(constantFrom("canary-item", "plain"), { maxLength: 3 }),
  },
  { requiredKeys: [] },
);

const AUTHENTICATOR = record(
  {
    type: constant("jwt"),
    audience: constant(["https://canary-audience.example"]),
    clockSkew: constantFrom("0s", "30s"),
    principal: record(
      {
        kind: oneof(
          constantFrom("user", "workload"),
          constant({ claim: "kind", is: { user: "canary-kind", device: ["d", "e"] } }),
        ),
        roles: record({ claim: constant("roles"), allow: constant(["canary-role"]) }),
        attributes: dictionary(
          constantFrom("rank", "level"),
          constant({ claim: "x", type: "long" }),
        ),
      },
      { requiredKeys: ["kind"] },
    ),
  },
  { requiredKeys: ["type", "audience", "principal"] },
);

const SERVICE = record(
  {
    endpoints: constantFrom(["http://canary-host.example:9001"], ["http://127.0.0.1:9002"]),
    connectTimeout: constantFrom("1s", "5s"),
    attributes: ATTRIBUTES,
  },
  { requiredKeys: ["endpoints"] },
);

const CONFIG = record({
  authenticators: uniqueArray(constantFrom("corp", "partners", "mesh"), { maxLength: 3 }).chain(
    (names) =>
      array(AUTHENTICATOR, { minLength: names.length, maxLength: names.length }).map((all) =>
        Object.fromEntries(all.map((one, index) => [names[index] ?? "", one])),
      ),
  ),
  services: uniqueArray(constantFrom(...NAMES), { minLength: 1 }).chain((names) =>
    array(SERVICE, { minLength: names.length, maxLength: names.length }).map((all) =>
      Object.fromEntries(all.map((one, index) => [names[index] ?? "", one])),
    ),
  ),
  routes: array(
    record({
      service: integer({ min: 0, max: 5 }),
      authenticate: subarray(["corp", "partners", "mesh"]),
      attributes: ATTRIBUTES,
      limit: subarray(["slow", "fast"], { minLength: 1 }),
      header: constantFrom("canary-header", "${principal.subject} canary-header", "$${literal}"),
    }),
    { minLength: 1, maxLength: 6 },
  ),
  selected: subarray([...NAMES], { minLength: 1 }),
  /** Which texts come from the environment. */
  hidden: array(boolean(), { minLength: 1, maxLength: 7 }),
});

type Generated = typeof CONFIG extends { generate: (...args: never[]) => { value: infer T } }
  ? T
  : never;

test("a bundle of any services, composed and loaded, is what the authority was told of them", async () => {
  await check(
    asyncProperty(CONFIG, async (generated) => {
      const dir = mkdtempSync(join(tmpdir(), "sallyport-bundles-"));
      try {
        await holds(dir, generated);
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    }),
    { numRuns: 60 },
  );
});

async function holds(dir: string, generated: Generated): Promise<void> {
  const services = Object.keys(generated.services);
  const selected = services.filter((name) => generated.selected.some((one) => one === name));
  if (selected.length === 0) return;
  const { document, env, hidden } = documentOf(generated, selected);
  mkdirSync(join(dir, "policies"));
  writeFileSync(join(dir, "policies", "a.cedar"), POLICY);
  writeFileSync(join(dir, "authority.yaml"), JSON.stringify(document, exact));
  writeFileSync(join(dir, "proxy.yaml"), PROXY);
  const from = await loadConfig(join(dir, "authority.yaml"), { env });
  const published = bundleFor(from.published, "edge-1");
  assert.ok(published !== undefined);
  const bytes = Buffer.from(published.bundle.bytes).toString("utf8");
  for (const value of hidden) assert.ok(!bytes.includes(value), value);
  const bundle = await unpackBundle(published.bundle, { folder: join(dir, "bundles") });
  const loaded = await loadConfig(join(dir, "proxy.yaml"), { env, bundle });
  compare(from, loaded, selected);
}

function compare(from: LoadedConfig, loaded: LoadedConfig, selected: readonly string[]): void {
  const only = <T>(all: Readonly<Record<string, T>>, names: readonly string[]): unknown =>
    Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
  const routes = from.config.routes.filter(
    ({ service }) => service === undefined || selected.includes(service),
  );
  const used = routes.flatMap(({ authenticate }) => authenticate);
  const rates = routes.flatMap(({ limit = [] }) => limit).map(String);
  assert.deepEqual(loaded.config.services, only(from.config.services, selected));
  assert.deepEqual(loaded.config.authenticators, only(from.config.authenticators, used));
  assert.deepEqual(loaded.config.limits.rates, only(from.config.limits.rates, rates));
  assert.deepEqual(loaded.config.limits.failures, from.config.limits.failures);
  assert.equal(JSON.stringify(loaded.config.routes, exact), JSON.stringify(routes, exact));
  assert.deepEqual(loaded.policyFiles, from.policyFiles);
  assert.ok(saysTheSame(loaded.vocabulary, from.vocabulary));
  const known = new Map(
    from.vocabulary.routes.map((one) => [one.name, JSON.stringify(one, exact)]),
  );
  for (const one of loaded.vocabulary.routes) {
    assert.equal(JSON.stringify(one, exact), known.get(one.name));
  }
  // What a policy names has to be known, whether the proxy serves it or not.
  const names = loaded.vocabulary.routes.map(({ name }) => name);
  if (from.config.routes.length > 2) assert.ok(names.includes("route-2"));
}

const POLICY = `@id("a") permit (principal, action, resource);
@id("b") forbid (principal, action, resource == Sallyport::Route::"route-2");
`;

const PROXY = JSON.stringify({
  version: 1,
  listeners: [{ name: "edge", address: "127.0.0.1:0" }],
  authority: { feed: ["https://authority.internal"], identity: "identity" },
  audit: { path: "audit" },
});

function documentOf(
  { authenticators, services, routes, hidden }: Generated,
  selected: readonly string[],
): {
  readonly document: unknown;
  readonly env: Readonly<Record<string, string>>;
  readonly hidden: readonly string[];
} {
  const names = Object.keys(services);
  const withIssuers = Object.fromEntries(
    Object.entries(authenticators).map(([name, one]) => [
      name,
      { ...one, issuer: `https://canary-${name}.example` },
    ]),
  );
  const rate = { requests: 5, per: "1s", by: "address" };
  const parts = {
    authenticators: withIssuers,
    services,
    routes: routes.map((route, index) => {
      const service = names[route.service];
      const known = route.authenticate.filter((name) => Object.hasOwn(authenticators, name));
      const common = {
        name: `route-${index}`,
        path: `/r${index}/{param${index % 2}}`,
        authenticate: [...known, "anonymous"],
        attributes: route.attributes,
      };
      if (service === undefined) return { ...common, redirect: { path: "/elsewhere" } };
      const set = { "x-canary": route.header };
      return { ...common, service, limit: route.limit, request: { headers: { set } } };
    }),
    limits: { rates: { slow: rate, fast: { ...rate, requests: 9 } } },
  };
  const env: Record<string, string> = { KEK: "A".repeat(43) };
  const moved: string[] = [];
  let at = 0;
  const hide = (value: unknown): unknown => {
    if (typeof value === "string") {
      if (!value.startsWith("canary") && !value.startsWith("https://canary")) {
        return value.replaceAll(/\$\{(?!principal)/g, (found, offset: number) =>
          value[offset - 1] === "$" ? found : "$${",
        );
      }
      at += 1;
      if (hidden[at % hidden.length] !== true) return value;
      // No other text is this one, so that it is nowhere but behind its expression.
      const secret = value.replace("canary", `hidden${at}`);
      env[`V${at}`] = secret;
      moved.push(secret);
      return `\${env:V${at}}`;
    }
    if (Array.isArray(value)) return value.map(hide);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, hide(one)]));
  };
  const document = {
    version: 1,
    listeners: [{ name: "edge", address: "127.0.0.1:0" }],
    authority: {
      issuer: "https://sallyport.example.com",
      store: "sqlite:data/sallyport.db",
      keyEncryptionKey: { env: "KEK" },
      serve: { address: "127.0.0.1:0", names: ["authority.internal"] },
      proxies: [{ name: "edge-*", services: selected }],
    },
    policies: { enforce: ["policies"] },
    audit: { path: "audit" },
    ...(hide(parts) as object),
  };
  return { document, env, hidden: moved };
}

interface RawJson {
  rawJSON(text: string): unknown;
}

function exact(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? (JSON as unknown as RawJson).rawJSON(String(value)) : value;
}
