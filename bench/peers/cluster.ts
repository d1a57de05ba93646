/**
 * Authorities and proxies as users start them: the authorities over one store, the proxies enrolled by
 * the command line, following the feed over mutual TLS, with the configuration that comes over it.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { keySet } from "../load/credentials.ts";
import type { Signer } from "../load/credentials.ts";
import { get } from "../load/request.ts";
import { freePorts } from "../machine/ports.ts";
import type { Program, Site } from "../machine/site.ts";
import { until } from "../machine/until.ts";
import type { StartedPeer } from "./peer.ts";
import type { Runtime } from "./sallyport.ts";

export interface ClusterOptions {
  readonly name: string;
  readonly runtime: Runtime;
  readonly cores: { readonly authorities: number; readonly proxies: number };
  /** `postgres://…`; left out: SQLite beside the one authority. */
  readonly store?: string | undefined;
  readonly authorities: number;
  readonly proxies: number;
  readonly signers: readonly Signer[];
  /** What the authorities publish: authenticators, services, routes and policies. */
  readonly published: string;
  /** Cedar. */
  readonly policies: string;
  /** Of the proxies; the default where left out. */
  readonly maxStaleness?: string;
}

export interface Cluster {
  readonly authorities: readonly Authority[];
  /** With the ports of their listeners. */
  readonly proxies: readonly StartedPeer[];
  stop(): Promise<void>;
}

export interface Authority {
  /** Takes access away, as the command line does it; resolves to when it was committed. */
  revoke(target: object): Promise<number>;
}

const SALLYPORT = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));
const run = promisify(execFile);

export async function startCluster(site: Site, options: ClusterOptions): Promise<Cluster> {
  const ground: Ground = { site, options, kek: randomBytes(32).toString("base64url") };
  const { cores } = options;
  const programs: Program[] = [];
  const authorities: Machine[] = [];
  for (let number = 1; number <= options.authorities; number++) {
    const authority = await makeAuthority(ground, number);
    programs.push(await start(ground, authority, cores.authorities));
    authorities.push(authority);
  }
  const proxies: StartedPeer[] = [];
  for (let number = 1; number <= options.proxies; number++) {
    const proxy = await makeProxy(ground, number, authorities);
    await enrol(ground, authorities[0] as Machine, proxy);
    const program = await start(ground, proxy, cores.proxies);
    programs.push(program);
    proxies.push({ program, port: proxy.port });
  }
  return {
    authorities: authorities.map((one) => ({
      revoke: (target) => revoke(socketOf(one), target),
    })),
    proxies,
    async stop() {
      await Promise.all(programs.map((program) => program.stop()));
    },
  };
}

interface Ground {
  readonly site: Site;
  readonly options: ClusterOptions;
  readonly kek: string;
}

interface Machine {
  readonly name: string;
  readonly folder: string;
  /** Of the feed, or of the listener. */
  readonly port: number;
  readonly adminPort: number;
}

async function makeMachine({ site, options }: Ground, name: string): Promise<Machine> {
  const folder = site.path(`${options.name}-${name}`);
  mkdirSync(folder, { mode: 0o700 });
  const [port = 0, adminPort = 0] = await freePorts(2);
  return { name, folder, port, adminPort };
}

async function makeAuthority(ground: Ground, number: number): Promise<Machine> {
  const { options, kek } = ground;
  const machine = await makeMachine(ground, `authority-${number}`);
  const { folder, port, adminPort } = machine;
  for (const name of ["policies", "data", "run"]) mkdirSync(join(folder, name), { mode: 0o700 });
  writeFileSync(join(folder, "kek"), kek, { mode: 0o600 });
  writeFileSync(join(folder, "jwks.json"), keySet(options.signers));
  writeFileSync(join(folder, "policies", "all.cedar"), options.policies);
  writeFileSync(
    join(folder, "sallyport.yaml"),
    `version: 1
listeners: []
admin: { address: "127.0.0.1:${adminPort}", socket: run/admin.sock }
authority:
  issuer: https://authority.bench.example
  store: "${options.store ?? "sqlite:data/state.db"}"
  keyEncryptionKey: { file: kek }
  serve: { address: "127.0.0.1:${port}", names: [127.0.0.1] }
${options.published}audit: { path: audit }
`,
    { mode: 0o600 },
  );
  return machine;
}

async function makeProxy(
  ground: Ground,
  number: number,
  authorities: readonly Machine[],
): Promise<Machine> {
  const machine = await makeMachine(ground, `edge-${number}`);
  const { folder, port, adminPort } = machine;
  const { maxStaleness = "10s" } = ground.options;
  // Each begins with another one, as proxies in the field do.
  const from = number % authorities.length;
  const turned = [...authorities.slice(from), ...authorities.slice(0, from)];
  const feed = turned.map((one) => `"https://127.0.0.1:${one.port}"`).join(", ");
  writeFileSync(
    join(folder, "sallyport.yaml"),
    `version: 1
listeners: [{ name: edge, address: "127.0.0.1:${port}" }]
admin: { address: "127.0.0.1:${adminPort}" }
authority:
  feed: [${feed}]
  identity: data/identity
  maxStaleness: ${maxStaleness}
audit: { path: audit }
`,
    { mode: 0o600 },
  );
  return machine;
}

/** A join token of an authority, redeemed by the new machine's own command. */
async function enrol({ options }: Ground, authority: Machine, proxy: Machine): Promise<void> {
  const invited = await post(socketOf(authority), "/v1/workloads", {
    name: proxy.name,
    kind: "proxy",
  });
  writeFileSync(join(proxy.folder, "join-token"), String(invited["token"]), { mode: 0o600 });
  await run(SALLYPORT, ["enrol", "--token-file", "join-token"], {
    cwd: proxy.folder,
    env: { ...process.env, SALLYPORT_RUNTIME: options.runtime },
  });
}

function socketOf({ folder }: Machine): string {
  return join(folder, "run", "admin.sock");
}

async function start({ site, options }: Ground, machine: Machine, core: number): Promise<Program> {
  const name = `${options.name}-${machine.name}`;
  const program = site.start(`${name}-run`, [SALLYPORT, "run", "-c", "sallyport.yaml"], {
    core,
    cwd: machine.folder,
    env: { SALLYPORT_RUNTIME: options.runtime },
  });
  await until(`${name} is ready`, program, async () => {
    const { status } = await get({ port: machine.adminPort, path: "/readyz" });
    return status === 200;
  });
  return program;
}

async function revoke(socketPath: string, target: object): Promise<number> {
  const answer = await post(socketPath, "/v1/revocations", { target, mode: "revoke" });
  return Date.parse(String(answer["changed"]));
}

/** Over the socket that only operators reach. Rejects with what is answered instead of 201. */
function post(
  socketPath: string,
  path: string,
  body: object,
): Promise<Readonly<Record<string, unknown>>> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      socketPath,
      method: "POST",
      path,
      headers: { host: "localhost", "content-type": "application/json" },
    });
    outgoing.once("error", reject);
    outgoing.once("response", (incoming) => {
      let text = "";
      incoming.setEncoding("utf8");
      incoming.on("data", (piece: string) => (text += piece));
      incoming.once("error", reject);
      incoming.once("end", () => {
        const { statusCode } = incoming;
        if (statusCode === 201) resolve(JSON.parse(text) as Record<string, unknown>);
        else reject(new Error(`POST ${path}: ${statusCode} ${text}`));
      });
    });
    outgoing.end(JSON.stringify(body));
  });
}
