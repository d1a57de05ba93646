/**
 * A stage for faults: a rogue service behind the proxy as `sallyport run` starts it, with bounds so
 * short that what hangs is ended within seconds; and what the audit log says of each request.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo, connect, type Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import type { AuditRecord } from "../e2e/judge.ts";
import { startStage, type Stage } from "../e2e/stage.ts";
import { type RogueService, startRogueService } from "./rogue-service.ts";

/** Milliseconds, as the stage's configuration has them. */
export const BOUNDS = {
  connect: 1500,
  response: 2000,
  idle: 2500,
  total: 5000,
  head: 2500,
  body: 2500,
  /** What a tick of the deadlines, a second attempt and a busy machine may add. */
  slack: 20_000,
} as const;

const LIMITS = {
  /** Milliseconds for records to reach the disk. */
  records: 30_000,
  poll: 50,
} as const;

export interface FaultStage extends Stage {
  readonly rogue: RogueService;
  /** How each request whose path is among `paths` was decided and how it ended, once all have. */
  endings(paths: readonly string[]): Promise<ReadonlyMap<string, Ending>>;
}

export interface Ending {
  /** One `decision` each: `permit`, or the reason of a denial. */
  readonly decisions: readonly string[];
  readonly ends: readonly string[];
  readonly statuses: readonly number[];
}

export async function startFaultStage(
  extra: { config?: string; retries?: string } = {},
): Promise<FaultStage> {
  const rogue = await startRogueService();
  const closedPort = await portThatRefuses();
  const deaf = await startDeafService();
  const service = (address: string): string => `{ endpoints: ["http://${address}"],
      ${extra.retries === undefined ? "" : `retries: ${extra.retries},`}
      connections: 10000, connectTimeout: ${BOUNDS.connect}ms, keepAlive: 500ms }`;
  const route = (name: string): string => `
  - name: ${name}
    path: "/${name}/*"
    service: ${name}
    authenticate: [anonymous]
    timeout: ${BOUNDS.total}ms
    responseTimeout: ${BOUNDS.response}ms
    idleTimeout: ${BOUNDS.idle}ms
    limits: { bodyBytes: 1MiB }`;
  const stage = await startStage({
    ...(extra.config === undefined ? {} : { config: extra.config }),
    listener: `    limits: { headTimeout: ${BOUNDS.head}ms, bodyTimeout: ${BOUNDS.body}ms, idleTimeout: 5s }`,
    services: `  fault: ${service(rogue.address)}
  refusing: ${service(`127.0.0.1:${closedPort}`)}
  deaf: ${service(deaf.address)}`,
    routes: ["fault", "refusing", "deaf"].map(route).join(""),
  });
  return {
    ...stage,
    rogue,
    endings: (paths) => endings(stage, paths),
    close: async () => {
      await stage.close();
      await rogue.close();
      await deaf.close();
    },
  };
}

async function endings(
  stage: Stage,
  paths: readonly string[],
): Promise<ReadonlyMap<string, Ending>> {
  const deadline = performance.now() + LIMITS.records;
  for (;;) {
    const found = joined(stage.records());
    const whole = paths.every((path) => {
      const ending = found.get(path);
      return ending !== undefined && ending.ends.length >= ending.decisions.length;
    });
    if (whole || performance.now() > deadline) return found;
    await wait(LIMITS.poll);
  }
}

function joined(records: readonly AuditRecord[]): Map<string, Ending> {
  const completions = new Map<unknown, AuditRecord[]>();
  for (const record of records) {
    if (record["type"] !== "completion") continue;
    completions.set(record["decisionId"], [
      ...(completions.get(record["decisionId"]) ?? []),
      record,
    ]);
  }
  const found = new Map<string, Ending>();
  for (const record of records) {
    if (record["type"] !== "decision" || typeof record["path"] !== "string") continue;
    const before = found.get(record["path"]);
    const ended = completions.get(record["decisionId"]) ?? [];
    const decision = record["decision"] === "permit" ? "permit" : String(record["reason"]);
    found.set(record["path"], {
      decisions: [...(before?.decisions ?? []), decision],
      ends: [...(before?.ends ?? []), ...ended.map(({ end }) => String(end))],
      statuses: [...(before?.statuses ?? []), ...ended.map(({ status }) => Number(status))],
    });
  }
  return found;
}

/** A port on which nothing listens: one that was just given back. */
async function portThatRefuses(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/**
 * A service that does not even take connections: a process that listens, and is stopped. Its queue
 * is filled, so the system drops further attempts to connect and they hang.
 */
async function startDeafService(): Promise<{ address: string; close: () => Promise<void> }> {
  const source = `const server = require("node:net").createServer();
    server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ["-e", source], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const port = Number(line.toString());
  child.kill("SIGSTOP");
  const fillers: Socket[] = [];
  for (let index = 0; index < 8; index += 1) {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("error", () => undefined);
    fillers.push(socket);
    // The first few are taken by the queue; once one is not, it is full.
    if (!(await connected(socket))) break;
  }
  return {
    address: `127.0.0.1:${port}`,
    close: async () => {
      for (const socket of fillers) socket.destroy();
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}

async function connected(socket: Socket): Promise<boolean> {
  const outcome = await Promise.race([once(socket, "connect"), wait(500, undefined)]);
  return outcome !== undefined;
}
