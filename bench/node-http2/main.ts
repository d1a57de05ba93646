/**
 * The sketch that the HTTP/2 sections compare with: Sallyport of a configuration, with `node:http2`
 * as its only front. Gate, policies, audit log and the way to the service are wired as `src/app/`
 * wires them; it takes no reload, and ends at the first signal.
 */
import { createServer } from "node:http2";
import type { Http2Session, ServerHttp2Stream } from "node:http2";
import { createHealthHandler } from "../../src/admin/health.ts";
import { createAuditLog, type RunningAuditLog } from "../../src/audit/log.ts";
import { buildSnapshot } from "../../src/app/build-snapshot.ts";
import { createInstruments, type Instruments } from "../../src/app/instruments.ts";
import { createPreparer } from "../../src/app/prepare.ts";
import { reportCompleted } from "../../src/app/report-completed.ts";
import { openFrontDesk } from "../../src/app/front-desk.ts";
import type { Config } from "../../src/config/schema.ts";
import { createGate } from "../../src/gate/gate.ts";
import type { ClientConnection, ExchangeHandler } from "../../src/http/exchange.ts";
import { createFailureBudget } from "../../src/limits/failure-budget.ts";
import { NO_REVOCATIONS } from "../../src/model/revocation.ts";
import { createDecisionIds } from "../../src/platform/decision-id.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { HeldBytes } from "../../src/http/held-bytes.ts";
import { createProxyHandler } from "../../src/proxy/handler.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { NodeHttp2Exchange } from "./exchange.ts";

const [file] = process.argv.slice(2);
if (file === undefined) throw new TypeError("the configuration is the one argument");
await run(file);

async function run(configFile: string): Promise<void> {
  const prepared = await createPreparer(configFile)();
  const { config } = prepared.loaded;
  const instruments = createInstruments(createLog({ level: "info", clock: systemClock }));
  const snapshot = await buildSnapshot(prepared, instruments);
  const audit = await createAuditLog(config.audit, instruments);
  await snapshot.start();
  const { clock, log, requests } = instruments;
  const handler = createProxyHandler({
    clock,
    log,
    audit,
    gate: gateOf(config, audit, instruments),
    snapshot: () => snapshot,
    completed: reportCompleted(requests, log),
    heldBytes: new HeldBytes(),
    streamEnded: () => {},
  });
  await serve(config, handler, instruments);
  const desk = await openFrontDesk(config, instruments, "starting");
  const health = healthOf(audit, instruments);
  desk.answer({ address: health, socket: health });
  await new Promise((resolve) => process.once("SIGTERM", resolve));
  await audit.close();
  process.exit(0);
}

function gateOf(
  config: Config,
  audit: RunningAuditLog,
  { clock, log, metrics, requests }: Instruments,
): ReturnType<typeof createGate> {
  return createGate({
    clock,
    log,
    audit,
    budget: createFailureBudget(config.limits.failures, { clock, metrics }),
    revocations: NO_REVOCATIONS,
    nextDecisionId: createDecisionIds(clock),
    decided: (route, reason, milliseconds) => requests.decided(route, reason, milliseconds),
  });
}

function healthOf(audit: RunningAuditLog, { metrics }: Instruments): ExchangeHandler {
  return createHealthHandler({
    readiness: () => ({ ready: audit.writable(), checks: {} }),
    metrics: (accept) => metrics.render(accept),
  });
}

async function serve(
  { listeners: [listener] }: Config,
  handler: ExchangeHandler,
  { clock }: Instruments,
): Promise<void> {
  const [host = "", port = ""] = (listener?.address ?? "").split(":");
  const connections = new WeakMap<Http2Session, ClientConnection>();
  const server = createServer();
  server.on("session", (session: Http2Session) => {
    connections.set(session, connectionOf(session, listener?.name ?? ""));
  });
  server.on(
    "stream",
    (stream: ServerHttp2Stream, _: unknown, flags: number, rawHeaders: string[]) => {
      const connection = stream.session === undefined ? undefined : connections.get(stream.session);
      if (connection === undefined) return;
      const received = { stream, flags, rawHeaders };
      handler.request(new NodeHttp2Exchange(received, connection, clock.monotonic()));
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(Number(port), host, resolve);
  });
}

function connectionOf({ socket }: Http2Session, listener: string): ClientConnection {
  const { remoteAddress: address = "", remotePort: port = 0 } = socket;
  return { listener, scheme: "http", peer: { address, port }, trust: undefined, memo: undefined };
}
