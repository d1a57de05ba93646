/**
 * Our reading of request heads beside nghttp2's, which Node has: whatever we accept it accepts, and it
 * sees the very same fields. We are stricter, so not the other way round; on Bun, whose HTTP/2 is not
 * nghttp2, there is nothing to compare with.
 */
import { strict as assert } from "node:assert";
import { createServer, type Http2Server } from "node:http2";
import { connect, type Socket } from "node:net";
import test from "node:test";
import * as fc from "fast-check";
import type { Fields } from "../../src/model/http.ts";
import { PREFACE } from "../../src/wire/http2/codes.ts";
import {
  DEFAULT_FRAME_LIMITS,
  type FrameHandler,
  FrameReader,
} from "../../src/wire/http2/frame-reader.ts";
import { FrameWriter } from "../../src/wire/http2/frame-writer.ts";
import { HpackEncoder } from "../../src/wire/http2/hpack-encoder.ts";
import {
  DEFAULT_HEAD_LIMITS,
  isHeadFault,
  readRequestFields,
} from "../../src/wire/http2/request-fields.ts";

const skip = process.versions["bun"] === undefined ? false : "Bun has no nghttp2";

interface Sent {
  readonly fields: Fields;
  readonly endStream: boolean;
}

const text = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.string({
    unit: fc.constantFrom("a", "=", ";", " ", "\t", "\xe9", "\xa0", "\x85"),
    maxLength: 6,
  }),
);
const field = fc.oneof(
  fc.tuple(fc.constantFrom("accept", "x-a", "x_b", "cookie", "priority", "!#$%&'*+.^`|~"), text),
  fc.tuple(fc.constant("host"), fc.constantFrom("a.example", "A.EXAMPLE", "b", "")),
  fc.tuple(fc.constant("te"), fc.constantFrom("trailers", "Trailers", "gzip")),
  fc.tuple(fc.constant("content-length"), fc.constantFrom("0", "7", "007", "+1", "")),
  fc.tuple(fc.constantFrom("expect", "connection", "upgrade", "keep-alive"), fc.constant("a")),
  fc.tuple(text, text),
);
const request = fc
  .record({
    method: fc.oneof(fc.constantFrom("GET", "POST", "OPTIONS", "HEAD", "PROPFIND", "get"), text),
    scheme: fc.constantFrom("http", "https"),
    authority: fc.oneof(fc.constantFrom("a.example", "a_b:81", "[::1]:2"), text),
    path: fc.oneof(
      fc.webPath().map((path) => `/${path}`),
      fc.string({ unit: "grapheme-ascii", maxLength: 6 }).map((path) => `/${path}`),
      fc.constantFrom("*", "/\\", "/?#", "//"),
    ),
    hasAuthority: fc.boolean(),
    fields: fc.array(field, { maxLength: 4 }),
    endStream: fc.boolean(),
  })
  .map(({ method, scheme, authority, path, hasAuthority, fields, endStream }): Sent => {
    const list = [":method", method, ":scheme", scheme, ":path", path];
    if (hasAuthority) list.push(":authority", authority);
    return { fields: [...list, ...fields.flat()], endStream };
  })
  .filter(({ fields, endStream }) => accepts(fields, endStream));

test("nghttp2 accepts the heads that we accept, with the same fields", { skip }, async () => {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 20 }), async (sent) => {
        const seen = await seenBy(server, sent);
        assert.deepEqual(
          seen,
          sent.map(({ fields }) => fields),
        );
      }),
      { numRuns: 100 },
    );
  } finally {
    server.close();
  }
});

function accepts(fields: Fields, endStream: boolean): boolean {
  return !isHeadFault(readRequestFields(fields, endStream, DEFAULT_HEAD_LIMITS));
}

/** The fields of each request as the server has them, or why there are none. */
async function seenBy(server: Http2Server, sent: readonly Sent[]): Promise<unknown[]> {
  const { port } = server.address() as { readonly port: number };
  const socket = connect(port, "127.0.0.1");
  const seen: unknown[] = sent.map(() => "nothing");
  server.removeAllListeners("stream");
  server.on("stream", (stream, _headers, _flags, raw: unknown) => {
    seen[((stream.id ?? 1) - 1) / 2] = raw;
    stream.on("error", () => {});
    stream.close();
  });
  try {
    await heard(socket, sent, seen);
  } finally {
    socket.destroy();
  }
  return seen;
}

/** Sends the requests and waits for the acknowledgement of a PING behind them. */
async function heard(socket: Socket, sent: readonly Sent[], seen: unknown[]): Promise<void> {
  const encoder = new HpackEncoder();
  const writer = new FrameWriter();
  writer.settings([]);
  for (const [index, { fields, endStream }] of sent.entries()) {
    writer.headers(index * 2 + 1, encoder.encode(fields), endStream);
  }
  writer.ping(Buffer.alloc(8), false);
  socket.write(Buffer.concat([PREFACE, ...writer.take()]));
  await new Promise<void>((resolve, reject) => {
    const ignore = (): void => {};
    const handler: FrameHandler = {
      data: ignore,
      headers: ignore,
      settings: ignore,
      settingsAck: ignore,
      windowUpdate: ignore,
      priority: ignore,
      unknown: ignore,
      ping: () => setImmediate(resolve),
      rstStream: (streamId, code) => {
        const index = (streamId - 1) / 2;
        if (seen[index] === "nothing") seen[index] = `reset with ${code}`;
      },
      goaway: (_last, code) => reject(new Error(`GOAWAY ${code}`)),
      fault: ({ detail }) => reject(new Error(detail)),
    };
    const reader = new FrameReader(handler, { ...DEFAULT_FRAME_LIMITS, side: "client" });
    socket.on("data", (chunk: Buffer) => reader.read(chunk));
    socket.on("error", reject);
  });
}
