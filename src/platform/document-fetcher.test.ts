import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { SallyportError } from "../model/errors.ts";
import { createDocumentFetcher } from "./document-fetcher.ts";

const LIMITS = { timeoutMs: 5000, maxBytes: 1000 };
const fetcher = createDocumentFetcher();

/** A provider on loopback; the origin that it answers on. */
async function provider(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A provider that speaks bytes, for what an HTTP server would not send. */
async function rawProvider(t: TestContext, speak: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("data", () => speak(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function json(body: string, headers: Record<string, string> = {}): RequestListener {
  return (_request, response) => {
    response.writeHead(200, { "content-type": "application/json", ...headers });
    response.end(body);
  };
}

async function refusal(url: string, limits = LIMITS): Promise<string> {
  const error: unknown = await fetcher.fetchJson(url, limits).then(
    () => assert.fail("it should have been refused"),
    (cause: unknown) => cause,
  );
  assert.ok(error instanceof SallyportError && error.code === "fetch-failed", String(error));
  return error.message;
}

test("fetchJson() gives the document, asks for plain JSON, and closes the connection", async (t) => {
  const seen: string[] = [];
  const origin = await provider(t, (request, response) => {
    seen.push(`${request.method} ${request.url}`, String(request.headers.accept));
    seen.push(String(request.headers["accept-encoding"]), String(request.headers.connection));
    json('{"a":1}')(request, response);
  });
  const answer = await fetcher.fetchJson(`${origin}/keys?x=y`, LIMITS);
  assert.deepEqual({ ...(answer.body as object) }, { a: 1 });
  assert.equal(answer.maxAgeSeconds, undefined);
  assert.deepEqual(seen, ["GET /keys?x=y", "application/json", "identity", "close"]);
});

test("fetchJson() reads how long the answer may be used", async (t) => {
  const cases: readonly [headers: Record<string, string>, seconds: number | undefined][] = [
    [{}, undefined],
    [{ "cache-control": "public, max-age=300" }, 300],
    [{ "cache-control": "MAX-AGE=300" }, 300],
    [{ "cache-control": 'max-age="300"' }, 300],
    [{ "cache-control": "max-age=300", age: "100" }, 200],
    [{ "cache-control": "max-age=300", age: "400" }, 0],
    [{ "cache-control": "max-age=300", age: "x" }, 300],
    [{ "cache-control": "no-store, max-age=300" }, 0],
    [{ "cache-control": "no-cache" }, 0],
    [{ "cache-control": "max-age=-5" }, undefined],
    [{ "cache-control": "max-age=1e9" }, undefined],
    [{ "cache-control": "s-maxage=300" }, undefined],
  ];
  for (const [headers, seconds] of cases) {
    const origin = await provider(t, json("{}", headers));
    const { maxAgeSeconds } = await fetcher.fetchJson(origin, LIMITS);
    assert.equal(maxAgeSeconds, seconds, JSON.stringify(headers));
  }
});

test("fetchJson() takes JSON by its media type", async (t) => {
  for (const type of [
    "application/json",
    "application/jwk-set+json",
    "Application/JSON; charset=utf-8",
  ]) {
    const origin = await provider(t, json("{}", { "content-type": type }));
    await fetcher.fetchJson(origin, LIMITS);
  }
});

test("fetchJson() refuses what is not a plain 200 with strict JSON", async (t) => {
  const status =
    (code: number, headers: Record<string, string> = {}): RequestListener =>
    (_request, response) => {
      response.writeHead(code, { "content-type": "application/json", ...headers });
      response.end("{}");
    };
  const cases: readonly [name: string, answer: RequestListener, message: RegExp][] = [
    ["302", status(302, { location: "/elsewhere" }), /redirects are not followed/],
    ["301 to another origin", status(301, { location: "http://127.0.0.1:1/" }), /redirects/],
    ["404", status(404), /answered 404/],
    ["500", status(500), /answered 500/],
    ["206", status(206), /answered 206/],
    ["HTML", json("<html>", { "content-type": "text/html" }), /not JSON/],
    ["JSON that says it is text", json("{}", { "content-type": "text/plain" }), /not JSON/],
    ["a type that only begins so", json("{}", { "content-type": "application/jsonp" }), /not JSON/],
    ["HTML that says it is JSON", json("<html>"), /not strict JSON/],
    ["repeated member", json('{"a":1,"a":2}'), /not strict JSON/],
    ["nothing", json(""), /not strict JSON/],
    [
      "compressed",
      (_request, response) => {
        response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" });
        response.end(gzipSync("{}"));
      },
      /compressed/,
    ],
    [
      "larger than allowed, as it says",
      json(`"${"x".repeat(2000)}"`, { "content-length": "2002" }),
      /larger than 1000/,
    ],
    [
      "larger than allowed, as it turns out",
      (_request, response) => {
        response.writeHead(200, { "content-type": "application/json" });
        response.write(`"${"x".repeat(600)}`);
        response.write("x".repeat(600));
        response.end('"');
      },
      /larger than 1000/,
    ],
  ];
  for (const [name, answer, message] of cases) {
    await t.test(name, async () => assert.match(await refusal(await provider(t, answer)), message));
  }
});

test("fetchJson() does not wait for a body that says it is too large", async (t) => {
  const origin = await rawProvider(t, (socket) => {
    socket.write(
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1001\r\n\r\n",
    );
  });
  assert.match(await refusal(origin), /larger than 1000/);
});

test("fetchJson() asks nobody else when it is redirected", async (t) => {
  const asked: string[] = [];
  const origin = await provider(t, (request, response) => {
    asked.push(request.url ?? "");
    response.writeHead(302, { location: "/elsewhere" });
    response.end();
  });
  await refusal(origin);
  assert.deepEqual(asked, ["/"]);
});

test("fetchJson() ends at its deadline, whatever the provider does meanwhile", async (t) => {
  const limits = { timeoutMs: 150, maxBytes: 1_000_000 };
  await t.test("no answer", async () => {
    assert.match(await refusal(await rawProvider(t, () => undefined), limits), /within 150 ms/);
  });
  await t.test("a head and then nothing", async () => {
    const origin = await rawProvider(t, (socket) => {
      socket.write(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\n",
      );
    });
    assert.match(await refusal(origin, limits), /within 150 ms/);
  });
  await t.test("a body that trickles, so that no idle timeout would end it", async () => {
    const origin = await rawProvider(t, (socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n[");
      const timer = setInterval(() => socket.write("1,"), 10);
      socket.on("close", () => clearInterval(timer));
    });
    assert.match(await refusal(origin, limits), /within 150 ms/);
  });
});

test("fetchJson() closes the connection of a provider that it gives up on", async (t) => {
  const closed = Promise.withResolvers<void>();
  const origin = await rawProvider(t, (socket) => {
    socket.on("close", () => closed.resolve());
  });
  await refusal(origin, { timeoutMs: 50, maxBytes: 1000 });
  await closed.promise;
});

test("fetchJson() takes no answer that breaks off", async (t) => {
  const head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
  for (const bytes of [
    `${head}content-length: 20\r\n\r\n{"a":1}`,
    `${head}transfer-encoding: chunked\r\n\r\n7\r\n{"a":1}\r\n`,
    "HTTP/1.1 200",
    "not HTTP\r\n\r\n",
  ]) {
    const origin = await rawProvider(t, (socket) => socket.end(bytes));
    assert.match(await refusal(origin), /connection/);
  }
});

test("fetchJson() names origin and path in its errors, and no query and no credentials", async (t) => {
  const origin = await provider(t, (_request, response) => {
    response.writeHead(500).end("CANARY-body");
  });
  const url = new URL(`${origin}/keys?token=CANARY-query`);
  url.username = "CANARY-user";
  url.password = "CANARY-password";
  const message = await refusal(url.href);
  assert.equal(message, `${origin}/keys: answered 500`);
});

test("fetchJson() says so when nobody listens", async () => {
  // Port 1 of loopback: nobody listens there.
  assert.match(await refusal("http://127.0.0.1:1/keys"), /the connection failed/);
});

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

test(
  "fetchJson() checks certificates, whatever the environment says",
  { skip: !hasOpenssl },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "sallyport-fetcher-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
    const how =
      "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1";
    spawnSync("openssl", [...how.split(" "), "-keyout", key, "-out", cert]);
    const server = createTlsServer(
      { key: readFileSync(key), cert: readFileSync(cert) },
      json("{}"),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    t.after(() => {
      if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
      else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before;
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    assert.match(await refusal(`https://127.0.0.1:${port}/keys`), /DEPTH_ZERO_SELF_SIGNED_CERT/);
  },
);
