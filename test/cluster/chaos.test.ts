/** The bad network does what it says: else the tests that stand on it would prove nothing. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { startChaos } from "./chaos.ts";
import { until } from "./machine.ts";

/** A server that says what it hears. */
async function startEcho(context: TestContext): Promise<number> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

interface Caller {
  readonly heard: () => string;
  readonly closed: () => boolean;
  say(text: string): void;
}

function startCaller(context: TestContext, port: number): Caller {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  let closed = false;
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  socket.on("error", () => undefined);
  socket.on("close", () => (closed = true));
  context.after(() => socket.destroy());
  return { heard: () => text, closed: () => closed, say: (more) => void socket.write(more) };
}

test("startChaos() passes bytes on, both ways", async (context) => {
  const line = await startChaos(context, await startEcho(context));
  const caller = startCaller(context, line.port);
  caller.say("one");
  await until("it is heard", () => caller.heard() === "one");
  assert.equal(line.made, 1);
  assert.equal(line.bytesDown, 3);
});

test("cut() ends what is open and takes nothing, until heal()", async (context) => {
  const line = await startChaos(context, await startEcho(context));
  const caller = startCaller(context, line.port);
  caller.say("one");
  await until("it is heard", () => caller.heard() === "one");
  line.cut();
  await until("it is closed", caller.closed);
  const second = startCaller(context, line.port);
  second.say("two");
  await until("the second is closed", second.closed);
  assert.equal(second.heard(), "");
  line.heal();
  const third = startCaller(context, line.port);
  third.say("three");
  await until("the third is heard", () => third.heard() === "three");
});

test("stall() keeps everything back and connections open, until heal()", async (context) => {
  const line = await startChaos(context, await startEcho(context));
  const caller = startCaller(context, line.port);
  caller.say("a");
  await until("it is heard", () => caller.heard() === "a");
  line.stall();
  const begun = performance.now();
  caller.say("b");
  await until("half a second is over", () => performance.now() > begun + 500);
  assert.equal(caller.heard(), "a");
  assert.equal(caller.closed(), false);
  line.heal();
  await until("all is heard", () => caller.heard() === "ab");
});

test("delay() passes everything on so much later, in order", async (context) => {
  const line = await startChaos(context, await startEcho(context));
  line.delay(200);
  const caller = startCaller(context, line.port);
  const begun = performance.now();
  for (const letter of "abcdef") caller.say(letter);
  await until("all is heard", () => caller.heard() === "abcdef");
  // There and back.
  assert.ok(performance.now() - begun >= 395);
});

test("throttle() passes on so many bytes a second, and loses none", async (context) => {
  const line = await startChaos(context, await startEcho(context));
  line.throttle(10_000);
  const caller = startCaller(context, line.port);
  const text = "0123456789".repeat(400);
  const begun = performance.now();
  caller.say(text);
  await until("all is heard", () => caller.heard() === text);
  assert.ok(performance.now() - begun >= 350, "4 000 bytes at 10 000 a second");
});
