/**
 * The core of an HTTP/2 connection, the same for both ends (RFC 9113): one socket, the table of its
 * streams and their states, windows, SETTINGS, PING and GOAWAY, and what floods are refused.
 *
 * Who calls what: the socket's events come in here. The frame reader takes bytes apart and calls the
 * verbs of `FrameHandler`; what belongs to a stream goes on to it and from there to its receiver, and
 * what belongs to the connection to its `Http2End`: `server.ts` or `client.ts`, which owns a
 * connection and tells it `start`, `open`, `drain`, `fail` and `destroy`. It sends by `outbox`.
 *
 * Errors are of two kinds (section 5.4): a stream's ends that stream with RST_STREAM; the connection's
 * sends GOAWAY, tells every receiver, and closes in two steps so that the GOAWAY is not lost to a reset.
 */
import type { Socket } from "node:net";
import { H2_ERROR, h2ErrorName, PREFACE, SIZE } from "../../wire/http2/codes.ts";
import {
  type FrameFault,
  type FrameFlood,
  type FrameHandler,
  FrameReader,
} from "../../wire/http2/frame-reader.ts";
import { HpackDecoder, isHpackFault } from "../../wire/http2/hpack-decoder.ts";
import { type Expirable, NEVER } from "../deadlines.ts";
import { readDirectly } from "../direct-read.ts";
import { asError, invariant } from "../invariant.ts";
import { releaseMemory } from "../message-writer.ts";
import type { Ending } from "./closed-streams.ts";
import { EarlyAnswers } from "./early-answers.ts";
import { Floods, type FloodKind, FLOOD_LIMITS, type Http2Limit } from "./floods.ts";
import type { Http2Config, Http2End } from "./http2-end.ts";
import { Outbox, type OutboxHost } from "./outbox.ts";
import { ReceiveWindow } from "./receive-window.ts";
import { PeerSettings, settingsPairs } from "./settings.ts";
import { Http2Stream, type Section, type StreamHost, type StreamReset } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";

export type { Http2Config, Http2End } from "./http2-end.ts";

const LIMITS = {
  /** Bytes that all streams together may have under way. Given back on receipt, so one that is paused holds up no other. */
  connectionWindow: 4 * 1024 * 1024,
  /** For the acknowledgement of our SETTINGS (RFC 9113 section 6.5.3): some round trips of a bad line. */
  settingsMs: 10_000,
  /** For the PING that shows that a GOAWAY has arrived (section 6.8). */
  farewellMs: 1000,
  /** How long a closing connection waits for the peer to close too, as with HTTP/1.1. */
  lingerMs: 5000,
  /** What a closing connection drops of what the peer goes on sending; then it is reset. */
  lingerBytes: 1024 * 1024,
  /** Bytes of a compressed field section that are read at least, so that its sender can be told 431. */
  blockBytes: 64 * 1024,
  /** CONTINUATION frames of one section; the CONTINUATION flood of 2024 sent thousands. */
  continuations: 16,
  /** Bytes of a read from which on giving back its memory costs less than leaving it to the collector. */
  released: 4096,
  /** Settings in a frame; there are fewer than ten kinds. */
  settingsPairs: 64,
} as const;

/** Under which name a bound of the frame reader counts. */
const READER_LIMITS: Readonly<Record<FrameFlood, Http2Limit>> = {
  headerBlockBytes: "http2HeaderBlock",
  continuations: "http2Continuations",
  settingsPairs: "http2Settings",
};

/** The PING that follows a GOAWAY of ours. */
const FAREWELL = Buffer.from("farewell", "latin1");

/** `open`; `closing`: our side is closed, what comes is dropped; `closed`: all is over. */
type Phase = "open" | "closing" | "closed";

/** `announced`: a GOAWAY without a last stream was sent; `final`: with one. */
type Farewell = "none" | "announced" | "final";

export class Http2Connection implements FrameHandler, StreamHost, OutboxHost, Expirable {
  readonly outbox: Outbox;
  readonly peer = new PeerSettings();
  readonly streamWindow: number;
  readonly grownWindow: number;
  /** Monotonic milliseconds at which the end's `expired` is called: its own to move. */
  restBy = NEVER;
  /** How often something was read: tells whether the peer has said anything since. */
  reads = 0;
  /** Monotonic milliseconds, coarse, of the last time. */
  readAt = 0;
  readonly #socket: Socket;
  readonly #end: Http2End;
  readonly #config: Http2Config;
  readonly #server: boolean;
  readonly #reader: FrameReader;
  readonly #decoder: HpackDecoder;
  readonly #floods = new Floods();
  readonly #streams: StreamTable;
  readonly #window = new ReceiveWindow(LIMITS.connectionWindow);
  #phase: Phase = "open";
  #farewell: Farewell = "none";
  /** Bytes of the client's preface that are still to come. */
  #prefaceLeft: number;
  /** Our SETTINGS that wait for their acknowledgement, and until when. */
  #unacknowledged = 0;
  #settingsBy = NEVER;
  #readBy = NEVER;
  /** When what has begun to come has to be complete. */
  #wholeBy = NEVER;
  #farewellBy = NEVER;
  #lingerBy = NEVER;
  /** Bytes that may still be dropped while closing. */
  #droppable: number = LIMITS.lingerBytes;
  /** Streams that are owed `idle` when this read is over. */
  #touched: Http2Stream[] = [];
  readonly #early: EarlyAnswers;

  /** The socket may be connecting: nothing is sent before `start`. */
  constructor(socket: Socket, end: Http2End, config: Http2Config) {
    const { side, own, maxFields, deadlines } = config;
    this.#socket = socket;
    this.#end = end;
    this.#config = config;
    this.#server = side === "server";
    this.#early = new EarlyAnswers(side, deadlines);
    this.#streams = new StreamTable(side, config.lastNumber);
    this.streamWindow = own.streamWindow;
    this.grownWindow = config.grownWindow ?? own.streamWindow;
    this.#prefaceLeft = this.#server ? PREFACE.length : 0;
    this.outbox = new Outbox(socket, this);
    const { maxTableBytes, maxListBytes } = own;
    this.#decoder = new HpackDecoder({ maxTableBytes, maxListBytes, maxFields });
    this.#reader = new FrameReader(this, {
      side,
      maxFrameBytes: SIZE.minMaxFrame,
      // A section somewhat above the limit is refused by itself; this is for what has no end.
      maxBlockBytes: Math.max(2 * maxListBytes, LIMITS.blockBytes),
      maxContinuations: LIMITS.continuations,
      maxSettings: LIMITS.settingsPairs,
    });
    deadlines.add(this);
    readDirectly(socket, (chunk) => this.received(chunk));
    socket.on("drain", () => this.#guarded(() => this.outbox.flush()));
    socket.on("end", () => this.#guarded(() => this.#closedByPeer()));
    // What the error was does not matter: `close` follows, and the peer is gone.
    socket.on("error", ignore);
    socket.on("close", () => this.#guarded(() => this.#over("the connection is gone")));
  }

  /** Streams in the table: open, or with something of an answer still to be sent. */
  get size(): number {
    return this.#streams.size;
  }

  /** Whether nothing ends it: streams may be opened. */
  get open(): boolean {
    return this.#phase === "open";
  }

  /** Sends what opens a connection. */
  start(): void {
    const { side, own, deadlines } = this.#config;
    if (!this.#server) this.outbox.raw(PREFACE);
    this.outbox.settings(settingsPairs(side, own));
    this.#unacknowledged += 1;
    this.#settingsBy = deadlines.coarseNow + LIMITS.settingsMs;
    this.outbox.windowUpdate(0, LIMITS.connectionWindow - SIZE.initialWindow);
  }

  /** Clients: a stream of ours. It gets its number and a place in the table with its first HEADERS. */
  newStream(): Http2Stream {
    invariant(!this.#server, "a server opens no streams");
    return new Http2Stream(0, this, 0);
  }

  /** Numbers that are left for streams of ours (RFC 9113 section 5.1.1). */
  get numbersLeft(): number {
    return this.#streams.numbersLeft;
  }

  /**
   * Lets the streams be the last ones: GOAWAY in two steps, so that what the peer sent before it knew
   * is served (section 6.8), and the end of the connection once they have ended.
   */
  drain(): void {
    if (this.#phase !== "open" || this.#farewell !== "none") return;
    this.#farewell = "announced";
    this.#farewellBy = this.#config.deadlines.coarseNow + LIMITS.farewellMs;
    this.outbox.goaway(SIZE.maxStreamId, H2_ERROR.noError);
    this.outbox.ping(FAREWELL, false);
  }

  /** As `drain`, in one step: further streams of the peer are ignored from now on. */
  finish(): void {
    if (this.#phase !== "open" || this.#farewell === "final") return;
    this.#farewell = "final";
    this.#farewellBy = NEVER;
    this.outbox.goaway(this.#streams.handled, H2_ERROR.noError);
    this.#closeIfDone();
  }

  /** Ends it: the peer is told why, and the streams that they are over. */
  fail(code: number, detail: string, limit?: Http2Limit): void {
    if (this.#phase !== "open") return;
    if (limit !== undefined) this.#config.hit(limit);
    this.#config.log.debug("an HTTP/2 connection failed", { error: h2ErrorName(code), detail });
    this.outbox.goaway(this.#streams.handled, code);
    this.#close(detail, code);
  }

  destroy(): void {
    this.#socket.destroy();
    this.#over("destroyed");
  }

  /** Bytes from the socket; the first ones of a connection may have been read by somebody else. */
  received(chunk: Buffer): void {
    if (this.#phase !== "open") {
      this.#drop(chunk.length);
      return;
    }
    this.reads += 1;
    this.readAt = this.#config.deadlines.coarseNow;
    try {
      const rest = this.#prefaceLeft > 0 ? this.#readPreface(chunk) : chunk;
      if (rest !== undefined) this.#reader.read(rest);
      this.#readOver();
      // Whatever was to be kept of it has been copied.
      if (chunk.length >= LIMITS.released) releaseMemory(chunk);
    } catch (error) {
      this.#defect(error);
    }
  }

  // Expirable

  get expiresAt(): number {
    if (this.#phase === "closing") return this.#lingerBy;
    const { restBy } = this;
    return Math.min(
      this.#settingsBy,
      this.#readBy,
      this.#wholeBy,
      this.#farewellBy,
      this.#early.expiresAt,
      restBy,
    );
  }

  expired(): void {
    this.#guarded(() => this.#expire());
  }

  // FrameHandler

  data(
    streamId: number,
    payload: Buffer,
    { endStream, flowBytes }: { readonly endStream: boolean; readonly flowBytes: number },
  ): void {
    if (!this.#take(flowBytes)) return;
    if (payload.length === 0 && !endStream && !this.#allows("emptyData")) return;
    const stream = this.#streams.get(streamId);
    if (stream === undefined) this.#onGone(streamId, "DATA");
    else if (stream.remoteEnded) this.violated(stream, H2_ERROR.streamClosed, "DATA after the end");
    else {
      try {
        stream.receivedData(payload, endStream, flowBytes);
      } catch (error) {
        this.#streamDefect(stream, error);
      }
    }
  }

  headers(streamId: number, block: Buffer, endStream: boolean): void {
    const section = this.#decoder.decode(block);
    if (isHpackFault(section) && section.fault === "compression") {
      this.fail(H2_ERROR.compressionError, section.detail);
      return;
    }
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) {
      if (stream.remoteEnded) {
        this.violated(stream, H2_ERROR.streamClosed, "HEADERS after the end");
        return;
      }
      try {
        stream.receivedHeaders(section, endStream);
      } catch (error) {
        this.#streamDefect(stream, error);
      }
    } else if (this.#streams.mayBegin(streamId)) {
      this.#open(streamId, section, endStream);
    } else this.#onGone(streamId, "HEADERS");
  }

  rstStream(streamId: number, code: number): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      // It may have crossed our own last frame; on a stream that never was it is an error.
      if (this.#streams.isIdle(streamId)) this.#failIdle("RST_STREAM");
      return;
    }
    this.#remove(stream, "reset-by-peer");
    const cause: StreamReset = {
      by: "peer",
      code,
      unprocessed: code === H2_ERROR.refusedStream,
      detail: `the peer reset the stream: ${h2ErrorName(code)}`,
    };
    // Section 8.1: the answer is there, and the service wants no more of the request.
    if (!this.#server && code === H2_ERROR.noError) stream.receivedStop(cause);
    else stream.receivedReset(cause);
    if (this.#server && !this.#floods.allowsReset(stream, this.#config.deadlines.coarseNow)) {
      this.#flooded("resets");
    }
    this.#closeIfDone();
  }

  settings(pairs: readonly (readonly [id: number, value: number])[]): void {
    if (!this.#allows("settings")) return;
    const { peer, outbox } = this;
    const before = peer.initialWindow;
    peer.apply(pairs);
    outbox.setMaxFrameBytes(peer.maxFrameBytes);
    outbox.setMaxTableBytes(peer.maxTableBytes);
    const change = peer.initialWindow - before;
    if (change !== 0) {
      for (const stream of this.#streams.values()) {
        if (stream.grow(change)) continue;
        this.fail(H2_ERROR.flowControlError, "SETTINGS make a window too large");
        return;
      }
    }
    outbox.settingsAck();
    this.#end.settingsReceived();
  }

  settingsAck(): void {
    if (this.#unacknowledged === 0) {
      this.fail(H2_ERROR.protocolError, "an acknowledgement of nothing");
      return;
    }
    this.#unacknowledged -= 1;
    if (this.#unacknowledged === 0) this.#settingsBy = NEVER;
  }

  ping(opaque: Buffer, ack: boolean): void {
    if (ack && this.#farewell === "announced" && opaque.equals(FAREWELL)) this.finish();
    else if (this.#allows("pings") && !ack) this.outbox.ping(opaque, true);
  }

  goaway(lastStreamId: number, code: number): void {
    if (!this.#allows("unknown")) return;
    // First, so that nobody sends here again what is handed back now.
    this.#end.goawayReceived(lastStreamId, code);
    if (!this.#server) this.#dropAbove(lastStreamId);
  }

  windowUpdate(streamId: number, increment: number): void {
    if (!this.#allows("windowUpdates")) return;
    if (streamId === 0) {
      if (!this.outbox.grow(increment)) {
        this.fail(H2_ERROR.flowControlError, "a window above the largest");
      }
      return;
    }
    const stream = this.#streams.get(streamId);
    if (stream === undefined) {
      if (this.#streams.isIdle(streamId)) this.#failIdle("WINDOW_UPDATE");
    } else if (!stream.grow(increment)) {
      this.violated(stream, H2_ERROR.flowControlError, "a window above the largest");
    }
  }

  priority(): void {
    this.#allows("priority");
  }

  unknown(): void {
    this.#allows("unknown");
  }

  fault({ streamId, code, detail, flood }: FrameFault): void {
    const limit = flood === undefined ? undefined : READER_LIMITS[flood];
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) this.violated(stream, code, detail);
    else if (streamId === 0 || this.#streams.isIdle(streamId)) this.fail(code, detail, limit);
    else if (this.#allows("resets")) this.outbox.rstStream(streamId, code);
  }

  // StreamHost

  number(stream: Http2Stream): { readonly id: number; readonly window: number } {
    this.#floods.streamOpened();
    return { id: this.#streams.number(stream), window: this.peer.initialWindow };
  }

  touched(stream: Http2Stream): void {
    stream.listed = true;
    this.#touched.push(stream);
  }

  finished(stream: Http2Stream): void {
    this.#floods.streamEnded();
    this.#remove(stream, "ended");
    this.#closeIfDone();
  }

  /** Counts a request that costs its sender nothing: refused before or after it was one. */
  provoked(): void {
    this.#allows("resets");
  }

  unwanted(stream: Http2Stream): void {
    this.#early.add(stream);
  }

  resetByUs(stream: Http2Stream, code: number): void {
    // One that has no number yet was never seen by the peer.
    if (stream.id === 0 || this.#phase !== "open") return;
    this.#remove(stream, "reset-by-us");
    this.outbox.rstStream(stream.id, code);
    this.#closeIfDone();
  }

  violated(stream: Http2Stream, code: number, detail: string): void {
    if (stream.closed) return;
    this.#remove(stream, "reset-by-us");
    this.outbox.rstStream(stream.id, code);
    stream.receivedReset({ by: "us", code, unprocessed: false, detail });
    this.#allows("resets");
    this.#closeIfDone();
  }

  // OutboxHost

  beforeWrite(): void {
    if (!this.#server) this.#early.stop();
  }

  dataSent(cut: boolean): void {
    // Who opens a window by a byte at a time is owed nothing for what that makes us send.
    if (!cut) this.#floods.dataSent();
  }

  unread(): void {
    if (this.#phase !== "open") return;
    this.#config.hit("http2Unread");
    this.destroy();
  }

  stalled(waiting: boolean): void {
    if (!waiting) this.#readBy = NEVER;
    else if (this.#readBy === NEVER) {
      this.#readBy = this.#config.deadlines.coarseNow + this.#config.readTimeoutMs;
    }
  }

  // Receiving

  /** Undefined: nothing is left. */
  #readPreface(chunk: Buffer): Buffer | undefined {
    const from = PREFACE.length - this.#prefaceLeft;
    const length = Math.min(chunk.length, this.#prefaceLeft);
    if (chunk.compare(PREFACE, from, from + length, 0, length) !== 0) {
      this.fail(H2_ERROR.protocolError, "what came first is not the preface");
      return undefined;
    }
    this.#prefaceLeft -= length;
    return length === chunk.length ? undefined : chunk.subarray(length);
  }

  #readOver(): void {
    // With streams open it may be a slow body, whose pace is looked after, and then nothing rests.
    if (!this.#reader.partial || this.#streams.size > 0) this.#wholeBy = NEVER;
    else if (this.#wholeBy === NEVER) {
      const { deadlines, headTimeoutMs = NEVER } = this.#config;
      this.#wholeBy = deadlines.coarseNow + headTimeoutMs;
    }
    if (this.#touched.length === 0) return;
    const touched = this.#touched;
    this.#touched = [];
    for (const stream of touched) stream.readOver();
  }

  /** Counts bytes against the connection's window. False: nothing more is to be read. */
  #take(flowBytes: number): boolean {
    if (!this.#window.take(flowBytes)) {
      this.fail(H2_ERROR.flowControlError, "more DATA than the connection's window");
      return false;
    }
    // On receipt, so that a stream that is paused holds up no other.
    const given = this.#window.give(flowBytes);
    if (given > 0) this.outbox.windowUpdate(0, given);
    return this.#phase === "open";
  }

  #open(id: number, section: Section, endStream: boolean): void {
    if (this.#farewell === "final") {
      this.#streams.ignore(id);
      return;
    }
    this.#floods.streamOpened();
    const stream = new Http2Stream(id, this, this.peer.initialWindow);
    stream.remoteEnded = endStream;
    stream.openedAt = this.#config.deadlines.coarseNow;
    this.#streams.begin(stream);
    try {
      this.#end.opened(stream, section, endStream);
    } catch (error) {
      this.#streamDefect(stream, error);
    }
  }

  /** Section 5.1, "idle" and "closed", for frames that no stream in the table takes. */
  #onGone(streamId: number, frame: string): void {
    if (this.#streams.isIdle(streamId)) {
      this.#failIdle(frame);
      return;
    }
    const ending = this.#streams.endingOf(streamId);
    if (ending === "reset-by-us") {
      // A caller's trailers cross with a reset once; sent on and on, each costs us its decompression.
      if (this.#server && frame === "HEADERS") this.#allows("resets");
      return;
    }
    if (ending === "reset-by-peer") {
      if (this.#allows("resets")) this.outbox.rstStream(streamId, H2_ERROR.streamClosed);
    } else if (ending === undefined && frame === "HEADERS") {
      // Section 5.1.1: numbers only grow.
      this.fail(H2_ERROR.protocolError, "HEADERS on a number below the highest");
    } else this.fail(H2_ERROR.streamClosed, `${frame} on a stream that has ended`);
  }

  #failIdle(frame: string): void {
    this.fail(H2_ERROR.protocolError, `${frame} on a stream that was never opened`);
  }

  /** Clients: what the service will not look at may go elsewhere. */
  #dropAbove(lastStreamId: number): void {
    for (const stream of this.#streams.values()) {
      if (stream.id <= lastStreamId) continue;
      this.#remove(stream, "reset-by-us");
      stream.receivedReset({
        by: "connection",
        code: H2_ERROR.refusedStream,
        unprocessed: true,
        detail: "above the last stream of a GOAWAY",
      });
    }
  }

  #allows(kind: FloodKind): boolean {
    if (this.#floods.allows(kind, this.#config.deadlines.coarseNow)) return this.#phase === "open";
    this.#flooded(kind);
    return false;
  }

  #flooded(kind: FloodKind): void {
    this.fail(H2_ERROR.enhanceYourCalm, `a flood of ${kind}`, FLOOD_LIMITS[kind]);
  }

  // Ending

  #remove(stream: Http2Stream, ending: Ending): void {
    this.#early.delete(stream);
    if (this.#streams.remove(stream, ending)) this.#end.streamClosed(stream);
  }

  #closeIfDone(): void {
    if (this.#farewell !== "final" || this.#streams.size > 0 || this.#phase !== "open") return;
    this.#close("all streams have ended", H2_ERROR.noError);
  }

  #close(detail: string, code: number): void {
    this.#phase = "closing";
    this.#reader.stop();
    this.#lingerBy = this.#config.deadlines.coarseNow + LIMITS.lingerMs;
    this.#dropAll({ by: "connection", code, unprocessed: false, detail });
    this.outbox.flush();
    this.outbox.close();
    if (!this.#socket.destroyed) this.#socket.end();
    this.#end.closing(detail, code);
  }

  #dropAll(cause: StreamReset): void {
    for (const stream of this.#streams.clear()) {
      try {
        stream.receivedReset(cause);
      } catch (error) {
        this.#config.log.error("a defect in an HTTP/2 stream", { error: asError(error) });
      }
    }
  }

  /** Who goes on sending after its end has no claim to hear why it came. */
  #drop(bytes: number): void {
    this.#droppable -= bytes;
    if (this.#droppable < 0 && this.#phase === "closing") this.destroy();
  }

  /** A peer that closes its side is gone, as with HTTP/1.1. */
  #closedByPeer(): void {
    if (this.#phase === "open") this.#over("the peer closed the connection");
    this.#socket.destroy();
  }

  #over(detail: string): void {
    if (this.#phase === "closed") return;
    const wasOpen = this.#phase === "open";
    this.#phase = "closed";
    this.#config.deadlines.delete(this);
    this.#reader.stop();
    this.outbox.close();
    if (wasOpen) {
      this.#dropAll({ by: "connection", code: H2_ERROR.cancel, unprocessed: false, detail });
      this.#end.closing(detail, H2_ERROR.cancel);
    }
    this.#end.ended();
  }

  #expire(): void {
    const now = this.#config.deadlines.coarseNow;
    this.#early.stop();
    if (this.#phase === "closing") this.destroy();
    else if (this.#settingsBy <= now) {
      this.fail(H2_ERROR.settingsTimeout, "our SETTINGS were not acknowledged");
    } else if (this.#readBy <= now) {
      this.#config.hit("readTimeout");
      this.destroy();
    } else if (this.#wholeBy <= now) {
      this.#config.hit("headTimeout");
      this.#wholeBy = NEVER;
      this.finish();
    } else if (this.#farewellBy <= now) this.finish();
    else if (this.restBy <= now) this.#end.expired();
  }

  #streamDefect(stream: Http2Stream, error: unknown): void {
    this.#config.log.error("a defect in an HTTP/2 stream", { error: asError(error) });
    const { receiver } = stream;
    stream.reset(H2_ERROR.internalError);
    receiver?.reset({
      by: "us",
      code: H2_ERROR.internalError,
      unprocessed: false,
      detail: "a defect",
    });
  }

  #guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#defect(error);
    }
  }

  #defect(error: unknown): void {
    this.#config.log.error("a defect in an HTTP/2 connection", { error: asError(error) });
    this.destroy();
  }
}

function ignore(): void {}
