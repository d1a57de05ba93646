/** The options of listeners, services and routes that concern the moving of HTTP. */
import { z } from "zod";
import { addressSchema, byteSize, duration, nameSchema } from "../model/options.ts";
import type { Endpoint } from "./upstream-pool.ts";

/** `listeners[].limits`: what one caller may take. */
export const listenerLimitsSchema = z.strictObject({
  headBytes: byteSize({ min: "1KiB", max: "1MiB" })
    .prefault("32KiB")
    .describe(
      "Bytes of a request head with its empty line, from 1KiB to 1MiB, 32KiB when left out. A larger head is answered 431.",
    ),
  headFields: z
    .int()
    .min(8)
    .max(10_000)
    .default(100)
    .describe(
      "Field lines of a request head, from 8 to 10000, 100 when left out. More are answered 431.",
    ),
  targetBytes: byteSize({ min: "64B", max: "64KiB" })
    .prefault("8KiB")
    .describe(
      "Bytes of the request target, from 64B to 64KiB, 8KiB when left out. A longer one is answered 414.",
    ),
  bodyBytes: byteSize({ min: "0B", max: "1024GiB" })
    .prefault("1GiB")
    .describe(
      "Bytes of a request body, from 0B to 1024GiB, 1GiB when left out. Bodies are streamed, so this bounds no memory. A larger one is answered 413.",
    ),
  headTimeout: duration({ min: "100ms", max: "10m" })
    .prefault("10s")
    .describe(
      "From the first byte of a request head to its last (on a new connection: from the connection), from 100ms to 10m, 10s when left out. Then 408, or a silent close if there was no byte.",
    ),
  idleTimeout: duration({ min: "1s", max: "1h" })
    .prefault("75s")
    .describe(
      "How long a connection may rest between requests, from 1s to 1h, 75s when left out. Then it is closed.",
    ),
  bodyTimeout: duration({ min: "100ms", max: "1h" })
    .prefault("30s")
    .describe(
      "How far the sender of a body may lag behind bodyRate, from 100ms to 1h, 30s when left out; a pause of this length is always too long. Then 408.",
    ),
  bodyRate: byteSize({ min: "1B", max: "1GiB" })
    .prefault("1KiB")
    .describe(
      "Bytes per second that the sender of a body must keep up, from 1B to 1GiB, 1KiB when left out. Time in which the service does not read is not counted.",
    ),
  connections: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(10_000)
    .describe(
      "Connections open at once on this listener, from 1 to 1000000, 10000 when left out. Further ones are closed as they come.",
    ),
  pipelinedBytes: byteSize({ min: "0B", max: "16MiB" })
    .prefault("64KiB")
    .describe(
      "Bytes that may wait behind a request in flight, from 0B to 16MiB, 64KiB when left out. Beyond it the connection is not read.",
    ),
  drainedBytes: byteSize({ min: "0B", max: "16MiB" })
    .prefault("64KiB")
    .describe(
      "Bytes of an unread request body that are dropped to keep the connection open, from 0B to 16MiB, 64KiB when left out. Beyond it the connection closes after the answer.",
    ),
});

/** One entry of `listeners`. */
export const listenerSchema = z.strictObject({
  name: nameSchema.describe("Name of the listener in records and metrics."),
  address: addressSchema.describe(
    "Address host:port to accept connections on. Port 0 lets the system choose.",
  ),
  publicOrigin: z
    .string()
    .refine(isOrigin, "an origin such as https://api.example.com, without a path")
    .optional()
    .describe(
      "How callers know this listener. What must name it to callers uses this and never a header.",
    ),
  limits: listenerLimitsSchema.prefault({}).describe("What one caller may take."),
});

/** `services.NAME`, as far as HTTP is concerned. */
export const serviceSchema = z.strictObject({
  endpoints: z
    .array(z.string().transform(parseEndpoint))
    .min(1)
    .max(256)
    .describe(
      "Where the service listens: 1 to 256 URLs http://host:port without path. A service is reached over plain HTTP/1.1.",
    ),
  balance: z
    .literal("round-robin")
    .default("round-robin")
    .describe(
      "How an endpoint is chosen. round-robin takes them in turn and passes over one that just refused a connection.",
    ),
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

/** What a route says about time. */
export const routeTimeoutsShape = {
  timeout: duration({ min: "10ms", max: "7d" })
    .prefault("5m")
    .describe(
      "For the whole exchange, from 10ms to 7d, 5m when left out. Then 504, or the connection is cut if the answer had begun.",
    ),
  responseTimeout: duration({ min: "10ms", max: "24h" })
    .prefault("30s")
    .describe(
      "From the end of the request to the head of the answer, from 10ms to 24h, 30s when left out. Then 504.",
    ),
  idleTimeout: duration({ min: "10ms", max: "24h" })
    .prefault("60s")
    .describe(
      "How long no byte may pass in either direction, from 10ms to 24h, 60s when left out. Then as timeout.",
    ),
} as const;

export type ListenerLimits = z.output<typeof listenerLimitsSchema>;
export type ListenerOptions = z.output<typeof listenerSchema>;
export type ServiceOptions = z.output<typeof serviceSchema>;

/** Port of `http:` when the URL names none. */
const HTTP_PORT = 80;

function parseEndpoint(text: string, context: z.core.$RefinementCtx): Endpoint {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const problem = endpointProblem(text, url);
  if (problem !== undefined || url === undefined) {
    context.issues.push({ code: "custom", message: problem ?? "", input: text });
    return z.NEVER;
  }
  // Sockets take IPv6 addresses without brackets.
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return { host, port: url.port === "" ? HTTP_PORT : Number(url.port) };
}

function endpointProblem(text: string, url: URL | undefined): string | undefined {
  if (url === undefined || url.hostname === "") {
    return "a URL such as http://127.0.0.1:9001";
  }
  if (url.protocol !== "http:") {
    return `http://host:port: services are reached over plain HTTP/1.1, not ${url.protocol}`;
  }
  if (url.port === "0") return "a port from 1 to 65535";
  const bare = `${url.protocol}//${url.host}`;
  if (text.toLowerCase().replace(/\/$/, "") === bare) return undefined;
  if (url.port === "" && text.toLowerCase().replace(/\/$/, "") === `${bare}:80`) return undefined;
  return "only http://host:port, without user, path, query or fragment";
}

function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return (url.protocol === "http:" || url.protocol === "https:") && url.origin === text;
}
