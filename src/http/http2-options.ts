/** `listeners[].http2`: what one HTTP/2 connection may take of a listener. */
import { z } from "zod";
import { byteSize } from "../model/options.ts";

export const http2Schema = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe(
      "Whether HTTP/2 is spoken, true when left out: with TLS to callers that ask for it (ALPN `h2`), without TLS to those whose first bytes are its preface. HTTP/1.1 is spoken in any case.",
    ),
  maxStreams: z
    .int()
    .min(1)
    .max(10_000)
    .default(100)
    .describe(
      "Requests in flight at once on one connection, from 1 to 10000, 100 when left out. Further ones are refused with REFUSED_STREAM, which tells the caller that it may send them again.",
    ),
  streamWindow: byteSize({ min: "64KiB", max: "16MiB" })
    .prefault("256KiB")
    .describe(
      "Bytes that a caller may send of one request's body before the service has taken them, from 64KiB to 16MiB, 256KiB when left out. A connection holds at most `maxStreams` times as much; smaller ones slow down uploads over long distances.",
    ),
});

export type Http2Options = z.output<typeof http2Schema>;

/** What an HTTP/2 connection may take, beside what any connection may. */
export type Http2Limits = Pick<Http2Options, "maxStreams" | "streamWindow">;
