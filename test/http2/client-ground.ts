/**
 * The engine between HTTP/1.1 callers and a service that speaks HTTP/2 and is played by the test:
 * what it does as a client of RFC 9113.
 */
import { strict as assert } from "node:assert";
import type { ForwardOutcome } from "../../src/http/exchange.ts";
import { Loopback, type LoopbackOptions, type RawPeer } from "../../src/http/loopback.fixture.ts";
import { type Http2Peer, Http2Service, type PeerOptions } from "./peer.ts";

export interface ClientGroundOptions extends LoopbackOptions {
  /** How the service behaves by itself. */
  readonly peer?: PeerOptions;
}

export class ClientGround {
  readonly loopback: Loopback;
  readonly service: Http2Service;

  private constructor(loopback: Loopback, service: Http2Service) {
    this.loopback = loopback;
    this.service = service;
  }

  static async start(given: ClientGroundOptions = {}): Promise<ClientGround> {
    const { peer, ...options } = given;
    const service = await Http2Service.start(peer);
    const endpoints = [`h2c://127.0.0.1:${service.port}`];
    const loopback = new Loopback({ ...options, service: { endpoints, ...options.service } });
    await loopback.start();
    return new ClientGround(loopback, service);
  }

  /** A caller that has sent a request; its connection closes behind the answer. */
  async ask(path = "/", method = "GET", rest = ""): Promise<RawPeer> {
    const caller = await this.loopback.caller();
    const framing = method === "POST" && rest === "" ? "Content-Length: 0\r\n" : "";
    caller.send(`${method} ${path} HTTP/1.1\r\nHost: api.example\r\n${framing}${rest}`);
    if (!rest.includes("\r\n\r\n")) caller.send("\r\n");
    return caller;
  }

  /** The next connection to the service, once a request has come on it whole or in part. */
  async asked(streamId = 1): Promise<Http2Peer> {
    const peer = await this.service.accepted();
    await arrived(peer, streamId);
    return peer;
  }

  /** How the forward number `index` ended, and what its caller got. */
  outcome(index = 0): Promise<ForwardOutcome> {
    return this.loopback.outcome(index);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.loopback[Symbol.asyncDispose]();
    await this.service[Symbol.asyncDispose]();
  }
}

/** Waits until the head of a request has come. */
export async function arrived(peer: Http2Peer, streamId: number): Promise<void> {
  await peer.until(`stream ${streamId}`, () => peer.stream(streamId).heads.length > 0);
}

/** An answer with that body, whole. */
export function answer(peer: Http2Peer, streamId: number, body: string): void {
  peer.headers(streamId, [[":status", "200"]], false);
  peer.data(streamId, body, true);
}

/** The caller gets a whole answer with that body. */
export async function assertAnswered(caller: RawPeer, body: string): Promise<void> {
  const head = await caller.until("\r\n\r\n");
  assert.match(head, /HTTP\/1\.1 200 /);
  await caller.until(body);
}
