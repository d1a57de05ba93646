/**
 * A stage of SPIFFE workloads: an agent, a service and callers with SVIDs, and the proxy between them
 * as `sallyport run` starts it, with nothing but the agent's socket to know itself and others by.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  connect,
  createServer as createTlsServer,
  type SecureContextOptions,
  type Server,
  type TLSSocket,
} from "node:tls";
import { fileURLToPath } from "node:url";
import { type IssuedSvid, TestAgent, TestTrustDomain } from "../workload-api.ts";

const LIMITS = {
  /** Milliseconds for what must happen, on a slow and busy machine. */
  wait: 60_000,
  poll: 20,
} as const;

const SALLYPORT = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));

export interface WorkloadStageOptions {
  /** Whether the agent serves when the proxy starts; true when left out. */
  readonly agent?: boolean;
  /** `tls` of the service, in YAML. */
  readonly serviceTls?: string;
  /** `workloadApi`, in YAML. */
  readonly workloadApi?: string;
  /** YAML at top level. */
  readonly config?: string;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export class WorkloadStage {
  readonly folder = mkdtempSync(join(tmpdir(), "sallyport-workload-"));
  readonly domain = new TestTrustDomain("example.org");
  readonly agent = new TestAgent(`unix:${this.folder}/agent.sock`);
  /** SPIFFE IDs of who called the service, one for each request. */
  readonly seen: string[] = [];
  /** Connections that the service accepted. */
  serviceConnections = 0;
  /** What callers show. */
  caller: IssuedSvid = this.domain.issue("/caller");
  /** Every authority that there ever was: whom callers and the service trust is not what is tried. */
  readonly #trusted: string[] = [];
  readonly #service: Server;
  readonly #own: IssuedSvid;
  readonly #open = new Set<TLSSocket>();
  #child: ChildProcess | undefined;
  #log = "";
  #addresses: { readonly mesh: string; readonly admin: string } | undefined;

  constructor(servicePath = "/billing") {
    this.#own = this.domain.issue(servicePath, { notAfterMs: Date.now() + 7_200_000 });
    this.#trusted.push(this.domain.bundlePem);
    this.#service = createTlsServer({
      ...this.#serving(),
      requestCert: true,
      rejectUnauthorized: true,
    });
    this.#service.on("secureConnection", (socket: TLSSocket) => this.#served(socket));
  }

  #serving(): SecureContextOptions {
    const { certificatePem, keyPem } = this.#own;
    return { cert: certificatePem, key: keyPem, ca: this.#trusted };
  }

  /** HTTP/1.1 as far as requests without a body need it: Bun's own server does not show its caller. */
  #served(socket: TLSSocket): void {
    this.serviceConnections += 1;
    this.#open.add(socket);
    socket.once("close", () => this.#open.delete(socket));
    socket.on("error", () => socket.destroy());
    const { subjectAltName = "" } = socket.getPeerX509Certificate() ?? {};
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        text = text.slice(end + 4);
        this.seen.push(subjectAltName.replace("URI:", ""));
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nbilled");
      }
    });
  }

  get log(): string {
    return this.#log;
  }

  async start({
    agent = true,
    serviceTls = "{ identity: workload-api, serverId: spiffe://example.org/billing }",
    workloadApi = "{ address: unix:agent.sock }",
    config = "",
  }: WorkloadStageOptions = {}): Promise<this> {
    this.serve();
    if (agent) await this.agent.start();
    this.#service.listen(0, "127.0.0.1");
    await once(this.#service, "listening");
    const { port } = this.#service.address() as AddressInfo;
    mkdirSync(join(this.folder, "policies"));
    writeFileSync(
      join(this.folder, "policies", "all.cedar"),
      '@id("all") permit (principal, action, resource);',
    );
    const written = `version: 1
listeners:
  - name: mesh
    address: 127.0.0.1:0
    tls: { identity: workload-api, clients: { mode: required, authenticators: [mesh] } }
admin: { address: "127.0.0.1:0" }
workloadApi: ${workloadApi}
authenticators:
  mesh: { type: mtls, trustDomain: example.org, bundle: workload-api }
  tokens: { type: jwt-svid, trustDomain: example.org, bundle: workload-api, audience: [billing] }
services:
  billing: { endpoints: ["https://127.0.0.1:${port}"], tls: ${serviceTls} }
routes:
  - { name: tokens, path: "/tokens/*", service: billing, authenticate: [tokens] }
  - { name: all, path: "/*", service: billing, authenticate: [mesh] }
policies: { enforce: [policies] }
audit: { path: audit }
${config}
`;
    writeFileSync(join(this.folder, "sallyport.yaml"), written, { mode: 0o600 });
    await this.#run();
    return this;
  }

  /** Hands a fresh SVID out, and the bundle. */
  serve(options: { readonly notAfterMs?: number; readonly path?: string } = {}): IssuedSvid {
    const { path = "/proxy", ...rest } = options;
    this.#trusted.push(this.domain.bundlePem);
    this.#service.setSecureContext(this.#serving());
    const issued = this.domain.issue(path, rest);
    this.agent.serve([issued]);
    this.agent.serveBundles([this.domain]);
    this.agent.serveJwtBundles(new Map([[this.domain.id, this.domain.jwtBundle]]));
    return issued;
  }

  /** A connection that stays open, for requests one after the other; the text of each answer. */
  async connect(): Promise<{ readonly ask: () => Promise<string>; readonly end: () => void }> {
    const [host = "", port = ""] = this.addresses.mesh.split(":");
    const { certificatePem: cert, keyPem: key } = this.caller;
    const ca = this.#trusted;
    const options = { host, port: Number(port), cert, key, ca };
    const socket = connect({ ...options, checkServerIdentity: () => undefined });
    await once(socket, "secureConnect");
    return {
      async ask() {
        socket.write("POST /kept HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
        let text = "";
        while (!text.endsWith("billed") && !/^HTTP\/1\.1 [45][^]*\r\n\r\n/.test(text)) {
          const ended = once(socket, "close").then(() => {
            throw new Error(`ended: ${text}`);
          });
          const [chunk] = (await Promise.race([once(socket, "data"), ended])) as [Buffer];
          text += chunk.toString();
        }
        return text;
      },
      end: () => void socket.destroy(),
    };
  }

  /** One request as a caller with an SVID, over a connection of its own. */
  async ask(
    target = "/x",
    {
      method = "GET",
      token,
    }: { readonly method?: string; readonly token?: string | undefined } = {},
  ): Promise<Answer & { readonly shown: string }> {
    const [host = "", port = ""] = this.addresses.mesh.split(":");
    return await new Promise((resolve, reject) => {
      const sent = httpsRequest({
        host,
        port,
        path: target,
        method,
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        cert: this.caller.certificatePem,
        key: this.caller.keyPem,
        ca: this.#trusted,
        checkServerIdentity: () => undefined,
        agent: false,
      });
      sent.once("error", reject);
      sent.once("response", (response) => {
        const shown = (response.socket as TLSSocket).getPeerX509Certificate()?.serialNumber ?? "";
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.once("error", reject);
        response.once("end", () => resolve({ status: response.statusCode ?? 0, body, shown }));
      });
      sent.end();
    });
  }

  async ready(): Promise<Answer> {
    const response = await fetch(`http://${this.addresses.admin}/readyz`);
    return { status: response.status, body: await response.text() };
  }

  async metrics(): Promise<string> {
    return await (await fetch(`http://${this.addresses.admin}/metrics`)).text();
  }

  get addresses(): { readonly mesh: string; readonly admin: string } {
    if (this.#addresses === undefined) throw new TypeError("not started");
    return this.#addresses;
  }

  /** Waits until it holds; only a failing test waits long. */
  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + LIMITS.wait;
    while (!(await holds())) {
      if (performance.now() > deadline) throw new Error(`not ${what}: ${this.#log}`);
      await new Promise((resolve) => {
        setTimeout(resolve, LIMITS.poll);
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    }
    this.agent.stop();
    for (const socket of this.#open) socket.destroy();
    this.#service.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #run(): Promise<void> {
    const child = spawn(SALLYPORT, ["run", "-c", "sallyport.yaml"], {
      cwd: this.folder,
      env: {
        ...process.env,
        SALLYPORT_RUNTIME: process.versions["bun"] === undefined ? "node" : "bun",
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    // The runner may end this process before its last hooks are through.
    process.once("exit", () => child.kill("SIGKILL"));
    const take = (chunk: Buffer): void => void (this.#log += chunk.toString());
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    await this.until("started", () => {
      if (child.exitCode !== null) throw new Error(`it ended: ${this.#log}`);
      const mesh = /\bmesh\b.*?(127\.0\.0\.1:[1-9]\d*)/.exec(this.#log)?.[1];
      const admin = /\badmin\b.*?(127\.0\.0\.1:[1-9]\d*)/.exec(this.#log)?.[1];
      if (mesh === undefined || admin === undefined) return false;
      this.#addresses = { mesh, admin };
      return true;
    });
  }
}
