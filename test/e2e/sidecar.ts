/**
 * A sidecar as `sallyport run` starts it, between a caller and a service, with a token endpoint that does as the
 * test says. The service and the endpoint are plain servers of the runtime and remember what they were sent.
 */
import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as requestHttp,
  type Server,
  type ServerResponse,
} from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { until } from "./stage.ts";

const SALLYPORT = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));
const RUNTIME = process.versions["bun"] === undefined ? "node" : "bun";

export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export type Respond = (response: ServerResponse, received: Received) => void;

/** A server that keeps what it got; `respond` may be changed. */
export interface KeepingServer {
  readonly server: Server;
  readonly origin: string;
  readonly received: Received[];
  respond: Respond;
}

/** Ends with the test. */
export async function startServer(
  t: Pick<TestContext, "after">,
  respond: Respond,
  port = 0,
): Promise<KeepingServer> {
  const server = createServer((request, response) => {
    void take(request, response);
  });
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await read(request);
    const { method = "", url = "", headers } = request;
    const one = { method, url, headers, body };
    kept.received.push(one);
    kept.respond(response, one);
  };
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  t.after(() => closeServer(server));
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("no address");
  const kept: KeepingServer = {
    server,
    origin: `http://127.0.0.1:${address.port}`,
    received: [],
    respond,
  };
  return kept;
}

export async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

export function json(response: ServerResponse, status: number, body: object, fields = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...fields });
  response.end(JSON.stringify(body));
}

/** Answers with keys that are numbered in the order in which they were asked for. */
export function numberedKeys(type: string, seconds = 300): Respond {
  let number = 0;
  return (response) => {
    number += 1;
    json(response, 200, { access_token: `key-${number}`, token_type: type, expires_in: seconds });
  };
}

export interface Sidecar {
  /** `host:port` of the listener `out`. */
  readonly out: string;
  readonly admin: string;
  readonly folder: string;
  readonly log: () => string;
  readonly records: () => readonly Readonly<Record<string, unknown>>[];
  /** The first that fits, once it is there. */
  readonly found: (
    matches: (record: Readonly<Record<string, unknown>>) => boolean,
  ) => Promise<Readonly<Record<string, unknown>>>;
  readonly metric: (sample: string) => Promise<number>;
}

export interface SidecarOptions {
  readonly tokenEndpoint: string;
  /** YAML of the services, indented by four spaces. */
  readonly allow: string;
  /** YAML of listeners beside `out`, indented by four spaces. */
  readonly listeners?: string;
  /** YAML at top level. */
  readonly config?: string;
}

/** Ends with the test. */
export async function startSidecar(
  t: Pick<TestContext, "after">,
  options: SidecarOptions,
): Promise<Sidecar> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-sidecar-"));
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  writeFileSync(join(folder, "client.pem"), pem, { mode: 0o600 });
  writeFileSync(join(folder, "sallyport.yaml"), configOf(options));
  const child = spawn(SALLYPORT, ["run"], {
    cwd: folder,
    env: { ...process.env, SALLYPORT_RUNTIME: RUNTIME },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  let text = "";
  const take = (chunk: Buffer): void => {
    text += chunk.toString();
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  t.after(async () => {
    child.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  const at = (name: string): string | undefined =>
    new RegExp(`^listening {2}${name} {2}http://(\\S+)$`, "m").exec(text)?.[1];
  await Promise.race([
    until(() => at("admin") !== undefined),
    ended.then(() => {
      throw new Error(`it ended: ${text}`);
    }),
  ]);
  const records = (): Readonly<Record<string, unknown>>[] =>
    readdirSync(join(folder, "audit"))
      .filter((name) => name.endsWith(".jsonl"))
      .toSorted()
      .flatMap((name) =>
        readFileSync(join(folder, "audit", name), "utf8")
          .split("\n")
          .slice(0, -1),
      )
      .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  const admin = at("admin") ?? "";
  return {
    out: at("out") ?? "",
    admin,
    folder,
    log: () => text,
    records,
    async found(matches) {
      await until(() => records().some(matches));
      return records().find(matches) ?? {};
    },
    async metric(sample) {
      const body = await (await fetch(`http://${admin}/metrics`)).text();
      const line = body.split("\n").find((one) => one.startsWith(`${sample} `));
      return Number(line?.slice(sample.length + 1) ?? 0);
    },
  };
}

function configOf({ tokenEndpoint, allow, listeners = "", config = "" }: SidecarOptions): string {
  return `version: 1
admin: { address: "127.0.0.1:0" }
egress:
  authority: { tokenEndpoint: "${tokenEndpoint}" }
  identity: { clientId: orders, privateKey: client.pem }
  listeners:
    - { name: out, address: "127.0.0.1:0" }
${listeners}
  allow:
${allow}
audit: { path: audit }
${config}
`;
}

export interface Asked {
  readonly path?: string;
  readonly method?: string;
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly socketPath?: string;
  /** Whether the field is sent that the sidecar asks for; true when left out. */
  readonly marked?: boolean;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Asks for `billing.internal` as a caller without any security code does. */
export async function ask(out: string, asked: Asked = {}): Promise<Answered> {
  const {
    path = "/",
    method = "GET",
    host = "billing.internal",
    headers,
    body,
    socketPath,
  } = asked;
  const [name = "", port] = out.split(":");
  const marked = asked.marked === false ? {} : { "sallyport-egress": "1" };
  const place = socketPath === undefined ? { host: name, port: Number(port) } : { socketPath };
  return await new Promise((resolve, reject) => {
    const sent = requestHttp(
      { ...place, path, method, headers: { host, ...marked, ...headers }, agent: false },
      (response) => {
        void read(response).then((text) =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
        );
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

async function read(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
