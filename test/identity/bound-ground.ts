/**
 * A proxy as `sallyport run` starts it, whose callers hold tokens that are bound to them, and a way to
 * ask it something over each protocol. Routes: `/bound/*` takes tokens, `/strict/*` only bound ones,
 * `/report/*` says who would fail there.
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until, workerPids } from "../e2e/life.ts";
import { openCaller, type Protocol } from "../e2e/protocols.ts";
import { startRecordingService } from "../e2e/recording-service.ts";
import { readResponses, type StrictResponse, valuesOf } from "../e2e/strict-http1.ts";
import { AUDIENCE, ISSUER, type TestIssuer } from "../e2e/test-issuer.ts";
import type { Scope } from "../shared.ts";
import { type DpopClient, dpopClient, type ProofOptions } from "./dpop-client.ts";

export const ORIGIN = "https://api.example";

const SALLYPORT = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));
const RUNTIME = process.versions["bun"] === undefined ? "node" : "bun";

export interface GroundOptions {
  readonly issuer: TestIssuer;
  /** YAML at top level. */
  readonly config?: string;
  /** YAML lines of the listener, indented by four spaces. */
  readonly listener?: string;
  readonly publicOrigin?: boolean;
  /** Adds to the folder before the proxy starts in it. */
  readonly prepare?: (folder: string) => void;
}

export interface Asked {
  readonly over?: Protocol;
  readonly method?: string;
  readonly target?: string;
  readonly scheme?: string;
  readonly token?: string;
  readonly proof?: string;
  readonly fields?: readonly string[];
}

export interface BoundGround {
  readonly edge: string;
  readonly admin: string;
  readonly pid: number;
  readonly folder: string;
  /** Standard output and error until now. */
  readonly log: () => string;
  /** What reached the service, since it was last asked for. */
  readonly arrived: () => string;
  ask(asked: Asked): Promise<StrictResponse>;
  records(): readonly Readonly<Record<string, unknown>>[];
  /** How many workers have written records. */
  writers(): number;
  metric(sample: string): Promise<number>;
  signal(signal: NodeJS.Signals): void;
  readonly ended: Promise<void>;
}

/** Ends with the test, or with what else the scope is. */
export async function startGround(t: Scope, options: GroundOptions): Promise<BoundGround> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-bound-"));
  const service = await startRecordingService();
  writeGround(folder, service.address, options);
  options.prepare?.(folder);
  const child = spawn(SALLYPORT, ["run"], {
    cwd: folder,
    env: { ...process.env, SALLYPORT_RUNTIME: RUNTIME },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  const take = (chunk: Buffer): void => {
    text += chunk.toString();
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  let over = false;
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => {
      over = true;
      resolve();
    });
  });
  t.after(async () => {
    if (!over) child.kill("SIGTERM");
    await ended;
    // Workers outlive a supervisor that was killed.
    for (const pid of workerPids(text)) endIfThere(pid);
    await service.close();
    rmSync(folder, { recursive: true, force: true });
  });
  await until("the start", () => over || /^listening\s+admin\s.*\n/m.test(text));
  if (over) throw new Error(`it did not start: ${text}`);
  const addressOf = (name: string): string =>
    new RegExp(`^listening\\s+${name}\\s+https?://(\\S+)`, "m").exec(text)?.[1] ?? "";
  const [edge, admin] = [addressOf("edge"), addressOf("admin")];
  return {
    edge,
    admin,
    pid: child.pid ?? 0,
    folder,
    log: () => text,
    arrived() {
      const all = service.connections.map((one) => one.text).join("");
      service.forget();
      return all;
    },
    ask: (asked) => ask(edge, asked),
    records: () =>
      readdirSync(join(folder, "audit"))
        .filter((name) => name.endsWith(".jsonl"))
        .flatMap((name) => readFileSync(join(folder, "audit", name), "utf8").split("\n"))
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    writers: () => {
      const files = readdirSync(join(folder, "audit"));
      return new Set(files.flatMap((name) => /-(\d+-w\d+)\.jsonl$/.exec(name)?.[1] ?? [])).size;
    },
    async metric(sample) {
      const headers = { connection: "close" };
      const answer = await fetch(`http://${admin}/metrics`, { headers });
      const lines = (await answer.text()).split("\n");
      const line = lines.find((one) => one.startsWith(`${sample} `));
      return Number(line?.slice(sample.length + 1) ?? 0);
    },
    signal: (signal) => void child.kill(signal),
    ended,
  };
}

function endIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended in order.
  }
}

function writeGround(folder: string, service: string, options: GroundOptions): void {
  const { issuer, config = "", listener = "", publicOrigin = true } = options;
  mkdirSync(join(folder, "policies"));
  writeFileSync(join(folder, "jwks.json"), JSON.stringify(issuer.jwks));
  writeFileSync(
    join(folder, "policies", "all.cedar"),
    '@id("known") permit (principal is Sallyport::Workload, action, resource);',
  );
  const text = `version: 1
listeners:
  - name: edge
    address: 127.0.0.1:0
${publicOrigin ? `    publicOrigin: ${ORIGIN}` : ""}
${listener}
admin: { address: "127.0.0.1:0" }
authenticators:
  test:
    type: jwt
    issuer: ${ISSUER}
    jwks: file:jwks.json
    audience: [${AUDIENCE}]
    algorithms: [ES256]
    principal: { kind: workload, subject: sub }
services: { recorder: { endpoints: ["http://${service}"] } }
routes:
  - { name: bound, path: "/bound/*", service: recorder, authenticate: [test] }
  - { name: strict, path: "/strict/*", service: recorder, authenticate: [test], confirmation: required }
  - { name: report, path: "/report/*", service: recorder, authenticate: [test], confirmation: report }
  - { name: kept, path: "/kept/*", service: recorder, authenticate: [test], credentials: forward }
policies: { enforce: [policies] }
audit: { path: audit, unidentified: { perSecond: 100000, burst: 1000000 } }
${config}
`;
  writeFileSync(join(folder, "sallyport.yaml"), text, { mode: 0o600 });
}

/** One request over a connection of its own. */
async function ask(address: string, asked: Asked): Promise<StrictResponse> {
  const { over = "http/1.1", method = "GET", target = "/bound/x", scheme = "DPoP" } = asked;
  const connection = await openCaller(address, { over });
  const fields = [
    ...(asked.token === undefined ? [] : [`Authorization: ${scheme} ${asked.token}`]),
    ...(asked.proof === undefined ? [] : [`DPoP: ${asked.proof}`]),
    ...(asked.fields ?? []),
  ];
  const lines = [`${method} ${target} HTTP/1.1`, "Host: api.example", ...fields];
  connection.write([...lines, "Connection: close", "", ""].join("\r\n"));
  await connection.until(() => connection.closed);
  connection.destroy();
  const [answer] = readResponses(connection.text, [method], connection.closed).messages;
  if (answer === undefined) throw new Error(`no answer: ${connection.text}`);
  return answer;
}

/** A client with a key and a token that is bound to it. */
export function boundCaller(issuer: TestIssuer, client: DpopClient = dpopClient()) {
  const token = issuer.token({ cnf: { jkt: client.thumbprint } });
  return {
    token,
    client,
    /** For `/bound/x` where nothing else is said. */
    proof: (rest: Partial<ProofOptions> = {}): string =>
      client.proof({ method: "GET", url: `${ORIGIN}/bound/x`, token, ...rest }),
  };
}

/** Status and reason of an answer. */
export function said(answer: StrictResponse): string {
  if (answer.status === 200) return "200";
  const { reason } = JSON.parse(answer.body) as { reason: string };
  return `${answer.status} ${reason}`;
}

export function challengesOf(answer: StrictResponse): readonly string[] {
  return valuesOf(answer, "www-authenticate");
}

export function nonceOf(answer: StrictResponse): string | undefined {
  return valuesOf(answer, "dpop-nonce")[0];
}
