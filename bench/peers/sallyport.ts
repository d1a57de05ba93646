/**
 * Sallyport as a user starts it (`bin/sallyport run -c …`): a token checked for each request, two
 * policies, every decision and completion in the audit log.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Peer, PeerPlace, StartedPeer } from "./peer.ts";
import { RECORD_PATHS } from "./peer.ts";
import { BILLING_POLICIES, sallyportConfig } from "./sallyport-config.ts";
import type { BenchRoute } from "./sallyport-config.ts";
import type { Certificate } from "../load/certificate.ts";
import { keySet } from "../load/credentials.ts";
import type { Signer } from "../load/credentials.ts";
import type { Service } from "../load/service.ts";
import { get } from "../load/request.ts";
import { freePorts } from "../machine/ports.ts";
import type { Site } from "../machine/site.ts";
import { until } from "../machine/until.ts";

export type Runtime = "bun" | "node";

const PROGRAM = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));
const WITH_RUNTIME = fileURLToPath(new URL("../../tools/with-runtime", import.meta.url));

/** One route, as the throughput section wants it. */
const BILLING_ROUTE = [{ name: "billing", path: "/billing/*" }];

export const sallyports: readonly Peer[] = [
  sallyportPeer("sallyport-bun", "Sallyport on Bun: RS256, policy, audit", { runtime: "bun" }),
  sallyportPeer("sallyport-node", "Sallyport on Node: RS256, policy, audit", { runtime: "node" }),
  sallyportPeer("sallyport-bun-tls", "Sallyport on Bun over TLS: RS256, policy, audit", {
    runtime: "bun",
    tls: true,
  }),
  sallyportPeer("sallyport-node-tls", "Sallyport on Node over TLS: RS256, policy, audit", {
    runtime: "node",
    tls: true,
  }),
];

export const sallyportsHttp2 = {
  toHttp1: bothRuntimes("h2", "RS256, policy, audit", { http2: true }),
  overTls: bothRuntimes("h2-tls", "over TLS: RS256, policy, audit", { http2: true, tls: true }),
  toHttp2: bothRuntimes("h2-h2c", "to the HTTP/2 service: RS256, policy, audit", {
    http2: true,
    toHttp2: true,
  }),
} as const;

function bothRuntimes(
  suffix: string,
  does: string,
  options: Omit<SallyportOptions, "runtime">,
): readonly Peer[] {
  const colon = does.includes(":") ? "" : ":";
  return [
    sallyportPeer(`sallyport-bun-${suffix}`, `Sallyport on Bun${colon} ${does}`, {
      ...options,
      runtime: "bun",
    }),
    sallyportPeer(`sallyport-node-${suffix}`, `Sallyport on Node${colon} ${does}`, {
      ...options,
      runtime: "node",
    }),
  ];
}

export interface SallyportOptions {
  readonly runtime: Runtime;
  readonly tls?: boolean;
  /** Callers speak HTTP/2. */
  readonly http2?: boolean;
  /** The service is spoken to over HTTP/2. */
  readonly toHttp2?: boolean;
  /** Runs this file instead of `bin/sallyport run`. */
  readonly entry?: string;
  readonly routes?: readonly BenchRoute[];
  /** Paths that callers ask for; those of billing records unless given. */
  readonly paths?: readonly string[];
}

/** A peer for the load sections. */
export function sallyportPeer(name: string, title: string, options: SallyportOptions): Peer {
  return {
    name,
    title,
    authenticates: "RS256",
    authorizes: true,
    paths: options.paths ?? RECORD_PATHS,
    requires: [],
    tls: options.tls === true,
    http2: options.http2 === true,
    start: ({ site, core, service, credentials, certificate, profile }: PeerPlace) =>
      startSallyport(site, {
        name,
        core,
        runtime: options.runtime,
        profile,
        ...(options.tls === true ? { certificate } : {}),
        service: options.toHttp2 === true ? http2Endpoint(service) : service.port,
        ...(options.entry === undefined ? {} : { entry: options.entry }),
        signers: [credentials.RS256.signer, credentials.ES256.signer],
        routes: options.routes ?? BILLING_ROUTE,
      }),
  };
}

/** The service as an endpoint that is spoken to over HTTP/2. */
export function http2Endpoint({ http2Port }: Service): string {
  return `h2c://127.0.0.1:${http2Port}`;
}

export interface StartSallyportOptions {
  readonly name: string;
  readonly core: number | string;
  readonly runtime: Runtime;
  /** Folder for a CPU profile, written when it stops. */
  readonly profile?: string | undefined;
  /** Serves TLS with it. */
  readonly certificate?: Certificate;
  /** Processes that serve; one where left out. */
  readonly workers?: number;
  /** YAML lines of the listener's `limits`, indented by six spaces. */
  readonly limits?: string;
  /** The one service: its port on loopback, or its endpoint. */
  readonly service: number | string;
  /** Whose tokens are good. */
  readonly signers: readonly Signer[];
  readonly routes?: readonly BenchRoute[];
  /** Cedar; those of billing unless given. */
  readonly policies?: string;
  /** YAML lines of `audit` beside its path, indented by two spaces. */
  readonly audit?: string;
  /** Further YAML at top level. */
  readonly more?: string;
  /** A file that is run with the configuration as its argument, instead of `bin/sallyport run`. */
  readonly entry?: string;
}

/** Starts it in a folder of its own; resolves when it says that it is ready. */
export async function startSallyport(
  site: Site,
  options: StartSallyportOptions,
): Promise<StartedPeer> {
  const [port = 0, adminPort = 0] = await freePorts(2);
  const folder = site.path(options.name);
  mkdirSync(join(folder, "policies"), { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, "jwks.json"), keySet(options.signers));
  writeFileSync(join(folder, "policies", "billing.cedar"), options.policies ?? BILLING_POLICIES);
  writeFileSync(
    join(folder, "sallyport.yaml"),
    sallyportConfig({
      ...options,
      port,
      adminPort,
      service: endpointOf(options.service),
      routes: options.routes ?? BILLING_ROUTE,
    }),
  );
  const program = site.start(options.name, commandOf(options, join(folder, "sallyport.yaml")), {
    core: options.core,
    cwd: folder,
    env: { SALLYPORT_RUNTIME: options.runtime, ...profileEnvironment(options) },
  });
  await until(`${options.name} is ready`, program, async () => {
    const { status } = await get({ port: adminPort, path: "/readyz" });
    return status === 200;
  });
  return { program, port };
}

function commandOf({ entry, runtime }: StartSallyportOptions, config: string): string[] {
  if (entry === undefined) return [PROGRAM, "run", "-c", config];
  // As bin/sallyport starts it.
  const flags = { bun: ["--no-install", "--no-env-file"], node: ["--max-semi-space-size=4"] };
  return [WITH_RUNTIME, runtime, ...flags[runtime], entry, config];
}

function endpointOf(service: number | string): string {
  return typeof service === "number" ? `http://127.0.0.1:${service}` : service;
}

/** Each runtime takes the same flags from a variable of its own, so the program is started as ever. */
function profileEnvironment(options: StartSallyportOptions): Record<string, string> {
  if (options.profile === undefined) return {};
  const folder = resolve(options.profile);
  mkdirSync(folder, { recursive: true });
  const name = `${options.name}.cpuprofile`;
  const flags = `--cpu-prof --cpu-prof-dir=${folder} --cpu-prof-name=${name}`;
  return { [options.runtime === "bun" ? "BUN_OPTIONS" : "NODE_OPTIONS"]: flags };
}
