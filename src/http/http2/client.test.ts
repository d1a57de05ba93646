/**
 * Our client against `node:http2`, a peer that shares nothing with it: what callers over HTTP/1.1 send
 * arrives whole at an h2c: service, and its answers come back whole.
 */
import assert from "node:assert/strict";
import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { Loopback, type LoopbackOptions } from "../loopback.fixture.ts";

type Answer = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

test("a request goes to an h2c: service, and its answer comes back", async () => {
  await using ground = await start((stream, headers) => {
    stream.respond({
      ":status": 200,
      "x-saw": `${headers[":method"]} ${headers[":scheme"]} ${headers[":authority"]} ${headers[":path"]} ${headers["cookie"]}`,
      "set-cookie": ["a=1", "b=2"],
    });
    stream.end("hello");
  });
  const answer = await ground.ask(
    "GET /a?b HTTP/1.1\r\nHost: x:1\r\nCookie: a=b; c=d\r\n\r\n",
    "0\r\n\r\n",
  );
  assert.match(answer, /^HTTP\/1.1 200 OK\r\n/);
  assert.match(answer, /x-saw: GET http x:1 \/a\?b a=b; c=d\r\n/);
  assert.match(answer, /set-cookie: a=1\r\nset-cookie: b=2\r\n/);
  assert.match(answer, /\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/);
});

test("bodies go both ways in either framing, and trailers with them", async (t) => {
  const echo: Answer = (stream, headers) => {
    const pieces: Buffer[] = [];
    let trailers: IncomingHttpHeaders = {};
    stream.on("trailers", (sent) => (trailers = sent));
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("end", () => {
      stream.respond(
        { "x-length": headers["content-length"] ?? "none" },
        { waitForTrailers: true },
      );
      stream.on("wantTrailers", () => {
        stream.sendTrailers({ "x-sum": "7", "x-back": trailers["x-up"] ?? "none" });
      });
      stream.end(Buffer.concat(pieces));
    });
  };
  await using ground = await start(echo);
  await t.test("length", async () => {
    const request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    const answer = await ground.ask(request, /0\r\n[^]*\r\n\r\n$/);
    assert.match(answer, /x-length: 5\r\n/);
    assert.match(answer, /\r\n5\r\nhello\r\n0\r\nx-sum: 7\r\nx-back: none\r\n\r\n$/);
  });
  await t.test("chunked with trailers", async () => {
    const head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    const answer = await ground.ask(
      `${head}5\r\nhello\r\n0\r\nx-up: 3\r\n\r\n`,
      /0\r\n[^]*\r\n\r\n$/,
    );
    assert.match(answer, /x-length: none\r\n/);
    assert.match(answer, /\r\n5\r\nhello\r\n0\r\nx-sum: 7\r\nx-back: 3\r\n\r\n$/);
  });
  await t.test("large", async () => {
    const body = "0123456789".repeat(100_000);
    const request = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const answer = await ground.ask(request, /\r\n0\r\n[^]*\r\n\r\n$/);
    assert.equal(dechunked(answer), body);
  });
});

test("an answer without a body is one over HTTP/1.1 too", async (t) => {
  const cases: [method: string, status: number, fields: object, expected: RegExp][] = [
    ["GET", 200, {}, /^HTTP\/1.1 200 OK\r\n[^]*content-length: 0\r\n/],
    ["HEAD", 200, { "content-length": 7 }, /^HTTP\/1.1 200 OK\r\n[^]*content-length: 7\r\n/],
    ["GET", 204, {}, /^HTTP\/1.1 204 No Content\r\n/],
    ["GET", 304, { etag: '"a"' }, /^HTTP\/1.1 304 Not Modified\r\n/],
    ["POST", 404, { "content-length": 0 }, /^HTTP\/1.1 404 Not Found\r\n[^]*content-length: 0\r\n/],
  ];
  for (const [method, status, fields, expected] of cases) {
    await t.test(`${method} ${status}`, async () => {
      await using ground = await start((stream) => {
        stream.respond({ ":status": status, ...fields }, { endStream: true });
      });
      const request = `${method} / HTTP/1.1\r\nHost: x\r\n\r\n`;
      // Twice on one connection: nothing of the first is left in it.
      assert.match(await ground.ask(request, "\r\n\r\n"), expected);
      assert.match(await ground.ask(request, "\r\n\r\n"), expected);
    });
  }
});

test("`te: trailers` reaches the service when the caller sent exactly that", async (t) => {
  await using ground = await start((stream, headers) => {
    stream.respond({ "x-te": headers["te"] ?? "none", "content-length": 0 }, { endStream: true });
  });
  const cases: [sent: string, seen: string][] = [
    ["TE: trailers\r\nConnection: TE\r\n", "trailers"],
    ["TE: Trailers\r\nConnection: TE\r\n", "trailers"],
    ["TE: trailers, gzip\r\nConnection: TE\r\n", "none"],
    ["TE: gzip\r\nConnection: TE\r\n", "none"],
    ["", "none"],
  ];
  for (const [sent, seen] of cases) {
    await t.test(JSON.stringify(sent), async () => {
      const answer = await ground.ask(`GET / HTTP/1.1\r\nHost: x\r\n${sent}\r\n`, "\r\n\r\n");
      assert.match(answer, new RegExp(`x-te: ${seen}\r\n`));
    });
  }
});

test("interim answers end here", async () => {
  await using ground = await start((stream) => {
    stream.additionalHeaders({ ":status": 103, link: "</a>; rel=preload" });
    stream.respond({ "content-length": 2 });
    stream.end("ok");
  });
  const answer = await ground.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "ok");
  assert.match(answer, /^HTTP\/1.1 200 OK\r\n/);
  assert.doesNotMatch(answer, /preload/);
});

test("an answer that comes before the request is complete is complete", async () => {
  await using ground = await start((stream) => {
    stream.respond({ ":status": 413, "content-length": 3 });
    stream.end("big");
    stream.on("error", () => {});
  });
  const caller = await ground.proxy.caller();
  caller.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nbegun");
  assert.match(await caller.until("big"), /^HTTP\/1.1 413 [^]*\r\n\r\nbig$/);
  assert.equal((await ground.proxy.outcome(0)).end, "complete");
});

test("an event stream is passed on piece by piece", async () => {
  let more: (() => void) | undefined;
  await using ground = await start((stream) => {
    stream.respond({ "content-type": "text/event-stream" });
    more = () => stream.write("data: a\n\n");
    stream.on("error", () => {});
  });
  const caller = await ground.proxy.caller();
  caller.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await caller.until("\r\n\r\n");
  more?.();
  await caller.until("data: a\n\n\r\n");
  more?.();
  await caller.until("data: a\n\n\r\n");
});

test("hundreds of requests at once share the connections that the service allows", async () => {
  await using ground = await start(
    (stream, headers) => {
      stream.respond({ "x-path": headers[":path"] ?? "", "content-length": 2 });
      setImmediate(() => stream.end("ok"));
    },
    {},
    { settings: { maxConcurrentStreams: 50 } },
  );
  const asked = Array.from({ length: 300 }, async (_, index) => {
    const answer = await ground.ask(`GET /${index} HTTP/1.1\r\nHost: x\r\n\r\n`, "ok");
    assert.ok(answer.includes(`x-path: /${index}\r\n`), answer);
  });
  await Promise.all(asked);
  assert.ok(ground.sessions() <= 6, `${ground.sessions()} connections`);
});

test("a health check asks over the protocol of the endpoint, on a connection of its own", async () => {
  const paths: string[] = [];
  const health = { path: "/healthz", interval: "1s", unhealthy: 1 };
  await using ground = await start(
    (stream, headers) => {
      paths.push(headers[":path"] ?? "");
      stream.respond({ ":status": 200 }, { endStream: true });
    },
    { service: { health } },
  );
  ground.proxy.timers.runAll();
  while (paths.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(paths, ["/healthz"]);
  await ground.ask("GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n\r\n");
  assert.equal(ground.sessions(), 2);
});

interface Ground extends AsyncDisposable {
  readonly proxy: Loopback;
  /** How many connections the service has had. */
  sessions(): number;
  /** Sends this on a connection of its own and returns what comes up to the match. */
  ask(request: string, until: RegExp | string): Promise<string>;
}

async function start(
  answer: Answer,
  options: LoopbackOptions = {},
  serverOptions: Parameters<typeof createServer>[0] = {},
): Promise<Ground> {
  const server: Http2Server = createServer(serverOptions);
  let sessions = 0;
  server.on("session", () => (sessions += 1));
  server.on("stream", answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const service = { endpoints: [`h2c://127.0.0.1:${port}`], ...options.service };
  const proxy = await new Loopback({ ...options, service }).start();
  return {
    proxy,
    sessions: () => sessions,
    async ask(request, until) {
      const caller = await proxy.caller();
      caller.send(request);
      return caller.until(until);
    },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The body of a chunked message. */
function dechunked(message: string): string {
  let at = message.indexOf("\r\n\r\n") + 4;
  let body = "";
  for (;;) {
    const end = message.indexOf("\r\n", at);
    const size = Number.parseInt(message.slice(at, end), 16);
    if (size === 0) return body;
    body += message.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
  }
}
