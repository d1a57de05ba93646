/** The options of a listener: where callers connect, and what one of them may take. */
import { z } from "zod";
import { http2Schema } from "./http2-options.ts";
import { blocksSchema } from "./proxy-options.ts";
import { addressSchema, byteSize, duration, nameSchema } from "../model/options.ts";
import { listenerTlsSchema } from "./tls-options.ts";

/** What `listeners[].serve` may name. */
const OWN_PATHS = ["well-known", "login", "token"] as const;

/** What our own listeners are called in metrics and the log: that of operators, and that of machines. */
export const OWN_LISTENERS = { operators: "admin", machines: "authority" } as const;

export function isOwnListener(name: string): boolean {
  return name === OWN_LISTENERS.operators || name === OWN_LISTENERS.machines;
}

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
      "From the first byte of a request head to its last (on a new connection: from the connection, and with TLS as long again for the handshake before it), from 100ms to 10m, 10s when left out. Then 408, or a silent close if there was no byte.",
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
      "Bytes per second that the sender of a body must keep up, from 1B to 1GiB, 1KiB when left out. Time in which the service does not read is not counted. gRPC calls over HTTP/2 to services over HTTP/2 need not, since their callers may have nothing to say: the times of their route bound them.",
    ),
  readTimeout: duration({ min: "1s", max: "1h" })
    .prefault("1m")
    .describe(
      "How long a caller may take to make room again once 256 KiB of its answer wait to be read, and to read the last of it, from 1s to 1h, 1m when left out. Then it is cut off.",
    ),
  connections: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(10_000)
    .describe(
      "Connections open at once on this listener, from 1 to 1000000, 10000 when left out. Further ones are closed as they come.",
    ),
  connectionsPerAddress: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe(
      "Connections open at once from one address (of IPv6 from one /64), from 1 to 1000000; as many as `connections` when left out. Further ones are closed as they come. Not counted for `trustedProxies`; behind `proxyProtocol` it counts by the address in its header.",
    ),
  pipelinedBytes: byteSize({ min: "0B", max: "16MiB" })
    .prefault("64KiB")
    .describe(
      "Over HTTP/1.1: bytes that may wait behind a request in flight, from 0B to 16MiB, 64KiB when left out. Beyond it the connection is not read.",
    ),
  drainedBytes: byteSize({ min: "0B", max: "16MiB" })
    .prefault("64KiB")
    .describe(
      "Over HTTP/1.1: bytes of an unread request body that are dropped to keep the connection open, from 0B to 16MiB, 64KiB when left out. Beyond it the connection closes after the answer.",
    ),
});

/** One entry of `listeners`. */
export const listenerSchema = z.strictObject({
  name: nameSchema.describe(
    "Name of the listener in records and metrics; `admin` and `authority` are those of our own.",
  ),
  address: addressSchema.describe(
    "Address host:port to accept connections on. Port 0 lets the system choose.",
  ),
  publicOrigin: z
    .string()
    .refine(isOrigin, "an origin such as https://api.example.com, without a path")
    .optional()
    .describe(
      "How callers know this listener. Redirects that name a host and no scheme take its scheme, and never that of a header. Proofs of possession (DPoP) are for it: without one, tokens that are bound to a key are refused here.",
    ),
  trustedProxies: blocksSchema
    .optional()
    .describe(
      "CIDR blocks of the proxies in front, such as [10.0.0.0/8]. What a peer from there says of its caller in `Forwarded`, or in `X-Forwarded-For`, `-Proto` and `-Host`, is believed: the caller is the right-most address that is no trusted proxy. The proxies must overwrite or remove what callers send under these names. From anybody else, and without this option, it is dropped.",
    ),
  tls: listenerTlsSchema
    .optional()
    .describe("Speaks TLS, with HTTP/1.1 or HTTP/2 in it. Plain HTTP when left out."),
  http2: http2Schema.prefault({}).describe("HTTP/2, beside HTTP/1.1 at the same address."),
  proxyProtocol: z
    .strictObject({
      from: blocksSchema.describe(
        "CIDR blocks of the balancers in front, such as [10.0.0.0/8]. Connections from anywhere else are closed.",
      ),
    })
    .readonly()
    .optional()
    .describe(
      "Each connection begins with a PROXY protocol header of version 2, which names the caller. One that comes without, with another version, or with a header that is malformed or not whole within `headTimeout` is closed.",
    ),
  serve: z
    .array(z.enum(OWN_PATHS), "a list, such as [well-known]")
    .max(OWN_PATHS.length, "each at most once")
    .readonly()
    .default([])
    .describe(
      "Our own paths that are answered here, before any route. `well-known`: the public keys of the authority, for whoever verifies what it signs (`/.well-known/sallyport/jwks.json`) and for services that check `x-sallyport-assertion` (`/.well-known/sallyport/assertions.json`); and with an https: `publicOrigin` (http: on loopback) what OAuth clients are told of each route (`/.well-known/oauth-protected-resource`, RFC 9728). `login`: where people log in and out at the providers of `oidc` authenticators (`/.sallyport/login`, `/.sallyport/callback/NAME`, `/.sallyport/logout`, `/.sallyport/backchannel-logout/NAME`); browsers that go to a page of a route with one of them are sent there. `token`: where clients get keys, ask about them and give them back (`/.sallyport/token`, `/.sallyport/introspect`, `/.sallyport/revoke`, and what clients find out by themselves at `/.well-known/oauth-authorization-server`), which needs a `publicOrigin`, `authority.tokens`, and TLS or an address on loopback. None when left out. Where a listener has one of them, no route may lie under `/.well-known/sallyport/`, `/.well-known/oauth-protected-resource`, `/.well-known/oauth-authorization-server` or `/.sallyport/`.",
    ),
  limits: listenerLimitsSchema.prefault({}).describe("What one caller may take."),
});

export type ListenerLimits = z.output<typeof listenerLimitsSchema>;
export type ListenerOptions = z.output<typeof listenerSchema>;

function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return (url.protocol === "http:" || url.protocol === "https:") && url.origin === text;
}
