import assert from "node:assert/strict";
import { Socket } from "node:net";
import { test } from "node:test";
import { MessageWriter } from "./message-writer.ts";

/** A socket that keeps what is written, one entry a write. */
class Kept extends Socket {
  readonly writes: string[] = [];
  override write(chunk: unknown): boolean {
    this.writes.push(typeof chunk === "string" ? chunk : String(chunk));
    return true;
  }
}

function turnEnd(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

test("head, small body and end go out in one write, at the end of the turn", async () => {
  const socket = new Kept();
  const writer = new MessageWriter(socket);
  writer.begin("HEAD\r\n\r\n", "chunked", 0);
  writer.write(Buffer.from("ab"));
  writer.write(Buffer.alloc(0));
  writer.end(["x-t", "1"]);
  assert.deepEqual(socket.writes, []);
  await turnEnd();
  assert.deepEqual(socket.writes, ["HEAD\r\n\r\n2\r\nab\r\n0\r\nx-t: 1\r\n\r\n"]);
});

test("a large body is not copied into the text", () => {
  const socket = new Kept();
  const writer = new MessageWriter(socket);
  writer.begin("HEAD\r\n\r\n", "length", 5000);
  writer.write(Buffer.alloc(5000, "b"));
  writer.end(undefined);
  assert.deepEqual(
    socket.writes.map((text) => text.length),
    [8, 5000],
  );
});

test("write() gives the memory of a large body back once it is sent, and of no part of another", () => {
  const callbacks: ((error?: Error | null) => void)[] = [];
  class Slow extends Socket {
    override write(_chunk: unknown, sent?: unknown): boolean {
      if (typeof sent === "function") callbacks.push(sent as (error?: Error | null) => void);
      return true;
    }
  }
  const writer = new MessageWriter(new Slow());
  const [whole, failed, around] = [5000, 5000, 9000].map((size) => Buffer.allocUnsafeSlow(size));
  assert.ok(whole !== undefined && failed !== undefined && around !== undefined);
  writer.begin("HEAD\r\n\r\n", "length", 15_000);
  for (const bytes of [whole, failed, around.subarray(0, 5000)]) writer.write(bytes);
  assert.equal(whole.length, 5000);
  callbacks[0]?.();
  callbacks[1]?.(new Error("reset"));
  callbacks[2]?.(null);
  assert.deepEqual([whole.length, failed.length, around.length], [0, 5000, 9000]);
});

test("bytes beyond latin1's first half pass as they are", async () => {
  const socket = new Kept();
  const writer = new MessageWriter(socket);
  writer.begin("", "length", 256);
  writer.write(Buffer.from(Array.from({ length: 256 }, (_, index) => index)));
  writer.end(undefined);
  await turnEnd();
  assert.equal(
    socket.writes.join(""),
    Array.from({ length: 256 }, (_, index) => String.fromCharCode(index)).join(""),
  );
});

test("answers of one turn go out together, and flush does not send them twice", async () => {
  const socket = new Kept();
  const writer = new MessageWriter(socket);
  for (const head of ["ONE\r\n\r\n", "TWO\r\n\r\n"]) {
    writer.begin(head, "none", 0);
    writer.end(undefined);
  }
  writer.flush();
  await turnEnd();
  assert.deepEqual(socket.writes, ["ONE\r\n\r\nTWO\r\n\r\n"]);
});

test("nothing is written to a socket that was destroyed within the turn", async () => {
  const socket = new Kept();
  const writer = new MessageWriter(socket);
  writer.begin("HEAD\r\n\r\n", "none", 0);
  writer.end(undefined);
  socket.destroy();
  await turnEnd();
  assert.deepEqual(socket.writes, []);
});

test("it asserts that the body is as long as was said", () => {
  const writer = new MessageWriter(new Kept());
  writer.begin("", "length", 2);
  assert.throws(() => writer.end(undefined), /less body/);
  assert.throws(() => writer.write(Buffer.from("abc")), /more body/);
  const bodiless = new MessageWriter(new Kept());
  bodiless.begin("", "none", 0);
  assert.throws(() => bodiless.write(Buffer.from("a")), /no body/);
  assert.throws(() => bodiless.begin("", "none", 0), /not ended/);
});
