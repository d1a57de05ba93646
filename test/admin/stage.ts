/**
 * The admin API behind real listeners and the real gate, with policies, tokens and records, and every
 * desk played by hand.
 */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { z } from "zod";
import type { AdminDeps } from "../../src/admin/admin-deps.ts";
import { clientPrincipalSchema } from "../../src/identity/claims/client-principal.ts";
import { apiKeyOptionsSchema } from "../../src/identity/api-key-options.ts";
import { type AdminSnapshots, createAdminSnapshots } from "../../src/admin/admin-gate.ts";
import { type AdminCallsDeps, createAdminCalls } from "../../src/admin/admin-calls.ts";
import { type AdminHandlerDeps, createAdminHandler } from "../../src/admin/admin-handler.ts";
import { Deadlines } from "../../src/http/deadlines.ts";
import { listenerSchema } from "../../src/http/listener-options.ts";
import { createListenerTls, type ListenerTls } from "../../src/http/listener-tls.ts";
import { listen } from "../../src/http/listener.ts";
import { type ListenerTlsOptions, listenerTlsSchema } from "../../src/http/tls-options.ts";
import { createBearerSet } from "../../src/identity/bearer.ts";
import { createFactsCache } from "../../src/identity/facts-cache.ts";
import { jwtOptionsSchema } from "../../src/identity/jwt-options.ts";
import { createJwtAuthenticator } from "../../src/identity/jwt.ts";
import type { CompletionRecord, DecisionRecord } from "../../src/model/records.ts";
import type { Policies } from "../../src/model/policy.ts";
import { NO_REVOCATIONS, type Revocations } from "../../src/model/revocation.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { createDecisionIds } from "../../src/platform/decision-id.ts";
import { systemTimers } from "../../src/platform/timers.ts";
import { compilePolicies } from "../../src/policy/compile-policies.ts";
import { headerOf, keySetOf, signToken, testKey } from "../issuer.ts";
import { fakeFetcher, type RecordedLog, recordedLog, recordedMetrics } from "../ports.ts";

const KEY = testKey("k1", "EdDSA");
const ISSUER = "https://login.example.com";
const AUDIENCE = "https://admin.example.com";

/** Operators may do everything, readers may read, others nothing. */
export const POLICIES = `
@id("operators")
permit (principal in Sallyport::Role::"Operator", action in Sallyport::Action::"admin", resource);
@id("readers")
permit (principal in Sallyport::Role::"corp/reader", action in Sallyport::Action::"admin:read", resource);
@id("traffic")
permit (principal, action, resource);
`;

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** Parsed, where it is JSON. */
  readonly body: any; // eslint-disable-line -- tests look into it
}

export interface AskOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Roles of the token; left out: none is sent. */
  readonly roles?: readonly string[];
  readonly token?: string;
  readonly door?: "address" | "socket";
}

export interface AdminStage {
  readonly deps: AdminCallsDeps & AdminHandlerDeps;
  readonly log: RecordedLog;
  readonly decisions: DecisionRecord[];
  readonly completions: CompletionRecord[];
  readonly socket: string;
  readonly port: number;
  readonly ask: (path: string, options?: AskOptions) => Promise<Reply>;
}

export function token(roles: readonly string[], claims: object = {}): string {
  const now = Math.floor(Date.now() / 1000);
  return signToken(KEY, headerOf(KEY), {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: "ann",
    iat: now,
    exp: now + 300,
    jti: randomUUID(),
    roles,
    ...claims,
  });
}

export interface StageOptions {
  readonly desks?: Partial<AdminDeps>;
  readonly policies?: string;
  /** Whether tokens open the API at the address. */
  readonly authenticate?: boolean;
  readonly revocations?: Revocations;
  /** TLS at the address, with what its files hold. */
  readonly tls?: {
    readonly options: z.input<typeof listenerTlsSchema>;
    readonly files: ReadonlyMap<string, string>;
  };
}

export async function adminStage(t: TestContext, options: StageOptions = {}): Promise<AdminStage> {
  const log = recordedLog();
  const metrics = recordedMetrics();
  const clock = systemClock;
  const decisions: DecisionRecord[] = [];
  const completions: CompletionRecord[] = [];
  const audit = {
    writable: () => true,
    decision(record: DecisionRecord) {
      decisions.push(record);
      return "recorded" as const;
    },
    completion: (record: CompletionRecord) => void completions.push(record),
    durable: () => undefined,
  };
  const snapshots = await snapshotsOf(options);
  const deps: AdminCallsDeps & AdminHandlerDeps = {
    clock,
    log,
    snapshots: () => snapshots,
    gate: {
      clock,
      log,
      audit,
      budget: { spent: () => false, charge: () => {} },
      nextDecisionId: createDecisionIds(clock),
      decided: () => {},
      revocations: options.revocations ?? NO_REVOCATIONS,
    },
    readiness: () => ({ ready: true, checks: { listeners: "accepting" } }),
    metrics: () => ({ contentType: "text/plain", body: "# EOF\n" }),
    ...playedDesks(),
    ...options.desks,
  };
  const deadlines = new Deadlines(clock);
  const listenerOptions = listenerSchema.parse({ name: "admin", address: "127.0.0.1:0" });
  const folder = mkdtempSync(join(tmpdir(), "sallyport-admin-"));
  const socket = join(folder, "admin.sock");
  const common = { clock, deadlines, log, metrics };
  const tls = tlsOf(options, common);
  const listeners = [
    await listen(
      { ...listenerOptions, tls: tls?.options },
      {
        ...common,
        handler: createAdminHandler(deps, createAdminCalls(deps, "address")),
        tls: tls?.running,
      },
    ),
    await listen(
      { ...listenerOptions, name: "admin-socket" },
      {
        ...common,
        handler: createAdminHandler(deps, createAdminCalls(deps, "socket")),
        socketFile: socket,
      },
    ),
  ];
  t.after(async () => {
    await Promise.all(listeners.map((listener) => listener.close(0)));
    rmSync(folder, { recursive: true, force: true });
  });
  const port = listeners[0]?.address.port ?? 0;
  const ask = (path: string, how: AskOptions = {}): Promise<Reply> =>
    send(how.door === "socket" ? { socketPath: socket } : { host: "127.0.0.1", port }, path, how);
  return { deps, log, decisions, completions, socket, port, ask };
}

function tlsOf(
  { tls }: StageOptions,
  deps: Pick<Parameters<typeof createListenerTls>[2], "clock" | "log" | "metrics">,
): { readonly options: ListenerTlsOptions; readonly running: ListenerTls } | undefined {
  if (tls === undefined) return undefined;
  const options = listenerTlsSchema.parse(tls.options);
  const readFile = (file: string): Buffer => Buffer.from(tls.files.get(file) ?? "");
  const running = createListenerTls("admin", options, { ...deps, timers: systemTimers, readFile });
  return { options, running };
}

async function snapshotsOf({
  policies = POLICIES,
  authenticate = true,
}: StageOptions): Promise<AdminSnapshots> {
  const jwks = "https://login.example.com/jwks";
  const corp = createJwtAuthenticator(
    {
      ...jwtOptionsSchema.parse({
        type: "jwt",
        issuer: ISSUER,
        jwks,
        algorithms: ["EdDSA"],
        principal: { kind: "user", roles: { claim: "roles", allow: ["Operator"] } },
      }),
      name: "corp",
    },
    {
      clock: systemClock,
      timers: systemTimers,
      log: recordedLog(),
      metrics: recordedMetrics(),
      fetcher: fakeFetcher({ [jwks]: keySetOf(KEY) }),
      readFile: () => new Uint8Array(),
    },
  );
  await corp.start();
  const metrics = recordedMetrics();
  const facts = createFactsCache({}, { clock: systemClock, metrics });
  return createAdminSnapshots({
    policies: await compiled(policies),
    bearer: authenticate ? createBearerSet([corp], facts) : undefined,
    audience: [AUDIENCE],
    uid: 1000,
  });
}

/** The official engine takes half a second to start; a text is compiled once in a process. */
const known = new Map<string, Promise<Policies>>();

function compiled(text: string): Promise<Policies> {
  let policies = known.get(text);
  if (policies === undefined) known.set(text, (policies = compile(text)));
  return policies;
}

async function compile(text: string): Promise<Policies> {
  const vocabulary = {
    authenticators: [
      { name: "corp", kinds: ["user" as const], attributes: {}, bareRoles: ["Operator"] },
    ],
    services: [],
    routes: [],
    admin: { attributes: {} },
  };
  const files = [{ name: "policies.cedar", text }];
  const result = await compilePolicies({ files, vocabulary }, { clock: systemClock });
  if (result.problems !== undefined) throw new TypeError(JSON.stringify(result.problems));
  return result.policies;
}

function playedDesks(): Pick<AdminDeps, "process" | "config"> {
  return {
    process: {
      status: () => ({
        version: "0.1.0",
        runtime: "test 1",
        role: "single",
        pid: 1,
        startedMs: Date.now() - 5000,
        ready: true,
        checks: { listeners: "accepting" },
        listeners: [{ name: "edge", scheme: "http", address: "127.0.0.1:1" }],
        workers: { serving: 1, wanted: 1 },
        feed: undefined,
        followers: undefined,
        serves: "0.0.0.0:9443",
      }),
      reload: () => Promise.resolve(),
      drain: () => {},
    },
    config: {
      running: () => ({
        hash: "sha256-x",
        sinceMs: Date.now(),
        written: { version: 1 },
        routes: ["a", "b", "c"].map((name) => ({
          name,
          host: undefined,
          path: `/${name}`,
          methods: undefined,
          service: "billing",
          authenticate: ["corp"],
        })),
        services: [
          {
            name: "billing",
            balance: "round-robin",
            endpoints: [{ address: "127.0.0.1:9001", state: "ready", requests: 0, connections: 1 }],
            waiting: 0,
          },
        ],
        authenticators: [
          {
            name: "corp",
            type: "jwt",
            issuer: ISSUER,
            keys: { usable: 1, fetchedMs: Date.now(), failures: 0 },
          },
          {
            name: "partners",
            type: "api-key",
            issuer: undefined,
            keys: undefined,
            apiKeys: apiKeyOptionsSchema.parse({
              type: "api-key",
              principal: {
                roles: { allow: ["Auditor"] },
                attributes: { tenant: { type: "string", default: "" } },
              },
            }),
          },
          {
            name: "keys",
            type: "sallyport",
            issuer: undefined,
            keys: undefined,
            clients: clientPrincipalSchema.parse({
              roles: { allow: ["Biller"] },
              attributes: { tenant: { type: "string", default: "" } },
            }),
          },
        ],
        clients: [
          { id: "declared-job", roles: ["Biller"], groups: [], attributes: { tenant: "acme" } },
        ],
        policyRoles: () => ({
          has: (id) => ["Biller", "Auditor", "keys/Reporter"].includes(id),
          named: ["Biller", "Auditor", "keys/Reporter"],
        }),
      }),
    },
  };
}

/** Sends exactly the headers given, besides what HTTP needs. */
export function send(
  to: { readonly socketPath: string } | { readonly host: string; readonly port: number },
  path: string,
  options: AskOptions,
): Promise<Reply> {
  const { method = "GET", headers = {}, body, roles } = options;
  const bearer = options.token ?? (roles === undefined ? undefined : token(roles));
  return new Promise((resolve, reject) => {
    const outgoing = request({
      ...to,
      path,
      method,
      agent: false,
      headers: {
        host: "localhost",
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
    });
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => {
        const json = String(response.headers["content-type"]).includes("json");
        const { statusCode = 0, headers: fields } = response;
        const parsed: unknown = json && text !== "" ? JSON.parse(text) : undefined;
        resolve({ status: statusCode, headers: fields, text, body: parsed });
      });
    });
    outgoing.end(body);
  });
}
