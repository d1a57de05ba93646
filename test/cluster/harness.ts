/**
 * A cluster of real processes on loopback: Postgres, authorities, proxies that were enrolled by the
 * command line and follow the feed through a network that can be made bad, one service behind them,
 * and an issuer of tokens. It ends with the test, whatever becomes of it.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { quietPort } from "../../examples/ports.ts";
import { AUDIENCE, createTestIssuer, ISSUER, type TestIssuer } from "../e2e/test-issuer.ts";
import { type Postgres, startPostgres } from "../postgres.ts";
import { type Chaos, startChaos } from "./chaos.ts";
import { Machine, type Runtime, type Scope } from "./machine.ts";

export interface ClusterOptions {
  readonly authorities?: number;
  readonly proxies?: number;
  /** Seconds after which a proxy that hears nothing denies. */
  readonly maxStalenessSeconds?: number;
  /** Further keys of `authority` on the authorities, as YAML lines without indent. */
  readonly authority?: string;
  /** Further routes that the proxies get, as YAML lines without indent. */
  readonly routes?: string;
  /** Whether authorities issue keys, and proxies take them. */
  readonly keys?: boolean;
  /** URL of the Redis that the proxies share. */
  readonly redis?: string;
  readonly runtime?: Runtime;
}

/** What callers of the proxies know them by, where they share a Redis: proofs are made for it. */
export const ORIGIN = "https://api.test";

/** Milliseconds that a proxy waits for Redis. */
export const SHARED_TIMEOUT_MS = 500;

export interface Cluster {
  readonly folder: string;
  readonly postgres: Postgres;
  readonly authorities: readonly AuthorityMachine[];
  readonly proxies: readonly ProxyMachine[];
  readonly issuer: TestIssuer;
  readonly service: Service;
  readonly maxStalenessMs: number;
}

export interface AuthorityMachine extends Machine {
  /** Where it issues keys, in a cluster that has them. */
  readonly tokenEndpoint: string;
  /** Where proxies reach it without a network in between. */
  readonly feedPort: number;
}

export interface ProxyMachine extends Machine {
  /** `host:port` of its listener. */
  readonly edge: string;
  /** The network between it and each authority, in their order. */
  readonly lines: readonly Chaos[];
}

/** What stands behind the proxies: it answers everything, and remembers what reached it. */
export interface Service {
  readonly address: string;
  /** Paths in the order in which they came, with when. */
  readonly reached: readonly { readonly path: string; readonly atMs: number }[];
}

/** Undefined where the machine has no Postgres; the test is skipped then. */
export async function startCluster(
  scope: Scope & { skip?(why: string): void },
  options: ClusterOptions = {},
): Promise<Cluster | undefined> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-cluster-"));
  scope.after(() => rmSync(folder, { recursive: true, force: true }));
  const database = await startPostgres();
  if (database === undefined) {
    scope.skip?.("no Postgres on this machine (Debian: postgresql)");
    return undefined;
  }
  scope.after(() => database.end());
  const service = await startService(scope);
  const issuer = createTestIssuer();
  const seconds = options.maxStalenessSeconds ?? 3;
  const ground: Ground = {
    scope,
    folder,
    issuer,
    service,
    database: database.url,
    kek: randomBytes(32).toString("base64url"),
    maxStalenessSeconds: seconds,
    authority: options.authority ?? "",
    routes: options.routes ?? "",
    keys: options.keys ?? false,
    redis: options.redis,
    runtime: options.runtime,
  };
  const authorities: AuthorityMachine[] = [];
  for (let number = 1; number <= (options.authorities ?? 2); number++) {
    const authority = await makeAuthority(ground, number);
    await authority.start();
    authorities.push(authority);
  }
  const proxies = await Promise.all(
    Array.from({ length: options.proxies ?? 3 }, async (_, index) => {
      const proxy = await makeProxy(ground, { number: index + 1, authorities });
      await enrol(authorities[0], proxy);
      await proxy.start();
      return proxy;
    }),
  );
  return {
    folder,
    postgres: database,
    authorities,
    proxies,
    issuer,
    service,
    maxStalenessMs: seconds * 1000,
  };
}

interface Ground {
  readonly scope: Scope;
  readonly runtime: Runtime | undefined;
  readonly folder: string;
  readonly issuer: TestIssuer;
  readonly service: Service;
  readonly database: string;
  readonly kek: string;
  readonly maxStalenessSeconds: number;
  readonly authority: string;
  readonly routes: string;
  readonly keys: boolean;
  readonly redis: string | undefined;
}

async function makeAuthority(ground: Ground, number: number): Promise<AuthorityMachine> {
  const name = `authority-${number}`;
  const [feedPort, adminPort, port] = [await quietPort(), await quietPort(), await quietPort()];
  const origin = `http://127.0.0.1:${port}`;
  const keys = ground.keys ? keysOf(port) : NO_KEYS;
  const machine = new Machine(ground.scope, {
    name,
    folder: join(ground.folder, name),
    admin: `127.0.0.1:${adminPort}`,
    runtime: ground.runtime,
  });
  machine.write("secrets/kek", ground.kek);
  machine.write("secrets/store", ground.database);
  machine.write("jwks.json", JSON.stringify(ground.issuer.jwks));
  machine.write("policies/all.cedar", PERMIT);
  machine.write("secrets/client", CLIENT.secret);
  machine.write(
    "sallyport.yaml",
    `version: 1
listeners: ${keys.listeners}
admin: { address: "${machine.admin}", socket: run/admin.sock }
authority:
  issuer: https://authority.test
  store: "\${file:secrets/store}"
  maxStaleness: ${ground.maxStalenessSeconds}s
  keyEncryptionKey: { file: secrets/kek }
  serve: { address: "127.0.0.1:${feedPort}", names: [127.0.0.1] }
${indent(ground.authority + keys.authority)}
authenticators:
${keys.authenticators}
  corp:
    type: jwt
    issuer: ${ISSUER}
    jwks: file:jwks.json
    audience: [${AUDIENCE}]
    algorithms: [ES256]
    principal: { kind: workload, subject: sub }
services:
  orders: { endpoints: ["http://${ground.service.address}"] }
routes:
  - { name: orders, path: "/orders/*", service: orders, authenticate: [${keys.named}], audience: [${AUDIENCE}] }
${indent(ground.routes)}
policies: { enforce: [policies] }
audit: { path: audit }
`,
  );
  return Object.assign(machine, { feedPort, tokenEndpoint: `${origin}/.sallyport/token` });
}

/** Who gets keys. */
export const CLIENT = { id: "job", secret: randomBytes(32).toString("base64url") } as const;

const NO_KEYS = { listeners: "[]", authority: "", authenticators: "", named: "corp" } as const;

function keysOf(port: number): Readonly<Record<keyof typeof NO_KEYS, string>> {
  const address = `127.0.0.1:${port}`;
  return {
    listeners: `[{ name: token, address: "${address}", publicOrigin: "http://${address}", serve: [token] }]`,
    authority: `
tokens: { lifetime: 2m }
clients: { ${CLIENT.id}: { insecureSecret: "\${file:secrets/client}" } }`,
    authenticators: "  keys: { type: sallyport }",
    named: "corp, keys",
  };
}

const PERMIT = '@id("workloads") permit (principal is Sallyport::Workload, action, resource);';

function indent(lines: string): string {
  return lines
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => `  ${line}`)
    .join("\n");
}

async function makeProxy(
  ground: Ground,
  place: { readonly number: number; readonly authorities: readonly AuthorityMachine[] },
): Promise<ProxyMachine> {
  const name = `edge-${place.number}`;
  const [edgePort, adminPort] = [await quietPort(), await quietPort()];
  const lines = await Promise.all(
    place.authorities.map(({ feedPort }) => startChaos(ground.scope, feedPort)),
  );
  const machine = new Machine(ground.scope, {
    name,
    folder: join(ground.folder, name),
    admin: `127.0.0.1:${adminPort}`,
    runtime: ground.runtime,
  });
  const { redis } = ground;
  const shared = {
    origin: redis === undefined ? "" : `, publicOrigin: "${ORIGIN}"`,
    section:
      redis === undefined ? "" : `shared: { redis: "${redis}", timeout: ${SHARED_TIMEOUT_MS}ms }\n`,
  };
  const feed = lines.map(({ port }) => `"https://127.0.0.1:${port}"`).join(", ");
  machine.write(
    "sallyport.yaml",
    `version: 1
listeners: [{ name: edge, address: "127.0.0.1:${edgePort}"${shared.origin} }]
admin: { address: "${machine.admin}", socket: run/admin.sock }
authority:
  feed: [${feed}]
  identity: data/identity
  maxStaleness: ${ground.maxStalenessSeconds}s
${shared.section}audit: { path: audit, unidentified: { perSecond: 100000, burst: 1000000 } }
`,
  );
  return Object.assign(machine, { edge: `127.0.0.1:${edgePort}`, lines });
}

/** As an operator does it: a token printed on an authority, redeemed on the new machine. */
async function enrol(authority: AuthorityMachine | undefined, proxy: ProxyMachine): Promise<void> {
  if (authority === undefined) throw new TypeError("nobody enrols without an authority");
  const token = await authority.does("workloads", "enrol", proxy.name, "--kind", "proxy");
  proxy.write("join-token", token);
  await proxy.does("enrol", "--token-file", "join-token");
}

async function startService(scope: Scope): Promise<Service> {
  const reached: { readonly path: string; readonly atMs: number }[] = [];
  const server: Server = createServer((request, response) => {
    reached.push({ path: request.url ?? "", atMs: Date.now() });
    response.end("from the service");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, reached };
}
