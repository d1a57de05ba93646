import assert from "node:assert/strict";
import test from "node:test";
import type { Fields } from "../../model/http.ts";
import type { Outbox } from "./outbox.ts";
import { StreamOutput } from "./stream-output.ts";

/** An outbox that notes what goes out, and gives each stream its turn only when told. */
class NotingOutbox {
  window = 1_000_000;
  maxFrameBytes = 16_384;
  readonly sent: string[] = [];
  readonly cuts: boolean[] = [];
  asked = 0;
  waiting = 0;
  crowded = false;

  waits(bytes: number): void {
    this.waiting += bytes;
  }

  ready(): void {
    this.asked += 1;
  }

  leave(): void {}

  headers(_id: number, _fields: Fields, end: boolean): void {
    this.sent.push(end ? "headers!" : "headers");
  }

  data(_id: number, bytes: Buffer, more: { last: boolean; cut: boolean }): void {
    this.window -= bytes.length;
    this.sent.push(`data ${bytes.length}${more.last ? "!" : ""}`);
    this.cuts.push(more.cut);
  }
}

class Output extends StreamOutput {
  drains = 0;

  reset(): void {
    this.drop();
  }

  protected numbered(): number {
    return 0;
  }

  protected ended(): void {}

  protected drained(): void {
    this.drains += 1;
  }
}

function create(window: number): { outbox: NotingOutbox; output: Output } {
  const outbox = new NotingOutbox();
  return { outbox, output: new Output(1, outbox as unknown as Outbox, window) };
}

const HEAD: Fields = [":status", "200"];

function turns(output: Output): string[] {
  const progress: string[] = [];
  do progress.push(output.sendNext());
  while (progress.at(-1) === "more");
  output.relieve();
  return progress;
}

test("a stream takes 64 KiB that cannot go out, then says so, and says when there is room", () => {
  const { output } = create(0);
  output.begin(HEAD);
  assert.equal(output.write(Buffer.alloc(65_535)), true);
  assert.equal(output.write(Buffer.alloc(1)), false);
  turns(output);
  assert.equal(output.drains, 0);
  output.grow(40_000);
  turns(output);
  assert.equal(output.drains, 0);
  output.grow(40_000);
  turns(output);
  assert.equal(output.drains, 1);
});

test("a stream takes 16 KiB where those of its connection hold much together, and says what it holds", () => {
  const { outbox, output } = create(0);
  output.begin(HEAD);
  outbox.crowded = true;
  assert.equal(output.write(Buffer.alloc(16 * 1024 - 1)), true);
  assert.equal(output.write(Buffer.alloc(1)), false);
  assert.equal(outbox.waiting, 16 * 1024);
  output.grow(1000);
  turns(output);
  assert.equal(outbox.waiting, 16 * 1024 - 1000);
  output.reset();
  assert.equal(outbox.waiting, 0);
});

test("a head waits for what follows, and can be taken back while it does", () => {
  const { outbox, output } = create(100_000);
  output.begin(HEAD);
  output.write(Buffer.alloc(16 * 1024));
  assert.equal(outbox.asked, 0);
  assert.ok(!output.answered);
  assert.ok(output.retract());
  output.begin(HEAD);
  output.end(undefined);
  assert.equal(outbox.asked, 1);
  turns(output);
  assert.deepEqual(outbox.sent, ["headers!"]);
  assert.ok(output.answered);
  assert.ok(!output.retract());
});

test("a body goes out in frames, its end with the last of it or with its trailers", () => {
  const { outbox, output } = create(100_000);
  output.begin(HEAD);
  output.write(Buffer.alloc(20_000));
  output.end(undefined);
  assert.deepEqual(turns(output), ["more", "rest"]);
  assert.deepEqual(outbox.sent, ["headers", "data 16384", "data 3616!"]);
  const { outbox: other, output: trailed } = create(100_000);
  trailed.begin(HEAD);
  trailed.write(Buffer.alloc(10));
  trailed.end(["x", "y"]);
  turns(trailed);
  assert.deepEqual(other.sent, ["headers", "data 10", "headers!"]);
});

test("a body whose length is a multiple of the window waits for nothing but its end", () => {
  const { outbox, output } = create(10);
  output.begin(HEAD);
  output.write(Buffer.alloc(10));
  output.flush();
  assert.deepEqual(turns(output), ["rest"]);
  output.end(undefined);
  assert.deepEqual(turns(output), ["rest"]);
  assert.deepEqual(outbox.sent, ["headers", "data 10", "data 0!"]);
});

test("a stream tells its own window that is used up from the connection's", () => {
  const { outbox, output } = create(10);
  output.begin(HEAD);
  output.write(Buffer.alloc(100));
  output.flush();
  assert.deepEqual(turns(output), ["more", "rest"]);
  outbox.window = 5;
  output.grow(50);
  assert.deepEqual(turns(output), ["more", "starved"]);
});

test("a frame that a window cuts to next to nothing is told from others", () => {
  const { outbox, output } = create(1);
  output.begin(HEAD);
  output.write(Buffer.alloc(1000));
  output.flush();
  turns(output);
  output.grow(300);
  turns(output);
  output.grow(10_000);
  turns(output);
  output.write(Buffer.alloc(1));
  turns(output);
  assert.deepEqual(outbox.sent, ["headers", "data 1", "data 300", "data 699", "data 1"]);
  assert.deepEqual(outbox.cuts, [true, false, false, false]);
});

test("nothing goes out on a stream that is over", () => {
  const { outbox, output } = create(100_000);
  output.begin(HEAD);
  output.write(Buffer.alloc(10));
  output.reset();
  output.write(Buffer.alloc(10));
  output.end(undefined);
  turns(output);
  assert.deepEqual(outbox.sent, []);
});
