/**
 * Everything that the demo consists of, started in order and ended in reverse: a folder to look at,
 * the providers, the services, the tokens, and the proxy as `sallyport run` starts it.
 */
import { execFile } from "node:child_process";
import { randomBytes, type webcrypto } from "node:crypto";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startChild, type RunningChild } from "../children.ts";
import { freePort } from "../ports.ts";
import { readTrail } from "./audit-trail.ts";
import type { Providers } from "./provider-process.ts";
import {
  SERVICE_NAMES,
  startService,
  type Arrival,
  type RunningService,
  type ServiceName,
} from "./services.ts";
import { writeCertificates } from "./certificates.ts";
import { GATE_CLIENT } from "./cast.ts";
import type { Door } from "./raw-client.ts";
import { fillWallet, TOKEN_NAMES, type Holdings, type Wallet } from "./wallet.ts";

export interface Ports {
  readonly proxy: number;
  readonly mesh: number;
  readonly admin: number;
  readonly provider: number;
  readonly sidecar: number;
  readonly services: Readonly<Record<ServiceName, number>>;
}

export interface WorldOptions {
  /** Ports to use where they are free; 0 lets the system choose. */
  readonly ports: Ports;
  /** Called for every request that reaches a service. */
  readonly arrived: (arrival: Arrival) => void;
}

export interface World {
  /** `sallyport.yaml`, `policies/`, `tokens/`, `audit/`, and the logs of what runs. */
  readonly folder: string;
  /** `host:port`. */
  readonly proxy: string;
  readonly admin: string;
  /** Where the stocktaker's sidecar listens. */
  readonly sidecar: string;
  readonly issuer: string;
  readonly services: readonly RunningService[];
  readonly wallet: Wallet;
  /** The courier's private key. */
  readonly courierKey: webcrypto.JsonWebKey;
  /** How the proxy is reached: in plain HTTP, over TLS, and over TLS as the ledger. */
  readonly doors: Readonly<Record<"edge" | "mesh" | "ledger", Door>>;
  /** Hashes of the keys that the gate has let in until now, as its records have them. */
  keysSeen(): readonly string[];
  /** Settles with a sentence when the proxy or the provider ends. */
  readonly broken: Promise<string>;
  /** Asks `sallyport check` about both configurations, as their first lines say; rejects with what it finds. */
  checkConfigs(): Promise<void>;
  /** Ends the proxy, which then has written all its records; the rest goes on. */
  stopProxy(): Promise<void>;
  /** Ends all that still runs. */
  stop(): Promise<void>;
}

const here = fileURLToPath(new URL(".", import.meta.url));
export const sallyport = join(here, "../../bin/sallyport");

/** What we start runs on the runtime that the demo itself runs on. */
const ENVIRONMENT: NodeJS.ProcessEnv = {
  ...process.env,
  SALLYPORT_RUNTIME: process.versions["bun"] === undefined ? "node" : "bun",
};

/** Starts everything; if one part does not start, ends the others and rejects. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-demo-"));
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (let next = stops.pop(); next !== undefined; next = stops.pop()) await next();
  };
  try {
    return { ...(await start(folder, options, stops)), stop };
  } catch (cause) {
    await stop();
    throw new Error(`${(cause as Error).message}\nIts files are in ${folder}`, { cause });
  }
}

async function start(
  folder: string,
  options: WorldOptions,
  stops: (() => Promise<void>)[],
): Promise<Omit<World, "stop">> {
  const proxy = `127.0.0.1:${await freePort(options.ports.proxy)}`;
  const provider = await startProviders(folder, {
    port: await freePort(options.ports.provider),
    gate: `http://${proxy}`,
  });
  stops.push(() => provider.stop());
  const providers = JSON.parse(provider.firstLine) as Providers;

  const services: RunningService[] = [];
  for (const name of SERVICE_NAMES) {
    const port = await freePort(options.ports.services[name]);
    const service = await startService(name, { port, arrived: options.arrived });
    services.push(service);
    stops.push(() => service.close());
  }
  const holdings = await fillWallet(providers);
  writeTokens(folder, holdings);
  const { ca, ledger } = writeCertificates(join(folder, "certs"));

  const mesh = `127.0.0.1:${await freePort(options.ports.mesh)}`;
  const admin = `127.0.0.1:${await freePort(options.ports.admin)}`;
  writeConfig(folder, {
    proxy,
    mesh,
    admin,
    issuer: providers.own.issuer,
    gate: GATE_CLIENT,
    ...Object.fromEntries(services.map(({ name, address }) => [name, address])),
  });
  const secret = providers.own.secrets[GATE_CLIENT] ?? "";
  writeFileSync(join(folder, "gate.secret"), secret, { mode: 0o600 });
  writeFileSync(join(folder, "kek"), randomBytes(32).toString("base64url"), { mode: 0o600 });
  mkdirSync(join(folder, "run"), { mode: 0o700 });
  mkdirSync(join(folder, "data"), { mode: 0o700 });
  const child = await startProxy(folder);
  stops.push(() => child.stop());
  const sidecar = `127.0.0.1:${await freePort(options.ports.sidecar)}`;
  const beside = await startSidecar(folder, { proxy, sidecar });
  stops.push(() => beside.stop());
  return {
    folder,
    proxy,
    admin,
    sidecar,
    issuer: providers.own.issuer,
    services,
    ...holdings,
    doors: {
      edge: { address: proxy },
      mesh: { address: mesh, tls: { ca } },
      ledger: { address: mesh, tls: { ca, ...ledger } },
    },
    keysSeen: () => keysIn(join(folder, "audit")),
    broken: Promise.race([child.ended, provider.ended, beside.ended]),
    async checkConfigs() {
      for (const cwd of [folder, join(folder, "sidecar")]) {
        await promisify(execFile)(sallyport, ["check"], { cwd, env: ENVIRONMENT });
      }
    },
    async stopProxy() {
      await beside.stop();
      await child.stop();
    },
  };
}

function startProviders(
  folder: string,
  { port, gate }: { readonly port: number; readonly gate: string },
): Promise<RunningChild> {
  return startChild({
    name: "the OpenID provider",
    command: [process.execPath, join(here, "provider-process.ts"), String(port), gate],
    cwd: folder,
    log: join(folder, "provider.log"),
  });
}

/** As a person would start it, on the runtime that the demo itself runs on. */
function startProxy(folder: string): Promise<RunningChild> {
  return startChild({
    name: "the proxy",
    command: [sallyport, "run", "-c", "sallyport.yaml"],
    cwd: folder,
    env: ENVIRONMENT,
    log: join(folder, "proxy.log"),
  });
}

/** Registers the stocktaker by a key pair that is made where its sidecar will run, and starts that. */
async function startSidecar(
  folder: string,
  values: { readonly proxy: string; readonly sidecar: string },
): Promise<RunningChild> {
  const own = join(folder, "sidecar");
  mkdirSync(own, { mode: 0o700 });
  const template = readFileSync(join(here, "sidecar.yaml"), "utf8");
  writeFileSync(join(own, "sallyport.yaml"), filled(template, values));
  const key = join(own, "stocktaker.key");
  const create = ["clients", "create", "stocktaker", "--role", "Reader", "--generate-key", key];
  await promisify(execFile)(sallyport, [...create, "-c", "sallyport.yaml"], {
    cwd: folder,
    env: ENVIRONMENT,
  });
  return await startChild({
    name: "the sidecar",
    command: [sallyport, "run", "-c", "sallyport.yaml"],
    cwd: own,
    env: ENVIRONMENT,
    log: join(folder, "sidecar.log"),
  });
}

function keysIn(audit: string): readonly string[] {
  const hashes = [...readTrail(audit).decisions.values()].flatMap((record) => {
    const { principal, credentials } = record as {
      readonly principal?: { readonly authenticator: string };
      readonly credentials?: readonly { readonly hash: string; readonly outcome: string }[];
    };
    if (principal?.authenticator !== "keys") return [];
    return (credentials ?? []).filter(({ outcome }) => outcome === "used").map(({ hash }) => hash);
  });
  return [...new Set(hashes)];
}

/** Each token as a header line in a file of its own, for `curl -H @tokens/NAME`. */
function writeTokens(folder: string, { wallet, courierKey }: Holdings): void {
  mkdirSync(join(folder, "tokens"), { mode: 0o700 });
  for (const name of TOKEN_NAMES) {
    const file = join(folder, "tokens", name);
    writeFileSync(file, `authorization: ${wallet[name]}\n`, { mode: 0o600 });
  }
  writeFileSync(join(folder, "tokens/courier.key"), JSON.stringify(courierKey), { mode: 0o600 });
  // `./proof METHOD URL` makes the proof that goes beside the courier's token.
  const words = [process.execPath, ...process.execArgv, join(here, "proof.ts"), folder];
  const script = `#!/bin/sh\nexec ${words.map((word) => `'${word}'`).join(" ")} "$@"\n`;
  writeFileSync(join(folder, "proof"), script, { mode: 0o700 });
}

function writeConfig(folder: string, values: Readonly<Record<string, string>>): void {
  const template = readFileSync(join(here, "sallyport.yaml"), "utf8");
  writeFileSync(join(folder, "sallyport.yaml"), filled(template, values));
  cpSync(join(here, "policies"), join(folder, "policies"), { recursive: true });
  // A checkout may lie there writable for a group; what decides about access must not.
  chmodSync(join(folder, "policies"), 0o755);
}

function filled(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{\{(\w+)\}\}/g, (_all, name: string) => {
    const value = values[name];
    if (value === undefined) throw new TypeError(`the template asks for ${name}`);
    return value;
  });
}
