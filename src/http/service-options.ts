/** The options of a service, as far as HTTP is concerned: where it is and how it is reached. */
import { z } from "zod";
import { duration } from "../model/options.ts";
import { hashSchema } from "./balance/balance-options.ts";
import { BALANCERS } from "./balance/create.ts";
import { healthSchema, outliersSchema } from "./health/health-options.ts";
import { breakerSchema, retriesSchema } from "./retry/retry-options.ts";
import { serviceTlsSchema } from "./tls-options.ts";
import type { Endpoint } from "./endpoint.ts";

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
      "Where the service listens: 1 to 256 URLs without path, or { url, weight }. The scheme says how it is reached: http://host:port and https://host:port over HTTP/1.1, h2c://host:port over HTTP/2 without TLS and without asking first (prior knowledge), h2://host:port over HTTP/2 by TLS, which the service has to agree to by ALPN. With dns://name:port (HTTP/1.1) or dns+h2c://name:port (HTTP/2), both without TLS, each address of the name is an endpoint, and they come and go with it: a fully qualified name (dns://billing.internal.:9001, with the dot) is asked of DNS and holds for its TTL (1 to 300 s), any other is looked up every 5 s as the system does.",
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
      "How `https:` and `h2:` endpoints are verified, and what we show of ourselves. By the runtime's authorities, without a certificate of ours, when left out.",
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
      "Connections open at once to each endpoint, from 1 to 100000, 1024 when left out. Requests beyond it are answered 503. Over HTTP/2 a connection carries as many requests at once as the service allows, at most 1024, and another one is opened only when all are full.",
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

/** What a scheme says. */
interface Scheme {
  /** Where the URL names none. */
  readonly port: number;
  readonly speaks: Pick<Endpoint, "secure" | "http2">;
  /** Whether its host is a name that stands for several endpoints. */
  readonly discovers?: true;
}

const SCHEMES: Readonly<Record<string, Scheme>> = {
  "http:": { port: 80, speaks: {} },
  "https:": { port: 443, speaks: { secure: true } },
  "h2c:": { port: 80, speaks: { http2: true } },
  "h2:": { port: 443, speaks: { secure: true, http2: true } },
  "dns:": { port: 80, speaks: {}, discovers: true },
  "dns+h2c:": { port: 80, speaks: { http2: true }, discovers: true },
};

/** What may be asked of DNS: labels of letters, digits, `-` and `_`, and a dot at the end or not. */
const DNS_NAME = /^(?=.{1,254}$)[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_][a-z0-9_-]{0,62})*\.?$/i;

function parseEndpoint(text: string, context: z.core.$RefinementCtx): WrittenEndpoint {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const problem = endpointProblem(text, url);
  const scheme = SCHEMES[url?.protocol ?? ""];
  if (problem !== undefined || url === undefined || scheme === undefined) {
    context.issues.push({ code: "custom", message: problem ?? "", input: text });
    return z.NEVER;
  }
  // Sockets take IPv6 addresses without brackets.
  const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const port = url.port === "" ? scheme.port : Number(url.port);
  const endpoint = { host, port, ...scheme.speaks };
  return scheme.discovers === true ? { ...endpoint, discover: host } : endpoint;
}

function endpointProblem(text: string, url: URL | undefined): string | undefined {
  if (url === undefined || url.hostname === "") {
    return "a URL such as http://127.0.0.1:9001";
  }
  const scheme = SCHEMES[url.protocol];
  if (scheme === undefined) {
    return `http://host:port or https://host:port, h2c://host:port or h2://host:port for HTTP/2 and gRPC, dns://name:port or dns+h2c://name:port: nothing else is spoken to services, no ${url.protocol}`;
  }
  const name = url.hostname;
  if (scheme.discovers === true && (!DNS_NAME.test(name) || /^[\d.]+$/.test(name))) {
    return `a name, such as ${url.protocol}//billing.internal.:9001`;
  }
  if (url.port === "0") return "a port from 1 to 65535";
  // Of schemes that it does not know the parser leaves the host's letters as they are.
  const bare = `${url.protocol}//${url.host.toLowerCase()}`;
  const written = text.toLowerCase().replace(/\/$/, "");
  if (written === bare || (url.port === "" && written === `${bare}:${scheme.port}`)) {
    return undefined;
  }
  return `only ${url.protocol}//host:port, without user, path, query or fragment`;
}
