/**
 * A stage for attacks: the recording service, the proxy before it as `sallyport run` starts it, and
 * a way to send bytes and gather all the evidence about what they did.
 *
 * On it, `/guarded/*` wants a token and the role Admin; everything else is open to anybody, save
 * what begins with `/secret`, which nobody may reach.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRoot } from "../certificates.ts";
import { startHttp2RecordingService } from "../http2/recording-service.ts";
import { AuditTail } from "./audit-tail.ts";
import type { AuditRecord, Evidence } from "./judge.ts";
import { openCaller, type Protocol } from "./protocols.ts";
import { RawConnection } from "./raw-connection.ts";
import { startRecordingService, type RecordingService } from "./recording-service.ts";
import { readCallersRequests, readRequests, readResponses, valuesOf } from "./strict-http1.ts";
import { AUDIENCE, createTestIssuer, ISSUER, type TestIssuer } from "./test-issuer.ts";

const LIMITS = {
  /** Milliseconds from start to ready, on a slow and busy machine. */
  start: 60_000,
  /** Milliseconds for an answer before the caller says that nothing more will come. */
  answer: 3000,
  /** Milliseconds between looks at the log while a completion is on its way to it. */
  poll: 5,
} as const;

export interface StageOptions {
  /** YAML of `routes:` to put before the stage's own, each line indented by two spaces. */
  readonly routes?: string;
  /** Cedar text beside the stage's own. */
  readonly policies?: string;
  /** YAML of a data file of the policies. */
  readonly data?: string;
  /** Cedar text of a candidate set beside those in force. */
  readonly shadow?: string;
  /** YAML lines of `audit:` beside the stage's own, indented by two spaces. */
  readonly audit?: string;
  /** YAML at top level. */
  readonly config?: string;
  /** Where the admin API answers the command line, in the stage's folder. */
  readonly adminSocket?: string;
  /** YAML lines of the listener, indented by four spaces. */
  readonly listener?: string;
  /** Whether callers come over TLS, after a reload too; false when left out. */
  readonly tls?: boolean;
  /** Which protocol the recording service speaks; HTTP/1.1 when left out. */
  readonly upstream?: Protocol;
  /** Whether everything else is open to anybody; true when left out. */
  readonly catchAll?: boolean;
  /** Adds to the stage's folder before the proxy starts in it. */
  readonly prepare?: (folder: string) => void;
  /** YAML of `authenticators:` and of `services:` beside the stage's own, indented by two spaces. */
  readonly authenticators?: string;
  readonly services?: string;
  /** Secret files beside the configuration, by name. */
  readonly secrets?: Readonly<Record<string, string>>;
}

export interface Stage {
  readonly issuer: TestIssuer;
  readonly service: RecordingService;
  /** `host:port` of the proxy and of its operators' listener. */
  readonly proxy: string;
  readonly admin: string;
  /** Of the proxy's process. */
  readonly pid: number;
  /** Where the proxy runs: its configuration, its policies, its audit log. */
  readonly folder: string;
  /** All that the proxy has written to its standard output and error. */
  readonly log: () => string;
  /** Every record until now. */
  records(): readonly AuditRecord[];
  /** The first that fits, once it is there: records are written in batches, a moment after the answer. */
  found(matches: (record: AuditRecord) => boolean): Promise<AuditRecord>;
  /** The same as it lies on the disk. */
  auditText(): string;
  /** Puts another configuration in force: what is given stands in for what the stage began with. */
  reload(options: StageOptions): Promise<void>;
  /** Sends bytes over a connection of their own, then what should get its own answer, and waits. */
  attack(bytes: string, options?: AttackOptions): Promise<Evidence>;
  close(): Promise<void>;
}

export interface AttackOptions {
  /** Values in fields in which a caller must not speak. */
  readonly spoofed?: readonly string[];
  /** Ends the caller's side right after the bytes: they are known to stop within a message. */
  readonly cutOff?: boolean;
  /** By which protocol the caller's bytes go out; HTTP/1.1 when left out. */
  readonly over?: Protocol;
  /** Sends nothing behind the bytes and does not end either: the proxy has to. */
  readonly unfinished?: boolean;
}

const sallyport = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));

export async function startStage(options: StageOptions = {}): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-stage-"));
  const issuer = createTestIssuer();
  const { tls = false, upstream = "http/1.1" } = options;
  const service =
    upstream === "h2" ? await startHttp2RecordingService() : await startRecordingService();
  if (tls) writeCertificate(folder);
  writeFolder(folder, { issuer, service, options });
  options.prepare?.(folder);
  const { child, log, addresses } = await startProxy(folder);
  const close = async (): Promise<void> => {
    const ended = new Promise((resolve) => {
      child.once("exit", resolve);
    });
    child.kill("SIGTERM");
    await ended;
    await service.close();
    rmSync(folder, { recursive: true, force: true });
  };
  const audit = new AuditTail(join(folder, "audit"));
  const records = (): readonly AuditRecord[] => audit.records();
  return {
    issuer,
    service,
    proxy: addresses.edge,
    admin: addresses.admin,
    pid: child.pid ?? 0,
    folder,
    log,
    records,
    async found(matches) {
      await until(() => records().some(matches));
      return records().find(matches) ?? {};
    },
    async reload(next) {
      writeFolder(folder, { issuer, service, options: { ...next, tls, upstream } });
      const before = log().length;
      child.kill("SIGHUP");
      await until(() => /reloaded: .*in force/.test(log().slice(before)));
      if (log().includes("not reloaded", before)) throw new Error(log().slice(before));
    },
    auditText: () => readAudit(join(folder, "audit")),
    attack: (bytes, attackOptions = {}) =>
      attack({ proxy: addresses.edge, tls, service, records }, bytes, attackOptions),
    close,
  };
}

/** The bytes of a request as an honest caller writes it. */
export function requestBytes(target: string, fields: readonly string[] = []): string {
  return [`GET ${target} HTTP/1.1`, "Host: api.example", ...fields, "", ""].join("\r\n");
}

function writeCertificate(folder: string): void {
  const certificate = createRoot("root").issue({ name: "edge", dns: ["api.example"] });
  writeFileSync(join(folder, "edge.pem"), certificate.chainPem);
  writeFileSync(join(folder, "edge.key"), certificate.keyPem, { mode: 0o600 });
}

function writeFolder(
  folder: string,
  given: {
    readonly issuer: TestIssuer;
    readonly service: RecordingService;
    readonly options: StageOptions;
  },
): void {
  const { issuer, service, options } = given;
  mkdirSync(join(folder, "policies"), { recursive: true });
  writeFileSync(join(folder, "jwks.json"), JSON.stringify(issuer.jwks), { mode: 0o600 });
  writeFileSync(join(folder, "policies", "stage.cedar"), POLICIES + (options.policies ?? ""));
  if (options.shadow !== undefined) {
    mkdirSync(join(folder, "shadow"), { recursive: true });
    writeFileSync(join(folder, "shadow", "candidate.cedar"), options.shadow);
  }
  if (options.data !== undefined) {
    mkdirSync(join(folder, "data"), { recursive: true });
    writeFileSync(join(folder, "data", "stage.yaml"), options.data);
  }
  for (const [name, text] of Object.entries(options.secrets ?? {})) {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
  }
  const config = `version: 1
listeners:
  - name: edge
    address: 127.0.0.1:0
    publicOrigin: https://api.example
${options.tls === true ? "    tls: { certificate: edge.pem, key: edge.key }" : ""}
${options.listener ?? ""}
admin: { address: "127.0.0.1:0"${options.adminSocket === undefined ? "" : `, socket: ${options.adminSocket}`} }
authenticators:
  test:
    type: jwt
    issuer: ${ISSUER}
    jwks: file:jwks.json
    audience: [${AUDIENCE}]
    algorithms: [ES256]
    principal:
      kind: workload
      subject: sub
      roles: { claim: roles, allow: [Admin] }
${options.authenticators ?? ""}
services:
  recorder: { endpoints: ["${options.upstream === "h2" ? "h2c" : "http"}://${service.address}"] }
${options.services ?? ""}
routes:
${options.routes ?? ""}
  - { name: guarded, path: "/guarded/*", service: recorder, authenticate: [test] }
${options.catchAll === false ? "" : CATCH_ALL}
policies: { enforce: [policies]${options.shadow === undefined ? "" : ", shadow: [shadow]"}${options.data === undefined ? "" : ", entities: [data]"} }
audit:
  path: audit
  durability: strict
  # Every denial counts as evidence here, however fast strangers are denied.
  unidentified: { perSecond: 100000, burst: 1000000 }
${options.audit ?? ""}
${options.config ?? ""}
`;
  writeFileSync(join(folder, "sallyport.yaml"), config, { mode: 0o600 });
}

const CATCH_ALL = `  - { name: root, path: "/", service: recorder, authenticate: [anonymous] }
  - { name: open, path: "/*", service: recorder, authenticate: [anonymous] }`;

const POLICIES = `
@id("admins")
permit (
  principal is Sallyport::Workload in Sallyport::Role::"Admin",
  action,
  resource == Sallyport::Route::"guarded"
);

@id("anybody")
permit (principal is Sallyport::Anonymous, action, resource)
unless { context.path like "/secret*" };
`;

async function startProxy(folder: string): Promise<{
  readonly child: ChildProcess;
  readonly log: () => string;
  readonly addresses: { readonly edge: string; readonly admin: string };
}> {
  const child = spawn(sallyport, ["run", "-c", "sallyport.yaml"], {
    cwd: folder,
    env: {
      ...process.env,
      SALLYPORT_RUNTIME: process.versions["bun"] === undefined ? "node" : "bun",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // The runner may end this process before its last hooks are through.
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
  let text = "";
  const ready = Promise.withResolvers<{ edge: string; admin: string }>();
  const take = (chunk: Buffer): void => {
    text += chunk.toString();
    const edge = /\bedge\b.*?(127\.0\.0\.1:[1-9]\d*)/.exec(text)?.[1];
    const admin = /\badmin\b.*?(127\.0\.0\.1:[1-9]\d*)/.exec(text)?.[1];
    if (edge !== undefined && admin !== undefined) ready.resolve({ edge, admin });
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  child.once("exit", (code) => ready.reject(new Error(`exit code ${code ?? "none"}: ${text}`)));
  const timer = setTimeout(() => ready.reject(new Error(`not ready: ${text}`)), LIMITS.start);
  try {
    return { child, log: () => text, addresses: await ready.promise };
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for what must happen; only a failing test waits long. */
export async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + LIMITS.start;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error("what was waited for did not happen");
    await new Promise((resolve) => {
      setTimeout(resolve, LIMITS.poll);
    });
  }
}

function readAudit(folder: string): string {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".jsonl"))
    .toSorted()
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("");
}

let sentinels = 0;

/** What judging needs of a stage. */
export interface Ground {
  readonly proxy: string;
  readonly tls: boolean;
  readonly service: RecordingService;
  readonly records: () => readonly AuditRecord[];
}

async function attack(stage: Ground, bytes: string, options: AttackOptions): Promise<Evidence> {
  const { proxy, tls, service, records } = stage;
  service.forget();
  const before = records().length;
  const sent = readCallersRequests(bytes);
  const methods = sent.messages.map(({ method }) => method);
  const { over = "http/1.1" } = options;
  // What is not whole may be answered too, with a refusal; and over HTTP/2 what is no request is
  // refused on its stream, while the connection goes on.
  if (sent.end === "incomplete" || (sent.end === "invalid" && over === "h2")) methods.push("GET");
  const connection = await openCaller(proxy, { over, tls });
  connection.write(bytes);
  if (options.cutOff === true) {
    connection.end();
  } else if (options.unfinished !== true) {
    // A good request right behind: it gets its own answer or none, never somebody else's.
    sentinels += 1;
    connection.write(requestBytes(`/sentinel-${sentinels}`, ["Connection: close"]));
    methods.push("GET");
  }
  if (!(await connection.until(() => connection.closed, LIMITS.answer))) connection.end();
  await connection.until(() => connection.closed);
  connection.destroy();
  const named = readResponses(connection.text, methods, connection.closed).messages.flatMap(
    (answer) => valuesOf(answer, "sallyport-decision"),
  );
  const arrived = service.connections.map(({ text }) => text).filter((text) => text !== "");
  const good = await goodRequest(stage);
  const since = await settle(records, before, { named, good });
  return {
    methods,
    answer: connection.text,
    closed: connection.closed,
    arrived,
    decisions: since.filter(({ type }) => type === "decision"),
    completions: since.filter(({ type }) => type === "completion"),
    spoofed: options.spoofed ?? [],
  };
}

/**
 * What was recorded since `before`, once each decision in `named` is in the log, and each permit has
 * its completion. With the decision of the good request behind all, every one before it is there too,
 * those included that no answer named. Its own completion comes a batch later and is nobody's
 * evidence: it is not waited for.
 */
export async function settle(
  records: () => readonly AuditRecord[],
  before: number,
  { named, good }: { readonly named: readonly string[]; readonly good: string },
): Promise<readonly AuditRecord[]> {
  goods.add(good);
  const deadline = performance.now() + LIMITS.answer;
  for (;;) {
    const all = records().slice(before);
    const since = all.filter(({ decisionId }) => !goods.has(decisionId));
    const idsOf = (some: readonly AuditRecord[], kind: string): Set<unknown> =>
      new Set(some.filter(({ type }) => type === kind).map(({ decisionId }) => decisionId));
    const decided = idsOf(all, "decision");
    const completed = idsOf(since, "completion");
    const open = since.some(
      ({ decision, decisionId }) => decision === "permit" && !completed.has(decisionId),
    );
    const there = !open && [...named, good].every((id) => decided.has(id));
    if (there || performance.now() >= deadline) return since;
    await new Promise((resolve) => {
      setTimeout(resolve, LIMITS.poll);
    });
  }
}

/** Decisions about good requests, whose completions may come while the next case is being judged. */
const goods = new Set<unknown>();

/**
 * Rule 5: the next good request, on a connection of its own, gets its own answer, and nothing but
 * it reaches the service. Resolves to its decision id.
 */
export async function goodRequest({ proxy, tls, service }: Ground): Promise<string> {
  service.forget();
  sentinels += 1;
  const target = `/good-${sentinels}`;
  const connection = await RawConnection.open(proxy, { tls });
  connection.write(requestBytes(target, ["Connection: close"]));
  await connection.until(() => connection.closed);
  const [answer] = readResponses(connection.text, ["GET"], connection.closed).messages;
  const got = answer?.status === 200 ? (JSON.parse(answer.body) as { target?: unknown }) : {};
  if (got.target !== target) {
    throw new Error(`rule 5: ${target} was answered with ${connection.text.slice(0, 200)}`);
  }
  const arrived = service.connections.flatMap(({ text }) => readRequests(text).messages);
  if (arrived.length !== 1 || arrived[0]?.target !== target) {
    const targets = arrived.map((request) => request.target).join(" ");
    throw new Error(`rule 5: besides ${target} there arrived ${targets}`);
  }
  return answer === undefined ? "" : (valuesOf(answer, "sallyport-decision")[0] ?? "");
}
