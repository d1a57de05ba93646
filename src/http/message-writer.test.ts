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

test("head, small body and end go out in one write", () => {
  const socket = new Kept();
  const writer = new MessageWriter(socket);
  writer.begin("HEAD\r\n\r\n", "chunked", 0);
  writer.write(Buffer.from("ab"));
  writer.write(Buffer.alloc(0));
  writer.end(["x-t", "1"]);
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

test("bytes beyond latin1's first half pass as they are", () => {
  const socket = new Kept();
  const writer = new MessageWriter(socket);
  writer.begin("", "length", 256);
  writer.write(Buffer.from(Array.from({ length: 256 }, (_, index) => index)));
  writer.end(undefined);
  assert.equal(
    socket.writes.join(""),
    Array.from({ length: 256 }, (_, index) => String.fromCharCode(index)).join(""),
  );
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
