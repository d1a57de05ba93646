import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { join } from "node:path";
import { promisify } from "node:util";
import { createRoot } from "../../test/certificates.ts";
import type { Example, Ground } from "../example.ts";
import { type Seen, startService } from "../services.ts";

const run = promisify(execFile);
const root = createRoot("Example Root");
/** Connections that the proxy has opened to the service that speaks HTTP/2. */
const sessions = new Set<ServerHttp2Session>();

export const example: Example = {
  async prepare(ground) {
    const certs = join(ground.folder, "certs");
    mkdirSync(certs);
    const edge = root.issue({ name: "edge", dns: ["localhost"] });
    writeFileSync(join(certs, "edge.pem"), edge.chainPem);
    writeFileSync(join(certs, "edge.key"), edge.keyPem, { mode: 0o600 });
    await startService(ground, 9001, "stock");
    await startPrices(ground, 9002);
  },
  tries: [
    {
      shows: "many requests at once on one connection, to a service that speaks HTTP/1.1",
      run: (world) =>
        withSession(`http://${world.address("edge")}`, async (session) => {
          const paths = Array.from({ length: 20 }, (_, index) => `/stock/${index}`);
          const answers = await Promise.all(paths.map((path) => get(session, path)));
          assert.deepEqual(
            answers.map(({ body }) => (JSON.parse(body) as Seen).target),
            paths,
          );
        }),
    },
    {
      shows: "one that is refused leaves the others on its connection alone",
      run: (world) =>
        withSession(`http://${world.address("edge")}`, async (session) => {
          const [refused, answered] = await Promise.all([
            get(session, "/stock/vault/1"),
            get(session, "/stock/1"),
          ]);
          assert.equal(refused.headers[":status"], 403);
          assert.match(refused.body, /"reason":"forbidden"/);
          assert.equal(answered.headers[":status"], 200);
        }),
    },
    {
      shows: "curl speaks it without TLS, and HTTP/1.1 at the same address",
      async run(world) {
        const url = `http://${world.address("edge")}/prices/bolt`;
        const print = ["--silent", "--show-error", "--write-out", " HTTP/%{http_version}", url];
        assert.equal(
          (await run("curl", ["--http2-prior-knowledge", ...print])).stdout,
          "12 HTTP/2",
        );
        assert.equal((await run("curl", ["--http1.1", ...print])).stdout, "12 HTTP/1.1");
      },
    },
    {
      shows: "over TLS it is agreed by ALPN",
      run: (world) => {
        const [, port] = world.address("secure").split(":");
        return withSession(`https://localhost:${port}`, async (session) => {
          assert.equal((await get(session, "/prices/nut")).body, "12");
          assert.equal(session.alpnProtocol, "h2");
        });
      },
    },
    {
      shows: "callers of HTTP/1.1 reach a service that speaks HTTP/2, on one connection to it",
      async run(world) {
        const url = `http://${world.address("edge")}/prices/`;
        const bodies = await Promise.all(
          Array.from({ length: 20 }, async (_, index) => (await fetch(`${url}${index}`)).text()),
        );
        assert.deepEqual(new Set(bodies), new Set(["12"]));
        assert.equal(sessions.size, 1);
      },
    },
    {
      shows:
        "a caller that does not read one answer gets the others all the same, and trailers at the end",
      run: (world) =>
        withSession(`http://${world.address("edge")}`, async (session) => {
          const slow = session.request({ ":path": "/prices/all" });
          await once(slow, "response");
          // Nobody reads it: more than all windows on the way hold is still to come.
          for (let count = 0; count < 5; count++) {
            assert.equal((await get(session, "/prices/bolt")).body, "12");
          }
          const trailers = once(slow, "trailers") as Promise<[IncomingHttpHeaders]>;
          let bytes = 0;
          for await (const chunk of slow) bytes += (chunk as Buffer).length;
          assert.equal(bytes, PRICE_LIST.length);
          const [{ "x-prices": prices }] = await trailers;
          assert.equal(prices, "400000");
        }),
    },
  ],
};

const PRICE_LIST = Buffer.alloc(4_000_000, "0000000012");

/** A service on HTTP/2 without TLS: one price, or all of them with their number behind. */
async function startPrices(ground: Ground, written: number): Promise<void> {
  const server = createServer();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => {});
    if (headers[":path"] !== "/prices/all") {
      stream.respond({ ":status": 200 });
      stream.end("12");
      return;
    }
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-prices": "400000" }));
    stream.end(PRICE_LIST);
  });
  server.listen(ground.port(written), "127.0.0.1");
  await once(server, "listening");
  ground.onEnd(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
}

async function withSession(
  url: string,
  use: (session: ClientHttp2Session) => Promise<void>,
): Promise<void> {
  const session = connect(url, { ca: root.pem });
  try {
    await use(session);
  } finally {
    session.destroy();
  }
}

async function get(
  session: ClientHttp2Session,
  path: string,
): Promise<{ readonly headers: IncomingHttpHeaders; readonly body: string }> {
  const stream = session.request({ ":path": path });
  const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders];
  let body = "";
  for await (const chunk of stream) body += String(chunk);
  return { headers, body };
}
