/**
 * Keys from the token endpoint in exchange for other tokens: each request brings a token that was never
 * seen before, is decided by policies for subject and actor, signed, and on record before it is answered.
 * Beside it what nobody can save: one signature checked (the token's, ES256) and one made (the key's,
 * Ed25519), by the same runtime on the same core.
 *
 * `tools/with-runtime node|bun bench/issuance.ts` measures the latter of one runtime, and prints it.
 */
import { spawnSync } from "node:child_process";
import { generateKeyPairSync, randomBytes, sign, verify } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { claims, createSigner, keySet, signToken } from "./load/credentials.ts";
import { get } from "./load/request.ts";
import { sendTokens } from "./load/token-client.ts";
import type { Cores } from "./machine/cores.ts";
import { freePorts } from "./machine/ports.ts";
import { groupUsage } from "./machine/process-stat.ts";
import type { Program, Site } from "./machine/site.ts";
import { until } from "./machine/until.ts";
import type { Runtime } from "./peers/sallyport.ts";
import { publishedConfig } from "./peers/sallyport-config.ts";
import { figure } from "./report.ts";
import type { Section } from "./report.ts";

const TOKENS = 40_000;
const QUICK_TOKENS = 2000;
const WARM_UP = 5000;
const CONNECTIONS = 32;
/** Of the pair of signatures; the best of them counts, as other loads on the machine only ever add. */
const ROUNDS = 5;
const PAIRS = 3000;
const RATIO_GOAL = 0.5;

const PROGRAM = fileURLToPath(new URL("../bin/sallyport", import.meta.url));
const WITH_RUNTIME = fileURLToPath(new URL("../tools/with-runtime", import.meta.url));
const SELF = fileURLToPath(import.meta.url);

export interface IssuanceResult {
  readonly runtime: Runtime;
  /** In a second of one core: keys issued, and signatures checked and made. */
  readonly keys: number;
  readonly pairs: number;
}

export async function benchIssuance(
  site: Site,
  options: {
    readonly cores: Cores;
    readonly quick: boolean;
    readonly progress: (line: string) => void;
  },
): Promise<Section> {
  const results: IssuanceResult[] = [];
  for (const runtime of ["bun", "node"] as const) {
    const pairs = pairsOn(runtime, options.cores.proxy);
    const count = options.quick ? QUICK_TOKENS : TOKENS;
    const keys = await keysOn(site, { runtime, core: options.cores.proxy, count });
    results.push({ runtime, keys, pairs });
    options.progress(`${runtime}: ${figure(keys)} keys, ${figure(pairs)} pairs of signatures`);
  }
  return reportIssuance(results);
}

export function reportIssuance(results: readonly IssuanceResult[]): Section {
  return {
    name: "issuance",
    title: "Keys in exchange for tokens",
    table: {
      columns: ["runtime", "keys issued / s of a core", "signed and verified / s", "ratio"],
      rows: results.map(({ runtime, keys, pairs }) => [
        `Sallyport on ${runtime}`,
        figure(keys),
        figure(pairs),
        `${figure(keys / pairs)} ×`,
      ]),
    },
    goals: results.map(({ runtime, keys, pairs }) => ({
      what: `sallyport-${runtime}: keys issued to what one core signs and verifies`,
      unit: " ×",
      measured: keys / pairs,
      bound: { atLeast: RATIO_GOAL },
    })),
    data: results,
  };
}

function pairsOn(runtime: Runtime, core: number | string): number {
  const command = ["-c", String(core), WITH_RUNTIME, runtime, SELF];
  const { status, stdout, stderr } = spawnSync("taskset", command, { encoding: "utf8" });
  if (status !== 0) throw new Error(`signatures on ${runtime}: ${stderr}`);
  return Number(stdout);
}

async function keysOn(
  site: Site,
  given: { readonly runtime: Runtime; readonly core: number | string; readonly count: number },
): Promise<number> {
  const { runtime, core, count } = given;
  const signer = createSigner("ES256");
  const { program, port } = await startIssuing(site, { runtime, core, jwks: keySet([signer]) });
  const requests = Array.from({ length: WARM_UP + count }, (_, index) =>
    requestOf(port, signToken(signer, claims(index))),
  );
  const load = { port, path: "", connections: CONNECTIONS, token: () => "" };
  const send = async (from: number, to: number): Promise<void> =>
    await sendTokens({
      ...load,
      count: to - from,
      request: (index) => requests[from + index] ?? "",
    });
  await send(0, WARM_UP);
  const before = groupUsage(program.pid);
  await send(WARM_UP, WARM_UP + count);
  const after = groupUsage(program.pid);
  await program.stop();
  return (count * 1000) / (after.cpuMs - before.cpuMs);
}

function requestOf(port: number, token: string): string {
  const body = new URLSearchParams({
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    audience: "billing",
    scope: "records:read",
    subject_token: token,
    subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
  }).toString();
  const basic = Buffer.from(`job:${SECRET}`).toString("base64");
  return [
    "POST /.sallyport/token HTTP/1.1",
    `host: 127.0.0.1:${port}`,
    `authorization: Basic ${basic}`,
    "content-type: application/x-www-form-urlencoded",
    `content-length: ${body.length}`,
    "",
    body,
  ].join("\r\n");
}

/** Proves the client without a signature: those of the table are of the token and of the key. */
const SECRET = randomBytes(24).toString("base64url");

const POLICIES = `@id("exchanges")
permit (
  principal is Sallyport::Workload,
  action == Sallyport::Action::"issueKey",
  resource == Sallyport::Service::"billing"
) when { context.grant == "token-exchange" && context.lifetime <= 300 };
`;

async function startIssuing(
  site: Site,
  given: { readonly runtime: Runtime; readonly core: number | string; readonly jwks: string },
): Promise<{ readonly program: Program; readonly port: number }> {
  const { runtime, core, jwks } = given;
  const [port = 0, adminPort = 0] = await freePorts(2);
  const name = `issuance-${runtime}`;
  const folder = site.path(name);
  mkdirSync(join(folder, "policies"), { recursive: true, mode: 0o700 });
  const secret = (file: string, text: string): void =>
    writeFileSync(join(folder, file), text, { mode: 0o600 });
  secret("jwks.json", jwks);
  secret("kek", randomBytes(32).toString("base64url"));
  secret("job", SECRET);
  secret("policies/keys.cedar", POLICIES);
  secret("sallyport.yaml", configOf(port, adminPort));
  const program = site.start(name, [PROGRAM, "run", "-c", join(folder, "sallyport.yaml")], {
    core,
    cwd: folder,
    env: { SALLYPORT_RUNTIME: runtime },
  });
  await until(`${name} is ready`, program, async () => {
    const { status } = await get({ port: adminPort, path: "/readyz" });
    return status === 200;
  });
  return { program, port };
}

function configOf(port: number, adminPort: number): string {
  const routes = [{ name: "billing", path: "/billing/*" }];
  const published = publishedConfig({ service: "http://127.0.0.1:9", routes });
  return `version: 1
listeners:
  - name: edge
    address: 127.0.0.1:${port}
    publicOrigin: https://keys.bench.example
    serve: [token]
admin: { address: 127.0.0.1:${adminPort} }
authority:
  issuer: https://keys.bench.example
  store: sqlite:sallyport.db
  keyEncryptionKey: { file: kek }
  tokens: { subjects: [corp] }
  clients: { job: { insecureSecret: "\${file:job}" } }
${published.replace("authenticators:\n", "authenticators:\n  keys: { type: sallyport }\n")}audit:
  path: audit
`;
}

/** One signature checked and one made, in a second of processor time, as the other figure is. */
function measurePairs(): number {
  const token = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = generateKeyPairSync("ed25519");
  const bytes = randomBytes(700);
  const dsaEncoding = "ieee-p1363" as const;
  const signature = sign("sha256", bytes, { key: token.privateKey, dsaEncoding });
  let best = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const started = process.cpuUsage();
    for (let index = 0; index < PAIRS; index++) {
      if (!verify("sha256", bytes, { key: token.publicKey, dsaEncoding }, signature)) {
        throw new Error("a signature that does not fit");
      }
      sign(null, bytes, key.privateKey);
    }
    const { user, system } = process.cpuUsage(started);
    best = Math.max(best, (PAIRS * 1_000_000) / (user + system));
  }
  return best;
}

if (process.argv[1] === SELF) process.stdout.write(String(measurePairs()));
