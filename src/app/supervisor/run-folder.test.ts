import assert from "node:assert/strict";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openRunFolder } from "./run-folder.ts";

const home = mkdtempSync(join(tmpdir(), "sallyport-run-"));
after(() => rmSync(home, { recursive: true }));

const mode = (path: string): number => statSync(path).mode & 0o777;
const turnAway = (): void => assert.fail("nobody is expected");

/** A socket that nobody answers: moved, so that its server does not find it when it ends. */
async function leaveSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(`${path}.made`, resolve);
  });
  renameSync(`${path}.made`, path);
  await new Promise((resolve) => server.close(resolve));
}

test("openRunFolder() makes a folder and a socket that only their owner can enter", async () => {
  const folder = join(home, "made");
  const opened = await openRunFolder(folder, turnAway);
  assert.equal(opened.abandoned, false);
  assert.equal(mode(folder), 0o700);
  assert.equal(mode(opened.socket), 0o600);
  await opened.close();
});

test("openRunFolder() refuses a folder that others can enter", async () => {
  for (const open of [0o750, 0o701, 0o777]) {
    const folder = join(home, `open-${open}`);
    mkdirSync(folder);
    chmodSync(folder, open);
    await assert.rejects(openRunFolder(folder, turnAway), {
      code: "io-failed",
      message: /is open to others; it must have mode 0700/,
    });
  }
});

test("openRunFolder() refuses one in which another is in charge, and leaves it alone", async () => {
  const folder = join(home, "taken");
  let asked = 0;
  const first = await openRunFolder(folder, (socket) => {
    asked += 1;
    socket.destroy();
  });
  await assert.rejects(openRunFolder(folder, turnAway), { message: /another sallyport run/ });
  assert.equal(mode(first.socket), 0o600);
  assert.ok(asked <= 1);
  await first.close();
});

test("openRunFolder() takes over what a crash has left", async () => {
  const folder = join(home, "left");
  mkdirSync(folder, { mode: 0o700 });
  await leaveSocket(join(folder, "supervisor.sock"));
  const opened = await openRunFolder(folder, turnAway);
  assert.equal(opened.abandoned, true);
  await opened.close();
});

test("openRunFolder() refuses a folder in which something else has the socket's name", async () => {
  const folder = join(home, "else");
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(join(folder, "supervisor.sock"), "mine");
  await assert.rejects(openRunFolder(folder, turnAway), {
    code: "io-failed",
    message: /something else lies there/,
  });
  assert.equal(readFileSync(join(folder, "supervisor.sock"), "utf8"), "mine");
});

test("openRunFolder() says so where the socket's path would be too long", async () => {
  const folder = join(home, "x".repeat(120));
  await assert.rejects(openRunFolder(folder, turnAway), { message: /longer than a socket's path/ });
});
