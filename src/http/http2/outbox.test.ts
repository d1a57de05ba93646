import assert from "node:assert/strict";
import type { Socket } from "node:net";
import test from "node:test";
import { Outbox, type OutboxHost, type Progress, type Sender } from "./outbox.ts";

/** A socket whose peer reads nothing unless told. */
class StuckSocket {
  writableLength = 0;
  destroyed = false;
  readonly written: Buffer[] = [];
  corks = 0;

  write(bytes: Buffer, done?: (error: Error | null) => void): boolean {
    this.writableLength += bytes.length;
    this.written.push(bytes);
    done?.(null);
    return false;
  }

  cork(): void {
    this.corks += 1;
  }

  uncork(): void {}
}

class Host implements OutboxHost {
  unreadTimes = 0;
  stalls: boolean[] = [];
  frames = 0;
  beforeWrite(): void {}
  dataSent(): void {
    this.frames += 1;
  }
  unread(): void {
    this.unreadTimes += 1;
  }
  stalled(waiting: boolean): void {
    this.stalls.push(waiting);
  }
}

function create(): { socket: StuckSocket; host: Host; outbox: Outbox } {
  const socket = new StuckSocket();
  const host = new Host();
  return { socket, host, outbox: new Outbox(socket as unknown as Socket, host) };
}

interface Given {
  readonly frames: number;
  readonly bytes: number;
  readonly order: number[];
}

/** Sends `frames` frames of `bytes`, and says in which order frames went out. */
class Source implements Sender {
  lined = false;
  readonly id: number;
  readonly outbox: Outbox;
  readonly given: Given;
  left: number;

  constructor(id: number, outbox: Outbox, given: Given) {
    this.id = id;
    this.outbox = outbox;
    this.given = given;
    this.left = given.frames;
  }

  sendNext(): Progress {
    this.left -= 1;
    this.given.order.push(this.id);
    const last = this.left === 0;
    this.outbox.data(this.id, Buffer.alloc(this.given.bytes), {
      last,
      cut: false,
      spent: undefined,
    });
    return last ? "rest" : "more";
  }
  relieve(): void {}
}

test("Outbox says so when its peer reads none of the control frames that it asked for", () => {
  const { socket, host, outbox } = create();
  let sent = 0;
  while (host.unreadTimes === 0) {
    outbox.ping(Buffer.alloc(8), true);
    sent += 1;
    if (sent % 1000 === 0) outbox.flush();
  }
  const bytes = sent * 17;
  assert.ok(bytes > 256 * 1024 && bytes < 512 * 1024, `${bytes} bytes`);
  assert.ok(socket.written.length > 0);
});

test("Outbox lets streams take turns, a frame each", () => {
  const { outbox } = create();
  const order: number[] = [];
  for (const id of [1, 3, 5])
    outbox.ready(new Source(id, outbox, { frames: 3, bytes: 100, order }));
  outbox.flush();
  assert.deepEqual(order, [1, 1, 3, 5, 1, 3, 5, 3, 5]);
});

test("Outbox lets streams wait while too much is unread, and says since when", () => {
  const { socket, host, outbox } = create();
  const order: number[] = [];
  outbox.grow(10_000_000);
  outbox.ready(new Source(1, outbox, { frames: 100, bytes: 16_384, order }));
  outbox.flush();
  assert.equal(order.length, 16);
  assert.deepEqual(host.stalls, [true]);
  assert.ok(outbox.congested);
  socket.writableLength = 0;
  outbox.flush();
  assert.equal(order.length, 32);
});

test("Outbox goes on when its socket takes at once what was too much to wait", async () => {
  const { socket, outbox } = create();
  const order: number[] = [];
  outbox.grow(10_000_000);
  socket.write = (bytes: Buffer): boolean => {
    socket.written.push(bytes);
    return true;
  };
  outbox.ready(new Source(1, outbox, { frames: 100, bytes: 16_384, order }));
  while (order.length < 100) await new Promise((resolve) => setImmediate(resolve));
});

test("Outbox keeps nothing of a stream that has left", () => {
  const { socket, outbox } = create();
  const order: number[] = [];
  outbox.ready(new Source(1, outbox, { frames: 100, bytes: 1000, order }));
  socket.writableLength = 1_000_000;
  const others = [3, 5].map((id) => new Source(id, outbox, { frames: 1, bytes: 1, order }));
  for (const other of others) outbox.ready(other);
  assert.ok(others.every(({ lined }) => lined));
  for (const other of others) outbox.leave(other);
  assert.ok(others.every(({ lined }) => !lined));
  socket.writableLength = 0;
  outbox.flush();
  assert.ok(order.every((id) => id === 1));
});

test("Outbox gathers what a turn sends in one write", async () => {
  const { socket, outbox } = create();
  outbox.settingsAck();
  outbox.windowUpdate(0, 1);
  const order: number[] = [];
  outbox.ready(new Source(1, outbox, { frames: 1, bytes: 10, order }));
  assert.equal(socket.written.length, 0);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(socket.written.length, 1);
});
