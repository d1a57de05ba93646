/** The options of a service, as far as HTTP is concerned: where it is and how it is reached. */
import { z } from "zod";
import { duration } from "../model/options.ts";
import { hashSchema } from "./balance/balance-options.ts";
import { BALANCERS } from "./balance/create.ts";
import { healthSchema, outliersSchema } from "./health/health-options.ts";
import { breakerSchema, retriesSchema } from "./retry/retry-options.ts";
import { serviceTlsSchema } from "./tls-options.ts";
import type { Endpoint } from "./upstream-pool.ts";

/** What a URL says: an endpoint, or a name that stands for several. */
export interface WrittenEndpoint extends Endpoint {
  /** The name as it is asked for (`dns:`); each of its addresses is an endpoint. */
  readonly discover?: string;
}

/** Where a service listens, and its share. */
export interface ServiceEndpoint extends WrittenEndpoint {
  /** Share of requests beside the other endpoints; 0: none. */
  readonly weight: number;
}

const urlSchema = z.string().transform(parseEndpoint);

const endpointSchema = z.union([
  urlSchema.transform((endpoint): ServiceEndpoint => ({ ...endpoint, weight: 1 })),
  z
    .strictObject({
      url: urlSchema.describe("As an endpoint that is written as a text."),
      weight: z
        .int()
        .min(0)
        .max(1000)
        .describe(
          "Share of requests beside the other endpoints, from 0 to 1000; an endpoint without it has 1, one with 0 gets none.",
        ),
    })
    .transform(({ url, weight }): ServiceEndpoint => ({ ...url, weight })),
]);

/** `services.NAME`, as far as HTTP is concerned. */
export const serviceSchema = z.strictObject({
  endpoints: z
    .array(endpointSchema)
    .min(1)
    .max(256)
    .describe(
      "Where the service listens: 1 to 256 URLs http://host:port or https://host:port without path, or { url, weight }. A service is reached over HTTP/1.1. With dns://name:port each address of the name is an endpoint, and they come and go with it: a fully qualified name (dns://billing.internal.:9001, with the dot) is asked of DNS and holds for its TTL (1 to 300 s), any other is looked up every 5 s as the system does.",
    ),
  balance: z
    .enum(BALANCERS)
    .default("round-robin")
    .describe(
      "How an endpoint is chosen, by its weight. `round-robin` takes them in turn; `least-requests` draws two and takes the one with fewer requests; `random` draws one; `consistent-hash` takes the same one for the same `hash` key. One that just refused a connection is passed over.",
    ),
  tls: serviceTlsSchema
    .optional()
    .describe(
      "How `https:` endpoints are verified, and what we show of ourselves. By the runtime's authorities, without a certificate of ours, when left out.",
    ),
  hash: hashSchema.optional().describe("What `balance: consistent-hash` goes by."),
  health: healthSchema
    .optional()
    .describe("How endpoints are asked whether they are well. Without it nobody asks."),
  outliers: outliersSchema
    .optional()
    .describe("When endpoints that fail are put out for a while. Without it they are not."),
  panic: z
    .int()
    .min(0)
    .max(100)
    .default(25)
    .describe(
      "Percent of the endpoints below which, when fewer are in order, all are used all the same; from 0 to 100, 25 when left out. 0: never; with none in order the answer is 503.",
    ),
  retries: retriesSchema
    .optional()
    .describe(
      "When a request is sent again. Without it only what could not be sent at all is, to the endpoints that were not tried yet (at most 8), and what an idle connection swallowed as it closed.",
    ),
  breaker: breakerSchema
    .optional()
    .describe("How many requests each endpoint may have at once, and how many wait for that."),
  connections: z
    .int()
    .min(1)
    .max(100_000)
    .default(1024)
    .describe(
      "Connections open at once to each endpoint, from 1 to 100000, 1024 when left out. Requests beyond it are answered 503.",
    ),
  connectTimeout: duration({ min: "10ms", max: "2m" })
    .prefault("5s")
    .describe(
      "How long opening a connection may take, from 10ms to 2m, 5s when left out. Then the next endpoint is tried, and after the last one the answer is 504.",
    ),
  keepAlive: duration({ min: "100ms", max: "1h" })
    .prefault("4s")
    .describe(
      "How long an idle connection to an endpoint is kept for another request, from 100ms to 1h, 4s when left out. Keep it below the service's own: many close after 5s, and a request that meets the closing is lost unless it can be sent again.",
    ),
});

export type ServiceOptions = z.output<typeof serviceSchema>;

const DNS = "dns:";

/** What may be asked of DNS: labels of letters, digits, `-` and `_`, and a dot at the end or not. */
const DNS_NAME = /^(?=.{1,254}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*\.?$/i;

/** Ports where the URL names none. */
const PORTS: Readonly<Record<string, number>> = { "http:": 80, "dns:": 80, "https:": 443 };

function parseEndpoint(text: string, context: z.core.$RefinementCtx): WrittenEndpoint {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const problem = endpointProblem(text, url);
  if (problem !== undefined || url === undefined) {
    context.issues.push({ code: "custom", message: problem ?? "", input: text });
    return z.NEVER;
  }
  // Sockets take IPv6 addresses without brackets.
  const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const port = url.port === "" ? (PORTS[url.protocol] ?? 0) : Number(url.port);
  if (url.protocol === DNS) return { host, port, discover: host };
  return url.protocol === "https:" ? { host, port, secure: true } : { host, port };
}

function endpointProblem(text: string, url: URL | undefined): string | undefined {
  if (url === undefined || url.hostname === "") {
    return "a URL such as http://127.0.0.1:9001";
  }
  const standard = PORTS[url.protocol];
  if (url.protocol === DNS) {
    const name = url.hostname;
    if (!DNS_NAME.test(name) || /^[\d.]+$/.test(name))
      return "a name, such as dns://billing.internal.:9001";
  } else if (standard === undefined) {
    return `http://host:port or https://host:port: services are reached over HTTP/1.1, not ${url.protocol}`;
  }
  if (url.port === "0") return "a port from 1 to 65535";
  const bare = `${url.protocol}//${url.host}`;
  if (text.toLowerCase().replace(/\/$/, "") === bare) return undefined;
  const written = text.toLowerCase().replace(/\/$/, "");
  if (url.port === "" && written === `${bare}:${standard}`) return undefined;
  return `only ${url.protocol}//host:port, without user, path, query or fragment`;
}
