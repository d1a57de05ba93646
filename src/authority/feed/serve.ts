/**
 * The listener for machines: where proxies follow the feed, and where machines enrol and renew. TLS
 * 1.3 alone, with a certificate that comes from memory; callers are asked for theirs, and each path
 * says whether it wants one (who enrols has none yet).
 *
 * It is ours on both ends, so it takes little: no HTTP/2, short heads, small bodies, and who does not
 * read is cut off.
 */
import type { Deadlines } from "../../http/deadlines.ts";
import type { Exchange, ExchangeHandler } from "../../http/exchange.ts";
import { listen } from "../../http/listener.ts";
import { readWholeBody } from "../../http/whole-body.ts";
import { reasonInfo } from "../../model/reason.ts";
import { listenerSchema, OWN_LISTENERS } from "../../http/listener-options.ts";
import { createListenerTls, type ListenerTls } from "../../http/listener-tls.ts";
import type { Clock, Log, Metrics, Timers } from "../../model/ports.ts";
import { getAllFields } from "../../wire/fields.ts";
import {
  ENDPOINT_LIMITS,
  type EnrolmentEndpoint,
  type EnrolmentResponse,
} from "../enrolment/enrolment-endpoint.ts";
import { type FeedServer, problem } from "./feed-server.ts";
import type { ServerIdentity } from "./server-identity.ts";

export interface MachineListenerOptions {
  readonly address: string;
  readonly identity: ServerIdentity;
  readonly feed: FeedServer;
  /** Left out on a relay. */
  readonly enrolment?: EnrolmentEndpoint | undefined;
}

export interface MachineListenerDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly deadlines: Deadlines;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface MachineListener {
  readonly address: { readonly host: string; readonly port: number };
  close(graceMs: number): Promise<void>;
}

const LIMITS = {
  /** Followers, those that come again meanwhile, and machines that enrol. */
  connections: 12_000,
  /** A follower that has not taken what was sent for so long is gone or hangs: it comes again. */
  readTimeout: "15s",
  headTimeout: "10s",
  idleTimeout: "30s",
} as const;

const FILES = { certificate: "issued:certificate", key: "issued:key", ca: "issued:roots" } as const;

/** Rejects with `listen-failed`, or `certificate-invalid` for an identity that cannot be used. */
export async function serveMachines(
  options: MachineListenerOptions,
  deps: MachineListenerDeps,
): Promise<MachineListener> {
  const { address, identity, feed, enrolment } = options;
  const parsed = listenerSchema.parse({
    name: OWN_LISTENERS.machines,
    address,
    http2: { enabled: false },
    tls: {
      certificate: FILES.certificate,
      key: FILES.key,
      minVersion: "TLSv1.3",
      clients: { mode: "optional", ca: FILES.ca },
    },
    limits: { ...LIMITS, headBytes: "8KiB", bodyBytes: "1MiB" },
  });
  const tls = createTls(parsed.tls, identity, deps);
  const end = identity.changed(() => tls.reload());
  const { clock, deadlines, log, metrics } = deps;
  const handler = createRouter(feed, enrolment);
  try {
    const listener = await listen(parsed, { clock, deadlines, log, handler, tls, metrics });
    return {
      address: listener.address,
      async close(graceMs) {
        end();
        feed.close();
        await listener.close(graceMs);
      },
    };
  } catch (error) {
    end();
    throw error;
  }
}

function createTls(
  tls: ReturnType<typeof listenerSchema.parse>["tls"],
  identity: ServerIdentity,
  deps: MachineListenerDeps,
): ListenerTls {
  if (tls === undefined) throw new TypeError("a listener for machines speaks TLS");
  const texts: Readonly<Record<string, () => string>> = {
    [FILES.certificate]: () => identity.certificatePem,
    [FILES.key]: () => identity.keyPem,
    [FILES.ca]: () => identity.roots.join("\n"),
  };
  const readFile = (file: string): Buffer => {
    const text = texts[file];
    if (text === undefined) throw new TypeError("not a file of this listener");
    return Buffer.from(text(), "latin1");
  };
  return createListenerTls(OWN_LISTENERS.machines, tls, { ...deps, readFile });
}

function createRouter(feed: FeedServer, enrolment: EnrolmentEndpoint | undefined): ExchangeHandler {
  return {
    request(exchange) {
      if (feed.handle(exchange)) return;
      if (enrolment !== undefined && enrol(exchange, enrolment)) return;
      problem(exchange, 404, "not-found");
    },
    malformed: ({ reason }) => ({
      fields: ["content-type", "application/problem+json"],
      body: JSON.stringify({ code: reason }),
    }),
  };
}

/** False: not a path of enrolment. */
function enrol(exchange: Exchange, endpoint: EnrolmentEndpoint): boolean {
  const { method, target } = exchange.head;
  if (target === "/roots" && method === "GET") {
    reply(exchange, endpoint.roots());
    return true;
  }
  const verb = VERBS.get(target);
  if (verb === undefined) return false;
  if (method === "POST") receive(exchange, endpoint, verb);
  else problem(exchange, 405, "method-not-allowed");
  return true;
}

type Verb = "enrol" | "renew" | "publish";

const VERBS: ReadonlyMap<string, Verb> = new Map([
  ["/enrol", "enrol"],
  ["/renew", "renew"],
  ["/assertion-keys", "publish"],
]);

function receive(exchange: Exchange, endpoint: EnrolmentEndpoint, verb: Verb): void {
  readWholeBody(exchange, ENDPOINT_LIMITS.body, ({ bytes, fault }) => {
    if (fault === undefined) void answer(exchange, bytes, { endpoint, verb });
    else if (fault === "body-too-large") reply(exchange, endpoint.bodyTooLarge(), CLOSE);
    else problem(exchange, reasonInfo(fault).status, fault);
  });
}

async function answer(
  exchange: Exchange,
  body: Buffer,
  to: { readonly endpoint: EnrolmentEndpoint; readonly verb: Verb },
): Promise<void> {
  const { peer } = exchange.connection;
  const contentType = getAllFields(exchange.head.fields, "content-type");
  const { tls, address } = peer;
  reply(exchange, await to.endpoint[to.verb]({ contentType, body, peer: tls, address }));
}

const CLOSE = { close: true } as const;

function reply(
  exchange: Exchange,
  { status, fields, body }: EnrolmentResponse,
  how?: typeof CLOSE,
): void {
  if (!exchange.gone) exchange.reply(status, fields, body, how);
}
