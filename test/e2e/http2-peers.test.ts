/**
 * Independent peers against `sallyport run`, with prior knowledge and over TLS: curl and nghttp
 * (nghttp2), h2load, and the HTTP/2 client of Node. Bodies of several sizes up, large answers down,
 * trailers, many streams at once; and the log has each request.
 */
import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { connect, type ClientHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import test, { after } from "node:test";
import { absent, runTool } from "../http2/tools.ts";
import { startStage, type Stage, type StageOptions, until } from "./stage.ts";

const MIB = 1024 * 1024;
const LARGE = 24 * MIB;

/** Says what it got, as a digest; sends 24 MiB at /service/large; has trailers at /service/trailers. */
// nghttp sends 24 KiB of fields to have them continued.
const service = createServer({ maxHeaderSize: 64 * 1024 }, (request, response) => {
  if (request.url === "/service/large") {
    response.writeHead(200, { "content-length": LARGE });
    const piece = Buffer.alloc(64 * 1024, "0123456789abcdef");
    let left = LARGE;
    const more = (): void => {
      while (left > 0) {
        left -= piece.length;
        if (!response.write(piece)) return;
      }
      response.end();
    };
    response.on("drain", more);
    more();
    return;
  }
  if (request.url === "/service/trailers") {
    response.writeHead(200, { trailer: "x-checksum" });
    response.write("with trailers");
    response.addTrailers({ "x-checksum": "abc" });
    response.end();
    return;
  }
  const digest = createHash("sha256");
  let size = 0;
  request.on("data", (chunk: Buffer) => {
    digest.update(chunk);
    size += chunk.length;
  });
  request.on("end", () => response.end(`${request.method} ${size} ${digest.digest("hex")}`));
});
await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
const { port } = service.address() as AddressInfo;
const OPTIONS: StageOptions = {
  services: `  digest: { endpoints: ["http://127.0.0.1:${port}"] }`,
  routes: `  - { name: digest, path: "/service/*", service: digest, authenticate: [anonymous] }`,
};
const plain = await startStage(OPTIONS);
const secure = await startStage({ ...OPTIONS, tls: true });
after(async () => {
  await Promise.all([plain.close(), secure.close()]);
  service.closeAllConnections();
  await new Promise((resolve) => service.close(resolve));
});

const GROUNDS = [
  { over: "prior knowledge", stage: plain, tls: false },
  { over: "TLS", stage: secure, tls: true },
] as const;

const SIZES = [0, 1, 16_383, 16_384, 16_385, 65_535, 65_536, 3 * MIB];

function digestOf(method: string, body: Buffer): string {
  return `${method} ${body.length} ${createHash("sha256").update(body).digest("hex")}`;
}

function bodyOf(size: number): Buffer {
  return Buffer.alloc(size, "a body of some length, whatever it is; ");
}

/** The arguments that make curl speak HTTP/2 to this stage, and its URL. */
function curlArguments({ stage, tls }: (typeof GROUNDS)[number], path: string): string[] {
  const [, listening = ""] = stage.proxy.split(":");
  const url = `${tls ? "https" : "http"}://api.example:${listening}${path}`;
  const door = tls ? ["--http2", "--insecure"] : ["--http2-prior-knowledge"];
  const resolved = ["--resolve", `api.example:${listening}:127.0.0.1`];
  return [...door, ...resolved, "--silent", "--show-error", "--max-time", "60", url];
}

const noCurl = absent("curl", /HTTP2/);
const noNghttp = absent("nghttp");
const noH2load = absent("h2load");

for (const ground of GROUNDS) {
  test(`curl over ${ground.over} gets and posts`, { skip: noCurl }, async () => {
    const got = await runTool("curl", [
      ...curlArguments(ground, "/service/a"),
      "--write-out",
      " HTTP/%{http_version} %{http_code}",
    ]);
    assert.equal(got.stdout, `${digestOf("GET", Buffer.alloc(0))} HTTP/2 200`, got.stderr);
    for (const size of SIZES) {
      const body = bodyOf(size);
      const args = [...curlArguments(ground, "/service/a"), "--data-binary", "@-"];
      const { stdout, stderr } = await runTool("curl", args, body);
      assert.equal(stdout, digestOf("POST", body), stderr);
    }
  });

  test(`curl over ${ground.over} sends a body of unknown length`, { skip: noCurl }, async () => {
    const body = bodyOf(200_000);
    const args = [...curlArguments(ground, "/service/a"), "--upload-file", "-"];
    const { stdout, stderr } = await runTool("curl", args, body);
    assert.equal(stdout, digestOf("PUT", body), stderr);
  });

  test(`curl over ${ground.over} takes a large answer whole`, { skip: noCurl }, async () => {
    const args = [...curlArguments(ground, "/service/large"), "--output", "/dev/null"];
    const { stdout, stderr } = await runTool("curl", [...args, "--write-out", "%{size_download}"]);
    assert.equal(stdout, String(LARGE), stderr);
  });

  test(`curl over ${ground.over} is denied as it should be`, { skip: noCurl }, async () => {
    for (const [path, status] of [
      ["/guarded/x", 401],
      ["/secret", 403],
      ["/open%2fx", 400],
    ] as const) {
      const args = [...curlArguments(ground, path), "--write-out", "%{http_code}"];
      const { stdout, stderr } = await runTool("curl", [...args, "--output", "/dev/null"]);
      assert.equal(stdout, String(status), stderr);
    }
  });

  // curl 7.88 mixes up its own transfers with prior knowledge, to node:http2 as to us.
  const noParallel = ground.tls ? noCurl : "curl cannot do so with prior knowledge";
  test(`curl over ${ground.over} asks many at once`, { skip: noParallel }, async () => {
    const one = curlArguments(ground, "/service/a");
    const url = one.at(-1) ?? "";
    const urls = Array.from({ length: 50 }, (_, index) => `${url}${index}`);
    const args = [...one.slice(0, -1), "--parallel", "--parallel-max", "50", ...urls];
    const { stdout, stderr, code } = await runTool("curl", args);
    assert.equal(code, 0, stderr);
    assert.equal(stdout.split("GET 0 ").length - 1, urls.length);
  });

  test(`nghttp over ${ground.over} gets and posts`, { skip: noNghttp }, async () => {
    const url = `${ground.tls ? "https" : "http"}://${ground.stage.proxy}/service/a`;
    const file = join(ground.stage.folder, "body");
    for (const size of SIZES) {
      const body = bodyOf(size);
      writeFileSync(file, body);
      const { stdout, stderr } = await runTool("nghttp", [`--data=${file}`, url]);
      assert.equal(stdout, digestOf("POST", body), stderr);
    }
    const got = await runTool("nghttp", ["--continuation", "--padding=100", url]);
    assert.equal(got.stdout, digestOf("GET", Buffer.alloc(0)), got.stderr);
  });

  test(`nghttp over ${ground.over} gets trailers`, { skip: noNghttp }, async () => {
    const url = `${ground.tls ? "https" : "http"}://${ground.stage.proxy}/service/trailers`;
    const { stdout } = await runTool("nghttp", ["-v", "--header=te: trailers", url]);
    assert.match(stdout, /with trailers/);
    assert.match(stdout, /x-checksum: abc/);
  });

  test(`h2load over ${ground.over} is answered, all of it`, { skip: noH2load }, async () => {
    const url = `${ground.tls ? "https" : "http"}://${ground.stage.proxy}/service/a`;
    const args = ["--requests=2000", "--clients=4", "--max-concurrent-streams=50", url];
    const { stdout, stderr } = await runTool("h2load", args);
    assert.match(stdout, /2000 succeeded, 0 failed, 0 errored, 0 timeout/, stdout + stderr);
    assert.match(stdout, /status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx/);
  });

  test(`h2load over ${ground.over} posts, all of it`, { skip: noH2load }, async () => {
    const url = `${ground.tls ? "https" : "http"}://${ground.stage.proxy}/service/a`;
    const file = join(ground.stage.folder, "load");
    writeFileSync(file, bodyOf(100_000));
    const args = ["--requests=200", "--clients=2", "--max-concurrent-streams=20"];
    const { stdout, stderr } = await runTool("h2load", [...args, `--data=${file}`, url]);
    assert.match(stdout, /200 succeeded, 0 failed, 0 errored, 0 timeout/, stdout + stderr);
    assert.match(stdout, /status codes: 200 2xx/);
  });
}

/** Bun's client is no independent witness: it fails against Node's own server in places. */
const noNode = process.versions["bun"] === undefined ? false : "Node's own HTTP/2 client, on Node";

for (const { over, stage, tls } of GROUNDS) {
  test(`node:http2 over ${over}: bodies of all sizes at once`, { skip: noNode }, async () => {
    const session = connectTo(stage, tls);
    const answers = SIZES.flatMap((size) => [size, size]).map(async (size) => {
      const body = bodyOf(size);
      const { status, text } = await ask(session, { method: "POST", path: "/service/a", body });
      assert.deepEqual([status, text], [200, digestOf("POST", body)]);
    });
    await Promise.all(answers);
    session.destroy();
  });

  test(
    `node:http2 over ${over}: large answers at once, and a small one beside`,
    { skip: noNode },
    async () => {
      const session = connectTo(stage, tls);
      const large = Array.from({ length: 3 }, () => ask(session, { path: "/service/large" }));
      const small = await ask(session, { path: "/service/a" });
      assert.equal(small.text, digestOf("GET", Buffer.alloc(0)));
      for (const { status, text } of await Promise.all(large)) {
        assert.deepEqual([status, text.length], [200, LARGE]);
      }
      session.destroy();
    },
  );

  test(`node:http2 over ${over}: trailers`, { skip: noNode }, async () => {
    const session = connectTo(stage, tls);
    const { trailers } = await ask(session, { path: "/service/trailers" });
    assert.equal(trailers["x-checksum"], "abc");
    session.destroy();
  });
}

test("each request of a peer has its decision and its completion", async () => {
  for (const { stage } of GROUNDS) {
    const idsOf = (kind: string, named?: string): unknown[] =>
      stage
        .records()
        .filter(({ type, route }) => type === kind && (named === undefined || route === named))
        .map(({ decisionId }) => decisionId);
    const decided = idsOf("decision", "digest");
    assert.ok(noCurl !== false || decided.length > 60);
    // Completions are written in batches.
    await until(() => {
      const completed = new Set(idsOf("completion"));
      return decided.every((id) => completed.has(id));
    });
  }
});

function connectTo({ proxy }: Stage, tls: boolean): ClientHttp2Session {
  const session = connect(`${tls ? "https" : "http"}://${proxy}`, {
    rejectUnauthorized: false,
    servername: "api.example",
    // What is given to it whole counts against its own limit of memory.
    maxSessionMemory: 200,
  });
  session.on("error", () => undefined);
  return session;
}

interface Answered {
  readonly status: number;
  readonly text: string;
  readonly trailers: Readonly<Record<string, unknown>>;
}

async function ask(
  session: ClientHttp2Session,
  { method = "GET", path, body }: { method?: string; path: string; body?: Buffer },
): Promise<Answered> {
  const stream = session.request({
    ":method": method,
    ":path": path,
    ":authority": "api.example",
    te: "trailers",
  });
  let status = 0;
  let trailers: Readonly<Record<string, unknown>> = {};
  stream.on("response", (headers) => (status = Number(headers[":status"])));
  stream.on("trailers", (fields) => (trailers = fields));
  stream.end(body);
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return { status, text: Buffer.concat(chunks).toString("latin1"), trailers };
}
