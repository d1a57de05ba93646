/**
 * One caller floods while another asks for something good all the time: how the flood ended, what it
 * got through to the service, and that the other was answered throughout.
 */
import { strict as assert } from "node:assert";
import { CODE } from "./codes.ts";
import { codeName, type Http2Ground } from "./ground.ts";
import { type Http2Peer, type PeerOptions, statusOf } from "./peer.ts";

export interface FloodOptions extends PeerOptions {
  /** Most that the flood may send; it is to be ended long before. */
  readonly rounds: number;
  /** Sent once, before all. */
  readonly begin?: (caller: Http2Peer) => void | Promise<void>;
  /** The bytes of one round. */
  readonly round: (index: number) => readonly Buffer[];
  /** The limits one of which is to have struck. */
  readonly limits: readonly string[];
  /** Most requests that may reach the service; none of it when left out. */
  readonly arrivals?: number;
  /** How the connection may end; ENHANCE_YOUR_CALM when left out. */
  readonly codes?: readonly number[];
}

const LIMITS = {
  /** Rounds between two looks, so that the event loop turns: real callers are not in this process. */
  burst: 50,
} as const;

/** Floods, and asserts all that a flood must not do. Returns how many rounds were sent. */
export async function assertFloodEnds(ground: Http2Ground, options: FloodOptions): Promise<number> {
  const other = await ground.caller();
  await answered(other, 1);
  const caller = await ground.caller(options);
  await options.begin?.(caller);
  const before = hits(ground, options.limits);
  let sent = 0;
  let good = 1;
  while (sent < options.rounds && !over(caller)) {
    const parts: Buffer[] = [];
    for (let count = 0; count < LIMITS.burst; count += 1)
      parts.push(...options.round(sent + count));
    caller.send(...parts);
    sent += LIMITS.burst;
    good += 2;
    await answered(other, good);
  }
  assert.ok(over(caller), `${sent} rounds, and it goes on`);
  await caller.until("the end", () => caller.ended || caller.closed);
  const { codes = [CODE.enhanceYourCalm] } = options;
  const code = caller.goaway?.code;
  assert.ok(code !== undefined && codes.includes(code), codeName(code));
  if (code === CODE.enhanceYourCalm) {
    assert.ok(ground.loopback.logged.includes("a flood ended an HTTP/2 connection"));
  }
  assert.ok(hits(ground, options.limits) > before, `no hit of ${options.limits.join()}`);
  const arrived = ground.arrived().filter(({ target }) => target !== "/good").length;
  const { arrivals = 0 } = options;
  assert.ok(arrived <= arrivals, `${arrived} requests reached the service`);
  await answered(other, good + 2);
  return sent;
}

async function answered(other: Http2Peer, streamId: number): Promise<void> {
  assert.equal(statusOf(await other.get(streamId, "/good")), 200);
}

function hits(ground: Http2Ground, limits: readonly string[]): number {
  return limits.reduce((sum, limit) => sum + ground.loopback.hits(limit), 0);
}

function over(caller: Http2Peer): boolean {
  return caller.goaway !== undefined || caller.ended || caller.closed;
}
