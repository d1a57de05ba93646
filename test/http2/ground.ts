/**
 * The engine between HTTP/2 callers and the recording service, in this process: over plain TCP or
 * over TLS, with a clock that the test turns. What it does not refuse is passed through as it is.
 */
import { strict as assert } from "node:assert";
import { Loopback, type LoopbackOptions } from "../../src/http/loopback.fixture.ts";
import { type RecordingService, startRecordingService } from "../e2e/recording-service.ts";
import { readRequests, type StrictRequest } from "../e2e/strict-http1.ts";
import { TlsGround } from "../tls-ground.ts";
import { CODE } from "./codes.ts";
import { Http2Peer, type PeerOptions, type SeenStream, statusOf } from "./peer.ts";

export interface Http2GroundOptions extends Omit<LoopbackOptions, "tls"> {
  readonly tls?: boolean;
  /** Of the listener: its `http2` options. */
  readonly http2?: Readonly<Record<string, unknown>>;
}

export class Http2Ground {
  readonly loopback: Loopback;
  readonly service: RecordingService;
  readonly #tls: TlsGround | undefined;
  readonly #callers: Http2Peer[] = [];

  private constructor(loopback: Loopback, service: RecordingService, tls: TlsGround | undefined) {
    this.loopback = loopback;
    this.service = service;
    this.#tls = tls;
  }

  static async start(given: Http2GroundOptions = {}): Promise<Http2Ground> {
    const { tls = false, http2, ...rest } = given;
    const service = await startRecordingService();
    const options: LoopbackOptions = {
      endpoints: [Number(service.address.split(":")[1])],
      handle: (exchange, loopback) => loopback.forward(exchange),
      ...rest,
      ...(http2 === undefined ? {} : { listener: { ...rest.listener, http2 } }),
    };
    const ground = tls ? new TlsGround(options) : undefined;
    const loopback = ground?.loopback ?? new Loopback(options);
    await (ground ?? loopback).start();
    return new Http2Ground(loopback, service, ground);
  }

  get address(): string {
    return `127.0.0.1:${this.loopback.listener.address.port}`;
  }

  /** A caller that speaks HTTP/2: with prior knowledge, or over TLS because ALPN said so. */
  async caller(options: PeerOptions = {}): Promise<Http2Peer> {
    const caller = await Http2Peer.open(this.address, {
      ...options,
      tls: this.#tls !== undefined,
    });
    this.#callers.push(caller);
    return caller;
  }

  /** What the service got, each connection read strictly. */
  arrived(): StrictRequest[] {
    return this.service.connections.flatMap(({ text }) => {
      const reading = readRequests(text);
      assert.notEqual(reading.end, "invalid", reading.fault);
      return [...reading.messages];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const caller of this.#callers) caller.destroy();
    await (this.#tls ?? this.loopback)[Symbol.asyncDispose]();
    await this.service.close();
  }
}

/** The name of a code, so that a failing test says something. */
export function codeName(code: number | undefined): string {
  const found = Object.entries(CODE).find(([, value]) => value === code);
  return found?.[0] ?? String(code);
}

/** The connection ends, with GOAWAY and one of these codes (RFC 9113 section 5.4.1). */
export async function assertConnectionError(
  caller: Http2Peer,
  codes: number | readonly number[],
): Promise<void> {
  const code = await caller.gone();
  assertAmong(code, codes);
}

/** The stream ends with RST_STREAM and one of these codes; the connection does not (section 5.4.2). */
export async function assertStreamError(
  caller: Http2Peer,
  streamId: number,
  codes: number | readonly number[],
): Promise<void> {
  const seen = await caller.answer(streamId);
  if (seen.reset === undefined) {
    await caller.until("RST_STREAM", () => seen.reset !== undefined);
  }
  assertAmong(seen.reset, codes);
  await assertAlive(caller);
}

/**
 * The request is refused as malformed (section 8.1.1): by RST_STREAM with PROTOCOL_ERROR or by a 400
 * before it. The connection lives.
 */
export async function assertMalformed(caller: Http2Peer, streamId: number): Promise<void> {
  const seen = await caller.answer(streamId);
  assertRefused(seen);
  await assertAlive(caller);
}

/** How a single stream may be refused as malformed. */
export function assertRefused(seen: SeenStream): void {
  const status = statusOf(seen);
  if (status === undefined) assertAmong(seen.reset, CODE.protocolError);
  else assert.equal(status, 400);
}

/** The next request on this connection is answered. */
export async function assertAlive(caller: Http2Peer): Promise<void> {
  const seen = await caller.get(nextStream(caller), "/alive");
  assert.equal(statusOf(seen), 200, `reset: ${codeName(seen.reset)}`);
  assert.equal((JSON.parse(String(seen.body)) as { target?: unknown }).target, "/alive");
}

/** High above all that tests name, and never twice. */
const used = new WeakMap<Http2Peer, number>();

function nextStream(caller: Http2Peer): number {
  const next = (used.get(caller) ?? 9999) + 2;
  used.set(caller, next);
  return next;
}

function assertAmong(code: number | undefined, codes: number | readonly number[]): void {
  const expected = typeof codes === "number" ? [codes] : codes;
  assert.ok(
    code !== undefined && expected.includes(code),
    `${codeName(code)} is not among ${expected.map(codeName).join()}`,
  );
}
