/**
 * Our client against nginx and nghttpx as services: what other people's engines make of our streams, and
 * ours of their GOAWAYs. Skipped, saying so, where a binary is not installed.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Loopback } from "../loopback.fixture.ts";

/** Debian puts servers where only root's PATH looks. */
const PATH = `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/local/sbin`;
const LARGE = 3 * 1024 * 1024;

test("nginx is a service over HTTP/2", { skip: absent("nginx", "-v") }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "nginx-"));
  writeFileSync(join(folder, "large"), Buffer.alloc(LARGE, "n"), { mode: 0o644 });
  const port = await freePort();
  writeFileSync(join(folder, "nginx.conf"), nginxConf(folder, port));
  const nginx = run("nginx", ["-p", folder, "-c", join(folder, "nginx.conf")]);
  t.after(() => stop(nginx, folder));
  await untilListening(port);
  await using proxy = await to(port);

  await t.test("requests at once, over connections that end after ten", async () => {
    const asked = Array.from({ length: 20 }, async (_, number) => {
      const caller = await proxy.caller();
      for (let round = 0; round < 10; round += 1) {
        const path = `/echo/${number}/${round}`;
        caller.send(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
        assert.match(await caller.until(`at ${path}\n`), /^HTTP\/1.1 200 /);
      }
    });
    await Promise.all(asked);
    const ends = new Set(proxy.outcomes.map(({ end, detail }) => detail ?? end));
    assert.deepEqual([...ends], ["complete"]);
  });
  await t.test("a large answer and a large request", async () => {
    const answer = await ask(proxy, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n", /n{100}$/, LARGE);
    assert.match(answer, new RegExp(`content-length: ${LARGE}\r\n`));
    const head = `POST /echo/up HTTP/1.1\r\nHost: x\r\nContent-Length: ${LARGE}\r\n\r\n`;
    assert.match(await ask(proxy, head + "u".repeat(LARGE), "at /echo/up\n"), /^HTTP\/1.1 200 /);
  });
  await t.test("a status with an empty body, and a HEAD", async () => {
    assert.match(await ask(proxy, "GET /none HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n\r\n"), / 204 /);
    const head = await ask(proxy, "HEAD /large HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n\r\n");
    assert.match(head, new RegExp(`content-length: ${LARGE}\r\n`));
  });
});

test("nghttpx is a service over HTTP/2", { skip: absent("nghttpx", "--version") }, async (t) => {
  const behind = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const body = Buffer.concat(pieces);
      response.setHeader("x-length", body.length);
      response.end(`at ${request.url ?? ""}\n`);
    });
  });
  behind.listen(0, "127.0.0.1");
  await once(behind, "listening");
  const { port: backend } = behind.address() as AddressInfo;
  const port = await freePort();
  const nghttpx = run("nghttpx", [
    `--frontend=127.0.0.1,${port};no-tls`,
    `--backend=127.0.0.1,${backend}`,
    "--conf=/dev/null",
    "--workers=1",
    "--frontend-http2-max-concurrent-streams=4",
    "--errorlog-file=/dev/null",
  ]);
  t.after(() => {
    behind.closeAllConnections();
    behind.close();
    return stop(nghttpx);
  });
  await untilListening(port);
  await using proxy = await to(port);
  await t.test("requests at once, with bodies", async () => {
    const asked = Array.from({ length: 20 }, async (_, number) => {
      const caller = await proxy.caller();
      for (let round = 0; round < 5; round += 1) {
        const body = "b".repeat(number * 1000 + round);
        const head = `POST /${number}/${round} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}`;
        caller.send(`${head}\r\n\r\n${body}`);
        const answer = await caller.until(`at /${number}/${round}\n`);
        assert.ok(answer.includes(`x-length: ${body.length}\r\n`), answer);
      }
    });
    await Promise.all(asked);
    assert.ok(proxy.outcomes.every(({ end }) => end === "complete"));
  });
  await t.test("a large request", async () => {
    const head = `POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: ${LARGE}\r\n\r\n`;
    const answer = await ask(proxy, head + "u".repeat(LARGE), "at /up\n");
    assert.match(answer, new RegExp(`x-length: ${LARGE}\r\n`));
  });
});

/** Why a test cannot run, or false. */
function absent(binary: string, argument: string): string | false {
  const { error } = spawnSync(binary, [argument], { env: { PATH } });
  return error === undefined ? false : `${binary} is not installed`;
}

function run(binary: string, args: readonly string[]): ChildProcess {
  return spawn(binary, args, { env: { PATH }, stdio: "ignore" });
}

async function stop(child: ChildProcess, folder?: string): Promise<void> {
  const gone = child.exitCode === null ? once(child, "exit") : undefined;
  child.kill("SIGTERM");
  await gone;
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
}

function nginxConf(folder: string, port: number): string {
  return `
    daemon off; master_process off; pid ${folder}/pid; error_log /dev/null;
    events { worker_connections 512; }
    http {
      access_log off;
      client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
      fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
      keepalive_requests 10; http2_max_concurrent_streams 4; client_max_body_size 100m;
      server {
        listen 127.0.0.1:${port} http2;
        location /echo { return 200 "at $uri\\n"; }
        location /none { return 204; }
        location /large { root ${folder}; }
      }
    }`;
}

async function to(port: number): Promise<Loopback> {
  return new Loopback({ service: { endpoints: [`h2c://127.0.0.1:${port}`] } }).start();
}

async function ask(
  proxy: Loopback,
  request: string,
  until: RegExp | string,
  atLeast = 0,
): Promise<string> {
  const caller = await proxy.caller();
  caller.send(request);
  const head = await caller.until("\r\n\r\n");
  while (caller.text.length < atLeast) await once(caller.socket, "data");
  return until === "\r\n\r\n" ? head : head + (await caller.until(until));
}

/** A port that nobody listens on now. Others take their ports from the system too, which does not hand it out again soon. */
async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function untilListening(port: number): Promise<void> {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const listening = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    socket.destroy();
    if (listening) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
