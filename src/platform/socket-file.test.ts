import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { SallyportError } from "../model/errors.ts";
import { listenAtSocketFile } from "./socket-file.ts";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-socket-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function serverOf(t: TestContext): Server {
  const server = createServer((socket) => {
    socket.on("error", () => {}); // who only looks whether somebody answers resets it
    socket.end("hello");
  });
  t.after(() => server.close());
  return server;
}

function ask(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let text = "";
    socket.on("data", (bytes) => (text += String(bytes)));
    socket.on("error", reject);
    socket.on("end", () => {
      socket.destroy();
      resolve(text);
    });
  });
}

const refusal = (why: RegExp) => (error: unknown) =>
  error instanceof SallyportError && error.code === "listen-failed" && why.test(error.message);

void test("listenAtSocketFile() makes a socket of mode 0600 in a folder of mode 0700, and removes it", async (t) => {
  const folder = join(folderOf(t), "run");
  const path = join(folder, "admin.sock");
  const server = serverOf(t);
  const file = await listenAtSocketFile(server, path);
  assert.equal(lstatSync(path).mode & 0o777, 0o600);
  assert.equal(lstatSync(folder).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(folder), ["admin.sock"]);
  assert.equal(await ask(path), "hello");
  await new Promise((resolve) => server.close(resolve));
  file.remove();
  assert.ok(!existsSync(path));
});

void test("listenAtSocketFile() takes over a socket that nobody answers", async (t) => {
  const path = join(folderOf(t), "s");
  const gone = createServer();
  await listenAtSocketFile(gone, path);
  await new Promise((resolve) => gone.close(resolve));
  assert.ok(existsSync(path), "left behind as by a crash");
  await listenAtSocketFile(serverOf(t), path);
  assert.equal(await ask(path), "hello");
});

void test("listenAtSocketFile() refuses a socket that is answered, and leaves it as it is", async (t) => {
  const path = join(folderOf(t), "s");
  await listenAtSocketFile(serverOf(t), path);
  await assert.rejects(listenAtSocketFile(createServer(), path), refusal(/is answered/));
  assert.equal(await ask(path), "hello");
});

void test("remove() leaves a socket that another has put in its place", async (t) => {
  const path = join(folderOf(t), "s");
  const first = createServer();
  const file = await listenAtSocketFile(first, path);
  await new Promise((resolve) => first.close(resolve));
  await listenAtSocketFile(serverOf(t), path);
  file.remove();
  assert.equal(await ask(path), "hello");
});

void test("listenAtSocketFile() never replaces what is no socket", async (t) => {
  const path = join(folderOf(t), "s");
  writeFileSync(path, "precious");
  await assert.rejects(listenAtSocketFile(createServer(), path), refusal(/something else/));
  assert.ok(lstatSync(path).isFile());
});

void test("listenAtSocketFile() refuses a folder that others can write to, and a link to one", async (t) => {
  const folder = folderOf(t);
  for (const mode of [0o720, 0o702, 0o777]) {
    chmodSync(folder, mode);
    await assert.rejects(
      listenAtSocketFile(createServer(), join(folder, "s")),
      refusal(/written to by others/),
    );
  }
  chmodSync(folder, 0o700);
  mkdirSync(join(folder, "real"));
  symlinkSync(join(folder, "real"), join(folder, "link"));
  await assert.rejects(
    listenAtSocketFile(createServer(), join(folder, "link", "s")),
    refusal(/link/),
  );
});

void test("listenAtSocketFile() refuses a path that is too long for a socket", async (t) => {
  const path = join(folderOf(t), "s".repeat(120));
  await assert.rejects(listenAtSocketFile(createServer(), path), refusal(/longer/));
});
