/**
 * Copies of the audit log by the whole program: they survive its sudden death, and nobody who does not
 * read them holds up a request or the end.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { Home, startHeldService, startLife, until } from "./life.ts";

const SALLYPORT = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));
const RUNTIME = process.versions["bun"] === undefined ? "node" : "bun";

const service = await startHeldService();
after(() => service.close());

/** Takes what comes, or keeps it waiting, as it is told. */
async function receiver(t: TestContext) {
  const self = {
    url: "",
    ids: [] as string[],
    batches: 0,
    takes: (_batch: number): boolean => true,
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("error", () => undefined);
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (!self.takes(++self.batches)) return;
      const lines = Buffer.concat(chunks).toString().split("\n").slice(0, -1);
      self.ids.push(...lines.map((line) => (JSON.parse(line) as { id: string }).id));
      response.writeHead(204).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  self.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return self;
}

function home(t: TestContext, sinks: string, extra = ""): Home {
  const made = new Home(service);
  t.after(() => made.remove());
  made.write(extra, undefined, { durability: `batched, sinks: [${sinks}]` });
  return made;
}

async function ask(address: string, count: number, path = "/x"): Promise<void> {
  for (let index = 0; index < count; index++) {
    const response = await fetch(`http://${address}${path}`);
    assert.equal(response.status, 200);
    await response.text();
  }
}

/** The id of each record that there is. */
function recorded({ path }: Home, names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const text = readFileSync(join(path, "audit", name), "utf8");
    let offset = 0;
    return text
      .split("\n")
      .slice(0, -1)
      .map((line) => {
        const id = `${name}:${offset}`;
        offset += Buffer.byteLength(line) + 1;
        return id;
      });
  });
}

function segments(ids: readonly string[]): string[] {
  return [...new Set(ids.map((id) => id.slice(0, id.lastIndexOf(":"))))];
}

for (const workers of [1, 2]) {
  test(`kill -9 between batches loses no record of a webhook (workers: ${workers})`, async (t) => {
    const hook = await receiver(t);
    hook.takes = (batch) => batch <= 2;
    const batch = "{ records: 4, wait: 0ms }";
    const place = home(
      t,
      `{ name: hook, type: webhook, url: "${hook.url}", batch: ${batch} }`,
      `workers: ${workers}`,
    );
    const first = await startLife(place);
    await ask(first.address("edge"), 20);
    await until("a batch under way", () => hook.batches >= 3);
    first.signal("SIGKILL");
    await first.ended;
    // What had not reached the disk is lost, as `batched` says; how much that is, is left to chance.
    const written = readdirSync(join(place.path, "audit")).filter((name) =>
      name.endsWith(".jsonl"),
    );
    const whole = recorded(place, written).length + 2 * 5;
    hook.takes = () => true;
    const second = await startLife(place);
    await ask(second.address("edge"), 5);
    const all = (): string[] => recorded(place, segments(hook.ids));
    await until("all of it", () => new Set(hook.ids).size >= whole && all().length >= whole);
    second.signal("SIGTERM");
    assert.equal(await second.ended, "exit code 0");
    const missing = all().filter((id) => !hook.ids.includes(id));
    assert.deepEqual(missing, []);
    // In their order, save what was under way when it died.
    const seen = [...new Set(hook.ids)].filter((id) => id.startsWith(segments(hook.ids)[0] ?? ""));
    const offsets = seen.map((id) => Number(id.slice(id.lastIndexOf(":") + 1)));
    assert.deepEqual(
      offsets,
      offsets.toSorted((one, other) => one - other),
    );
  });
}

test("the access log has a line for every request, in workers too", async (t) => {
  const place = home(t, "", "workers: 2\naccessLog: { to: access.log, format: common }");
  const life = await startLife(place);
  await ask(life.address("edge"), 30, "/a%20b");
  const lines = (): string[] =>
    readFileSync(join(place.path, "access.log"), "utf8").split("\n").slice(0, -1);
  await until("the lines", () => lines().length === 30);
  for (const line of lines()) {
    const common = /^127\.0\.0\.1 - - \[[^\]]+ \+0000\] "GET \/a%20b HTTP\/1\.1" 200 16$/;
    assert.match(line, common);
  }
  life.signal("SIGTERM");
  assert.equal(await life.ended, "exit code 0");
});

test("a request that cannot be read has its end on record, and its line at once", async (t) => {
  const place = home(t, "", "accessLog: { to: access.log }");
  const life = await startLife(place);
  const [host = "", port = ""] = life.address("edge").split(":");
  const answerTo = async (head: string): Promise<string> => {
    const socket = connect(Number(port), host);
    socket.end(`${head}\r\n\r\n`);
    return Buffer.concat(await socket.toArray()).toString();
  };
  const answers = [
    await answerTo("GET /x HTTP/1.1\r\nHost: one\r\nHost: two"),
    await answerTo("GET /x HTTP/1.1\r\nno field"),
  ];
  interface Line {
    readonly status: number;
    readonly end: string;
    readonly decisionId: string;
    readonly responseBytes: number;
  }
  const lines = (): Line[] =>
    readFileSync(join(place.path, "access.log"), "utf8")
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);
  await until("both lines", () => lines().length === 2);
  assert.deepEqual(
    lines().map(({ status, end, decisionId, responseBytes }) => [
      status,
      end,
      decisionId,
      responseBytes,
    ]),
    answers.map((answer) => [
      400,
      "complete",
      /^sallyport-decision: (.+)\r$/m.exec(answer)?.[1],
      answer.slice(answer.indexOf("\r\n\r\n") + 4).length,
    ]),
  );
  life.signal("SIGTERM");
  assert.equal(await life.ended, "exit code 0");
});

test("nobody who reads standard output holds up neither requests nor the end", async (t) => {
  const place = home(t, "{ name: out, type: stdout }", "accessLog: { to: stdout }");
  const child = spawn(SALLYPORT, ["run"], {
    cwd: place.path,
    env: { ...process.env, SALLYPORT_RUNTIME: RUNTIME },
    stdio: ["ignore", "pipe", "ignore"],
  });
  t.after(() => child.kill("SIGKILL"));
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await until("the start", () => /^listening\s+admin\s.*\n/m.test(text));
  child.stdout.pause();
  const address = (name: string): string =>
    new RegExp(`^listening\\s+${name}\\s+http://(\\S+)`, "m").exec(text)?.[1] ?? "";
  const edge = address("edge");
  await ask(edge, 200, `/${"long/".repeat(400)}`);
  const lag = async (): Promise<number> => {
    const metrics = await (await fetch(`http://${address("admin")}/metrics`)).text();
    return Number(/^sallyport_audit_sink_lag_bytes\{sink="out"\} (\d+)/m.exec(metrics)?.[1]);
  };
  await until("a sink that lags", async () => (await lag()) > 100_000);
  await ask(edge, 20);
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const [code] = (await ended) as [number | null];
  assert.equal(code, 0);
});
