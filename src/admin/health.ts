/**
 * What the admin address answers to anybody: `/livez`, `/readyz` and `/metrics`, and nothing else.
 * Refuses, in plain HTTP, a Host that is a name other than localhost, so that a web page cannot reach
 * it through a name of its own that points here (DNS rebinding; with TLS such a page has no
 * certificate for its name), and any method but GET and HEAD.
 */
import type { Exchange, ExchangeHandler } from "../http/exchange.ts";

export interface Readiness {
  readonly ready: boolean;
  /** Each thing that readiness depends on, in words; no secrets. */
  readonly checks: Readonly<Record<string, string>>;
  /** The configuration in force, and why a later one is not; it takes no part in readiness. */
  readonly config?: unknown;
  /** What is known from the authority, where there is one. */
  readonly authority?: unknown;
}

export interface HealthDeps {
  readonly readiness: () => Readiness | Promise<Readiness>;
  /** Metrics as text, in the format that `accept` asks for. */
  readonly metrics: (accept: string | undefined) => MetricsText | Promise<MetricsText>;
}

export interface MetricsText {
  readonly contentType: string;
  readonly body: string;
}

export function createHealthHandler(deps: HealthDeps): ExchangeHandler {
  return {
    request(exchange) {
      const { head, connection } = exchange;
      if (connection.scheme === "http" && !isLocalHost(head.host)) {
        answer(exchange, 421, { error: "use an IP address or localhost" });
      } else if (head.method !== "GET" && head.method !== "HEAD") {
        exchange.reply(405, ["allow", "GET, HEAD"], "");
      } else {
        endpoint(exchange, deps);
      }
    },
    malformed({ reason }) {
      return { fields: ["content-type", "application/json"], body: `{"error":"${reason}"}\n` };
    },
  };
}

function endpoint(exchange: Exchange, deps: HealthDeps): void {
  const query = exchange.head.target.indexOf("?");
  const path = query < 0 ? exchange.head.target : exchange.head.target.slice(0, query);
  switch (path) {
    case "/livez":
      answer(exchange, 200, { status: "alive" });
      break;
    case "/readyz":
      once(deps.readiness(), exchange, ({ ready, ...detail }) => {
        answer(exchange, ready ? 200 : 503, { status: ready ? "ready" : "not ready", ...detail });
      });
      break;
    case "/metrics":
      once(deps.metrics(fieldOf(exchange, "accept")), exchange, ({ contentType, body }) => {
        exchange.reply(200, ["content-type", contentType, "cache-control", "no-store"], body);
      });
      break;
    default:
      answer(exchange, 404, { error: "there are /livez, /readyz and /metrics" });
  }
}

/** At once where it is at hand; workers have to be asked. */
function once<T>(value: T | Promise<T>, exchange: Exchange, then: (value: T) => void): void {
  if (!(value instanceof Promise)) {
    then(value);
    return;
  }
  value.then(then).catch(() => {
    if (!exchange.gone) answer(exchange, 500, { error: "the log says why" });
  });
}

function answer(exchange: Exchange, status: number, body: unknown): void {
  exchange.reply(
    status,
    ["content-type", "application/json", "cache-control", "no-store"],
    `${JSON.stringify(body)}\n`,
  );
}

function fieldOf(exchange: Exchange, name: string): string | undefined {
  const { fields } = exchange.head;
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index] === name) return fields[index + 1];
  }
  return undefined;
}

/** An IP literal or localhost, with or without a port. */
export function isLocalHost(host: string | undefined): boolean {
  return (
    host !== undefined &&
    /^(localhost|\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\])(:\d{1,5})?$/i.test(host)
  );
}
