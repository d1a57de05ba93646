/**
 * HTTP/2 requests at a given rate over a few connections, whatever the answers take: an open load,
 * for latencies at less than full load, and for what others do to them.
 *
 * What is due leaves with the next turn of the event loop, at most a millisecond late; a latency
 * counts from then until the end of the answer. It is lean on purpose (frames made once, answers
 * only told apart), since it shares its core with the service.
 */
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import {
  FLAG,
  FRAME,
  FrameSplitter,
  fieldBlock,
  frame,
  opening,
  requestFields,
  retarget,
  saysOk,
} from "./http2-frames.ts";
import type { FrameHead } from "./http2-frames.ts";
import { percentile } from "./load.ts";

export interface PacedRun {
  readonly port: number;
  /** Sent in turn. */
  readonly requests: readonly PacedRequest[];
  readonly perSecond: number;
  /** Sent before, and not counted. */
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

export interface PacedRequest {
  readonly method: string;
  readonly path: string;
  /** Names and values in turn. */
  readonly fields: readonly string[];
  readonly body?: Buffer;
}

export interface PacedResult {
  /** That were due. */
  readonly wanted: number;
  /** That were answered with 200. */
  readonly good: number;
  /** That were answered with something else, were reset, or not answered at all. */
  readonly bad: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

const CONNECTIONS = 8;
/** On one connection: what servers usually allow. What comes on top waits, and its waiting counts. */
const MAX_STREAMS = 100;
/** How long the last answers are waited for. */
const LAST_ANSWERS_MS = 2_000;

export async function runPaced(run: PacedRun): Promise<PacedResult> {
  const templates = run.requests.map((request) => template(request, run.port));
  const tally = new Tally();
  const connections = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => PacedConnection.open(run.port, tally)),
  );
  const startedAt = performance.now();
  const uncounted = Math.round(run.warmUpSeconds * run.perSecond);
  const all = uncounted + Math.round(run.seconds * run.perSecond);
  let sent = 0;
  /** False once all are sent. */
  const sendDue = (): boolean => {
    const now = performance.now();
    const due = Math.min(all, Math.floor(((now - startedAt) * run.perSecond) / 1000));
    for (; sent < due; sent++) {
      const counts = sent >= uncounted;
      const bytes = templates[sent % templates.length];
      const connection = connections[sent % connections.length];
      if (bytes !== undefined) connection?.send({ bytes, at: now, counts });
    }
    return sent < all;
  };
  tally.woken = sendDue;
  while (sendDue()) await pause(1);
  const giveUpAt = performance.now() + LAST_ANSWERS_MS;
  while (tally.answered < sent && performance.now() < giveUpAt) await pause(1);
  for (const connection of connections) connection.close();
  return tally.result(all - uncounted);
}

/** HEADERS, and DATA where there is a body; the stream is put in when it is sent. */
function template({ method, path, fields, body }: PacedRequest, port: number): Buffer {
  const block = fieldBlock(requestFields({ method, path, port }, fields));
  const end = body === undefined ? FLAG.endStream : 0;
  const head = frame({ type: FRAME.headers, flags: FLAG.endHeaders | end, stream: 0 }, block);
  if (body === undefined) return head;
  return Buffer.concat([head, frame({ type: FRAME.data, flags: FLAG.endStream, stream: 0 }, body)]);
}

interface Due {
  readonly bytes: Buffer;
  readonly at: number;
  /** False in the warm-up. */
  readonly counts: boolean;
}

/** What became of all requests. */
class Tally {
  /** Something has come, so it is a turn in which what is due can leave. */
  woken: () => unknown = () => undefined;
  answered = 0;
  readonly #latencies: number[] = [];

  answer({ at, counts }: Due, good: boolean): void {
    this.answered += 1;
    if (counts && good) this.#latencies.push((performance.now() - at) * 1000);
  }

  result(wanted: number): PacedResult {
    const latencies = Float64Array.from(this.#latencies);
    const good = latencies.length;
    const of = (part: number): number =>
      good === 0 ? Number.POSITIVE_INFINITY : percentile(latencies, part);
    return { wanted, good, bad: wanted - good, p50Us: of(0.5), p99Us: of(0.99) };
  }
}

class PacedConnection {
  readonly #socket: Socket;
  readonly #tally: Tally;
  readonly #splitter = new FrameSplitter((head, payload) => this.#frame(head, payload));
  readonly #open = new Map<number, Due & { ok: boolean }>();
  readonly #waiting: Due[] = [];
  #nextStream = 1;

  static async open(port: number, tally: Tally): Promise<PacedConnection> {
    const socket = connect(port, "127.0.0.1").setNoDelay(true);
    await once(socket, "connect");
    return new PacedConnection(socket, tally);
  }

  constructor(socket: Socket, tally: Tally) {
    this.#socket = socket;
    this.#tally = tally;
    socket.on("data", (chunk: Buffer) => {
      this.#splitter.read(chunk);
      tally.woken();
    });
    // What it owes stays unanswered, and counts as bad.
    socket.on("error", () => {});
    socket.write(opening());
  }

  send(due: Due): void {
    if (this.#open.size >= MAX_STREAMS) {
      this.#waiting.push(due);
      return;
    }
    const stream = this.#nextStream;
    this.#nextStream += 2;
    this.#open.set(stream, { ...due, ok: false });
    const bytes = Buffer.from(due.bytes);
    const bodyAt = 9 + bytes.readUIntBE(0, 3);
    retarget(bytes, 0, stream);
    if (bodyAt < bytes.length) retarget(bytes, bodyAt, stream);
    this.#socket.write(bytes);
  }

  close(): void {
    this.#socket.destroy();
  }

  #frame({ type, flags, stream }: FrameHead, payload: Buffer): void {
    if (stream === 0) {
      this.#connectionFrame(type, flags, payload);
      return;
    }
    const request = this.#open.get(stream);
    if (request === undefined) return;
    if (type === FRAME.headers && !request.ok) request.ok = saysOk(payload);
    const ends = type === FRAME.headers || type === FRAME.data;
    if (type === FRAME.rstStream) this.#ended(stream, request, false);
    else if (ends && (flags & FLAG.endStream) !== 0) this.#ended(stream, request, request.ok);
  }

  #ended(stream: number, request: Due, good: boolean): void {
    this.#open.delete(stream);
    this.#tally.answer(request, good);
    const next = this.#waiting.shift();
    if (next !== undefined) this.send(next);
  }

  #connectionFrame(type: number, flags: number, payload: Buffer): void {
    if ((flags & FLAG.ack) !== 0) return;
    if (type === FRAME.settings) {
      this.#socket.write(frame({ type: FRAME.settings, flags: FLAG.ack, stream: 0 }));
    } else if (type === FRAME.ping) {
      this.#socket.write(
        frame({ type: FRAME.ping, flags: FLAG.ack, stream: 0 }, Buffer.from(payload)),
      );
    }
  }
}
