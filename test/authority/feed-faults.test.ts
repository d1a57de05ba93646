/**
 * A relay that was taken over stands between an authority and a follower and does its worst, over real
 * connections. Whatever it does, the follower never takes for vouched what the authority does not say,
 * and once it is served honestly it knows all of it, by itself.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { signJws } from "../../src/crypto/sign-jws.ts";
import { generateSigningKey } from "../../src/crypto/signing-key.ts";
import { FRAME_TYPE } from "../../src/authority/feed/feed-frames.ts";
import type { FeedPosition } from "../../src/model/feed.ts";
import { ChaosRelay, type Script } from "./chaos-relay.ts";
import { lifting, revoking, TestConsumer } from "./feed-kit.ts";
import { FeedGround, type TestAuthorityProcess, type TestFollower } from "./feed-ground.ts";

/** Checks each vouching against what the authority knew at that number. */
class JudgingConsumer extends TestConsumer {
  readonly #truth: ReadonlyMap<number, readonly string[]>;
  wrong: string | undefined;

  constructor(truth: ReadonlyMap<number, readonly string[]>) {
    super();
    this.#truth = truth;
  }

  override current(at: FeedPosition, asOfMs: number): void {
    const numbers = [...this.#truth.keys()].filter((number) => number <= at.number);
    const expected = this.#truth.get(Math.max(...numbers));
    if (JSON.stringify(this.digests) !== JSON.stringify(expected)) {
      this.wrong ??= `at ${at.number}: ${this.digests.length} instead of ${expected?.length}`;
    }
    if (asOfMs > Date.now() + 5000) this.wrong ??= "vouched for the future";
    super.current(at, asOfMs);
  }
}

interface Scene {
  readonly ground: FeedGround;
  readonly authority: TestAuthorityProcess;
  readonly relay: ChaosRelay;
  readonly truth: Map<number, readonly string[]>;
  /** hello, snapshot, settings, current, then four changes with their proofs. */
  readonly lines: readonly Buffer[];
  follower(name: string, folder?: string): Promise<TestFollower & { consumer: JudgingConsumer }>;
  commit(...writes: Parameters<FeedGround["store"]["commit"]>[0][number][]): Promise<number>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** `like`: with the same keys and CA. */
async function scene(like?: Scene): Promise<Scene> {
  const ground = new FeedGround(like?.ground);
  const truth = new Map<number, readonly string[]>();
  const known = new Set<string>();
  const commit: Scene["commit"] = async (...writes) => {
    for (const { id, body } of writes) {
      if (body === undefined) known.delete(id);
      else known.add(id);
    }
    const { number = 0 } = (await ground.store.commit(writes)) as { number?: number };
    truth.set(number, [...known].toSorted());
    return number;
  };
  await commit(revoking(1), revoking(2));
  const authority = await ground.authority();
  const relay = await ChaosRelay.start(ground, authority.url);
  const recording = relay.record(12);
  // Frames of each commit are out before the next one is made.
  const settled = async (): Promise<void> => {
    const { number } = authority.state.position();
    await authority.state.refresh();
    if (number === authority.state.position().number) await authority.state.refresh();
  };
  while (authority.feed.followers === 0) await new Promise(setImmediate);
  for (const writes of [[revoking(3)], [lifting(1)], [revoking(4), lifting(3)], [revoking(5)]]) {
    await commit(...writes);
    await settled();
  }
  const lines = await recording;
  assert.deepEqual(lines.map(kindOf), KINDS);
  return {
    ground,
    authority,
    relay,
    truth,
    lines,
    commit,
    async follower(name, folder) {
      const consumer = new JudgingConsumer(truth);
      const more = folder === undefined ? { consumer } : { consumer, folder };
      return { ...(await ground.follower(name, [relay.url], more)), consumer };
    },
    async [Symbol.asyncDispose]() {
      relay.close();
      await ground[Symbol.asyncDispose]();
    },
  };
}

const OPENING = ["hello", "snapshot", "settings", "current"];
const KINDS = [...OPENING, ...Array.from({ length: 4 }, () => ["change", "current"]).flat()];

function payloadOf(line: Buffer): Buffer {
  return Buffer.from(String(line).split(".")[1] ?? "", "base64url");
}

function kindOf(line: Buffer): unknown {
  return (JSON.parse(String(payloadOf(line))) as { kind?: unknown }).kind;
}

/** Follows until it knows all of now, and has never believed anything else. */
async function converges(
  { authority }: Scene,
  { follower, consumer }: TestFollower & { consumer: JudgingConsumer },
): Promise<void> {
  const target = authority.state.position().number;
  const since = consumer.asOfMs;
  await consumer.until(
    () =>
      consumer.asOfMs > since &&
      consumer.calls.at(-1) === "current" &&
      consumer.at?.number === target,
  );
  assert.equal(consumer.wrong, undefined);
  await follower.close();
}

const whole =
  (lines: readonly Buffer[]): Script =>
  (response) => {
    for (const line of lines) response.write(line);
    response.end();
  };

const cutAt =
  (lines: readonly Buffer[], at: number): Script =>
  (response) => {
    response.write(Buffer.concat([...lines]).subarray(0, at), () => response.destroy());
  };

test("a stream that is cut anywhere is never applied wrongly and comes again", async () => {
  await using stage = await scene();
  const { lines, relay } = stage;
  // At each boundary of a frame, one byte beside it, and within.
  const cuts = new Set<number>();
  let end = 0;
  for (const { length } of lines) {
    cuts
      .add(end + 1)
      .add(end + Math.floor(length / 2))
      .add(end + length - 1)
      .add(end + length);
    end += length;
  }
  const followed = await stage.follower("edge-1");
  for (const at of cuts) relay.scripts.push(cutAt(lines, at));
  await followed.follower.start();
  await followed.consumer.until(() => relay.scripts.length === 0);
  await converges(stage, followed);
});

test("a follower that restarts at any point of a stream goes on from its disk", async () => {
  await using stage = await scene();
  const { lines, relay, ground } = stage;
  for (let count = 1; count <= lines.length; count += 2) {
    const folder = await ground.folder();
    const first = await stage.follower("edge-1", folder);
    let written = (): void => {};
    const done = new Promise<void>((resolve) => (written = resolve));
    relay.scripts.push((response) => {
      for (const line of lines.slice(0, count)) response.write(line);
      // Open: it is the follower that goes.
      setImmediate(written);
    });
    await first.follower.start();
    await done;
    await first.follower.close();
    const second = await stage.follower("edge-1", folder);
    await second.follower.start();
    // What comes from the disk alone is vouched for by nobody.
    assert.equal(second.consumer.calls.includes("current"), false);
    await converges(stage, second);
  }
});

const MISCHIEF: readonly (readonly [string, (lines: readonly Buffer[]) => readonly Buffer[]])[] = [
  ["leaves a change out", (lines) => lines.filter((_, index) => index !== 4)],
  ["leaves the settings out", (lines) => lines.filter((_, index) => index !== 2)],
  ["leaves the hello out", (lines) => lines.slice(1)],
  ["repeats a change", (lines) => [...lines.slice(0, 7), lines[4] as Buffer, ...lines.slice(7)]],
  ["repeats all of it", (lines) => [...lines, ...lines]],
  ["repeats the snapshot later", (lines) => [...lines, lines[1] as Buffer, lines[3] as Buffer]],
  ["swaps two changes", (lines) => lines.with(4, lines[6] as Buffer).with(6, lines[4] as Buffer)],
  ["turns the order around", (lines) => [lines[0] as Buffer, ...lines.slice(1).toReversed()]],
  ["joins two frames", (lines) => lines.with(4, (lines[4] as Buffer).subarray(0, -1))],
  [
    "cuts a frame short",
    (lines) =>
      lines.with(4, Buffer.concat([(lines[4] as Buffer).subarray(0, 300), Buffer.from("\n")])),
  ],
  ["changes a byte of a payload", (lines) => lines.with(4, bent(lines[4] as Buffer, 150))],
  ["changes a byte of a signature", (lines) => lines.with(4, bent(lines[4] as Buffer, -20))],
  [
    "strips a signature",
    (lines) =>
      lines.with(4, Buffer.from(`${String(lines[4]).split(".").slice(0, 2).join(".")}.\n`)),
  ],
  ["says nothing at all", () => []],
  ["sends noise", () => [Buffer.from("\n\n{}\n.\n..\n")]],
  ["sends a line without end", () => [Buffer.alloc(1024 * 1024, "a")]],
];

for (const [what, bend] of MISCHIEF) {
  test(`a relay that ${what} deceives nobody`, async () => {
    await using stage = await scene();
    const fresh = await stage.follower("edge-1");
    stage.relay.scripts.push(whole(bend(stage.lines)));
    await fresh.follower.start();
    await converges(stage, fresh);
  });
}

test("a relay that forges frames with keys of its own deceives nobody", async () => {
  await using stage = await scene();
  const { ground, lines, relay } = stage;
  const [hello = Buffer.alloc(0), snapshot = Buffer.alloc(0)] = lines;
  const key = generateSigningKey("ES256");
  const sign = (line: Buffer, x5c?: string[]): Buffer =>
    Buffer.from(`${signJws(key, { typ: FRAME_TYPE, x5c }, payloadOf(line))}\n`);
  const empty = JSON.parse(String(payloadOf(snapshot))) as object;
  const nobody = Buffer.from(
    `${signJws(key, { typ: FRAME_TYPE }, Buffer.from(JSON.stringify({ ...empty, revocations: "" })))}\n`,
  );
  // Its own certificate for TLS, which the authority's CA did sign.
  const order = {
    publicKey: key.publicKey,
    commonName: "relay-1",
    dnsNames: [],
    ipAddresses: [],
    lifetimeMs: 3600_000,
  };
  const uris = ["spiffe://sallyport.example.com/sallyport/proxy/relay-1"];
  const own = ground.ca.issue({ ...order, uris, usages: ["client", "server"] });
  const sneaky = ground.ca.issue({
    ...order,
    uris: ["sallyport:feed", "sallyport:feed:generation:9"],
    usages: ["client"],
  });
  for (const forged of [
    [sign(hello), nobody],
    [sign(hello, [own.der.toString("base64")]), nobody],
    [sign(hello, [sneaky.der.toString("base64")]), nobody],
    // The real hello, and then a frame that is not the authority's.
    [hello, nobody, ...lines.slice(2)],
  ]) {
    const followed = await stage.follower("edge-1");
    relay.scripts.push(whole(forged));
    await followed.follower.start();
    await converges(stage, followed);
    assert.match(
      followed.metrics.render().body,
      /sallyport_feed_refused_total\{reason="[a-z-]+"\} 1/,
    );
  }
});

test("a relay that holds the authority's word back leaves its followers stale, not wrong", async () => {
  await using stage = await scene();
  const { lines, relay } = stage;
  const held = await stage.follower("edge-1");
  // All up to the second change and its proof; then silence, while the authority goes on.
  let over = (): void => {};
  const ended = new Promise<void>((resolve) => (over = resolve));
  relay.scripts.push((response) => {
    for (const line of lines.slice(0, 8)) response.write(line);
    response.on("close", over);
  });
  await held.follower.start();
  await held.consumer.until(() => held.consumer.asOfMs > 0);
  const { asOfMs } = held.consumer;
  await stage.commit(revoking(6));
  await ended;
  assert.equal(held.consumer.asOfMs, asOfMs);
  // It gave the silent one up by itself.
  await converges(stage, held);
  assert.ok(held.consumer.asOfMs > asOfMs);
});

test("frames of another life of the store are not mixed with those of this one", async () => {
  await using stage = await scene();
  await using other = await scene(stage);
  // Both under one CA and one key, as a store that was restored from a backup is.
  const { relay, lines } = stage;
  const followed = await stage.follower("edge-1");
  relay.scripts.push(whole([...lines.slice(0, 4), ...other.lines.slice(4)]));
  await followed.follower.start();
  await converges(stage, followed);
});

function bent(line: Buffer, at: number): Buffer {
  const copy = Buffer.from(line);
  const index = at < 0 ? copy.length + at : at;
  copy[index] = copy[index] === 65 ? 66 : 65;
  return copy;
}
