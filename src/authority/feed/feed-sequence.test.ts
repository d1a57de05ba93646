import assert from "node:assert/strict";
import { test } from "node:test";
import { assert as check, constantFrom, integer, nat, property } from "fast-check";
import { signJws } from "../../crypto/sign-jws.ts";
import {
  digestOf,
  T0,
  TestAuthority,
  type TestConsumer,
  type TestGround,
  testGround,
  TestReader,
  TestStream,
} from "../../../test/authority/feed-kit.ts";
import { FRAME_LIMITS, FRAME_TYPE, writePayload } from "./feed-frames.ts";

interface Scene {
  readonly ground: TestGround;
  readonly stream: TestStream;
  readonly reader: TestReader;
  readonly consumer: TestConsumer;
}

/** A follower that is current at number 10 with revocations 1 and 2. */
function scene(algorithm?: "EdDSA" | "ES256"): Scene {
  const ground = testGround(algorithm);
  const stream = new TestStream(ground);
  const reader = new TestReader(ground);
  reader.take(stream.hello(), ...stream.snapshot(10, [1, 2]), stream.settle());
  assert.equal(reader.take(stream.current(10, 10)), "fresh");
  return { ground, stream, reader, consumer: reader.consumer };
}

for (const algorithm of ["EdDSA", "ES256"] as const) {
  test(`a stream signed with ${algorithm} is applied in its order and vouched for`, () => {
    const { ground, stream, reader, consumer } = scene(algorithm);
    assert.deepEqual(consumer.digests, [digestOf(1), digestOf(2)].toSorted());
    assert.equal(reader.take(stream.change(10, 12, [3], [1])), "applied");
    assert.equal(consumer.asOfMs, T0);
    ground.clock.advance(1000);
    // What changed between 12 and 15 was no revocation.
    assert.equal(reader.take(stream.current(12, 15)), "fresh");
    assert.deepEqual(consumer.digests, [digestOf(2), digestOf(3)].toSorted());
    assert.deepEqual(consumer.at, { epoch: "epoch-1", number: 15 });
    assert.equal(consumer.asOfMs, T0 + 1000);
    assert.equal(reader.take(stream.change(12, 16, [4])), "applied");
  });
}

test("take() refuses what is left out: a change, and settings that `current` names", () => {
  const { stream, reader, consumer } = scene();
  stream.change(10, 11, [3]);
  assert.equal(reader.refusal(stream.current(11, 11)), "gap");
  reader.sequence.begin();
  assert.equal(reader.refusal(stream.hello(), stream.change(11, 12, [4])), "gap");
  assert.deepEqual(consumer.digests, [digestOf(1), digestOf(2)].toSorted());
  const { calls } = consumer;
  reader.sequence.begin();
  reader.take(stream.hello());
  stream.settle(stream.settingsText(["edge-9"]));
  assert.equal(reader.take(stream.current(10, 10)), "known");
  assert.equal(calls.filter((call) => call === "current").length, 1);
});

test("take() refuses what is repeated or goes back within a stream", () => {
  const { ground, stream, reader, consumer } = scene();
  const change = stream.change(10, 11, [3]);
  const lift = stream.change(11, 12, [], [3]);
  const old = stream.current(12, 12);
  reader.take(change, lift);
  assert.equal(reader.refusal(change), "replayed");
  assert.equal(reader.refusal(lift), "replayed");
  ground.clock.advance(2000);
  reader.take(stream.current(12, 12));
  assert.equal(reader.refusal(old), "replayed");
  assert.equal(reader.refusal(...stream.snapshot(9, [1])), "replayed");
  assert.deepEqual(consumer.digests, [digestOf(1), digestOf(2)].toSorted());
  assert.equal(consumer.asOfMs, T0 + 2000);
});

test("take() passes over what another authority, which is behind, tells truly", () => {
  const { ground, stream, reader, consumer } = scene();
  reader.take(stream.change(10, 14, [3]));
  ground.clock.advance(1000);
  reader.take(stream.current(14, 14));
  reader.sequence.begin();
  // The same changes in other portions, then one that reaches further.
  assert.equal(reader.take(stream.hello(), stream.change(10, 12, [3])), "known");
  assert.equal(reader.take(stream.current(12, 12)), "known");
  assert.equal(reader.take(stream.change(12, 15, [4])), "applied");
  assert.equal(reader.take(stream.current(15, 15)), "fresh");
  assert.deepEqual(consumer.digests, [1, 2, 3, 4].map(digestOf).toSorted());
});

test("take() refuses a word that was held up, and one of the future", () => {
  const { ground, stream, reader } = scene();
  const held = stream.current(10, 10);
  ground.clock.advance(10_001);
  assert.equal(reader.refusal(held), "too-old");
  const soon = stream.current(10, 10, ground.clock.now() + 5001);
  assert.equal(reader.refusal(soon), "future");
  assert.equal(reader.take(stream.current(10, 10, ground.clock.now() + 5000)), "fresh");
});

test("take() takes no old word for a proof where a stream opens with it", () => {
  const { ground, stream, reader, consumer } = scene();
  const held = stream.current(10, 10);
  ground.clock.advance(10_001);
  reader.sequence.begin();
  assert.equal(reader.take(stream.hello(), held), "known");
  assert.equal(consumer.asOfMs, T0);
  assert.equal(reader.take(stream.current(10, 10)), "fresh");
});

test("take() refuses parts of a snapshot that do not belong together", () => {
  const { ground, stream, consumer } = scene();
  const fresh = (): TestReader => new TestReader(ground);
  const [a1, a2, a3] = stream.snapshot(11, [1, 2, 3], { parts: 3, id: "a" }) as [
    Buffer,
    Buffer,
    Buffer,
  ];
  const [, b2] = stream.snapshot(11, [1, 2, 3], { parts: 3, id: "b" }) as [Buffer, Buffer, Buffer];
  const hello = stream.hello();
  assert.equal(fresh().refusal(hello, a1, b2), "mixed-snapshot");
  assert.equal(fresh().refusal(hello, a1, a3), "mixed-snapshot");
  assert.equal(fresh().refusal(hello, a2), "mixed-snapshot");
  assert.equal(fresh().refusal(hello, a1, a1), "mixed-snapshot");
  assert.equal(fresh().refusal(hello, a1, stream.current(11, 11)), "mixed-snapshot");
  assert.equal(
    fresh().refusal(hello, a1, a2, a3, stream.settle(), stream.current(11, 11)),
    undefined,
  );
  assert.equal(consumer.asOfMs, T0);
});

test("position is undefined from the first part of a snapshot to its last", () => {
  const { stream, reader } = scene();
  const [first, second] = stream.snapshot(11, [1, 2], { parts: 2 }) as [Buffer, Buffer];
  const number = (): number | undefined => reader.sequence.position?.number;
  assert.equal(number(), 10);
  reader.take(first);
  assert.equal(number(), undefined);
  reader.sequence.begin();
  // What stands there is half of one and half of the other: nothing can be built on it.
  assert.equal(reader.refusal(stream.hello(), stream.current(10, 10)), "gap");
  reader.sequence.begin();
  reader.take(stream.hello(), first, second);
  assert.equal(number(), 11);
});

test("take() begins anew in a new epoch, and never goes back to an ended one", () => {
  const { ground, stream, reader, consumer } = scene();
  const ended = [stream.hello(), ...stream.snapshot(99, [7]), stream.settle()];
  ended.push(stream.current(99, 99));
  assert.equal(reader.refusal(...ended.slice(0, 1), stream.change(10, 11, [5])), undefined);
  ground.clock.advance(1000);
  reader.take(stream.current(11, 11));
  stream.epoch = "epoch-2";
  const other = stream.hello();
  // Within a stream the epoch does not change.
  assert.equal(reader.refusal(other), "wrong-epoch");
  reader.sequence.begin();
  ground.clock.advance(1000);
  reader.take(other, ...stream.snapshot(3, [4]), stream.settle());
  assert.equal(reader.take(stream.current(3, 3)), "fresh");
  assert.deepEqual(consumer.digests, [digestOf(4)]);
  reader.sequence.begin();
  assert.equal(reader.refusal(...ended), "wrong-epoch");
  assert.deepEqual(consumer.digests, [digestOf(4)]);
});

test("take() asks for everything anew once the key that signed it is withdrawn", () => {
  const { ground, stream, reader } = scene();
  ground.clock.advance(1000);
  ground.keys.rotate({ emergency: true });
  stream.floor = ground.clock.now();
  assert.ok(stream.signer.due);
  assert.equal(reader.refusal(stream.hello()), "key-withdrawn");
  assert.equal(reader.sequence.position, undefined);
  reader.sequence.begin();
  reader.take(stream.hello(), ...stream.snapshot(10, [1, 2]), stream.settle());
  assert.equal(reader.take(stream.current(10, 10)), "fresh");
});

test("read() refuses a withdrawn key, and a key cannot withdraw itself", () => {
  const ground = testGround();
  const thief = new TestStream(ground);
  const stolen = thief.hello();
  const forged = thief.snapshot(10, []);
  ground.clock.advance(1000);
  ground.keys.rotate({ emergency: true });
  const stream = new TestStream(ground);
  stream.floor = ground.clock.now() + 1_000_000;
  const reader = new TestReader(ground);
  reader.take(stream.hello());
  assert.equal(reader.verifier.floor, ground.clock.now());
  assert.equal(reader.refusal(stolen), "key-withdrawn");
  assert.equal(reader.refusal(...forged), "unknown-key");
  // A follower that starts anew keeps the floor.
  const later = new TestReader(ground, { floor: reader.verifier.floor });
  assert.equal(later.refusal(stolen), "key-withdrawn");
});

test("read() goes on through an ordinary rotation", () => {
  const { ground, stream, reader } = scene();
  ground.clock.advance(1000);
  ground.keys.rotate();
  assert.ok(stream.signer.due);
  reader.take(stream.hello(), stream.settle(stream.settingsText()));
  assert.equal(reader.take(stream.current(10, 10)), "fresh");
});

test("read() refuses keys that the authority has not certified for the feed", () => {
  const ground = testGround();
  const stranger = testGround();
  assert.equal(new TestReader(ground).refusal(new TestStream(stranger).hello()), "not-certified");
  assert.equal(new TestReader(ground).refusal(uncertified(ground)), "unknown-key");
  for (const [what, change] of [
    ["another usage too", { usages: ["feed", "client"] as const, uris: ["sallyport:feed"] }],
    ["no usage", { usages: [] as const }],
    ["no URI of the feed", { uris: ["sallyport:feed:generation:5"] }],
    ["no generation", { uris: ["sallyport:feed"] }],
    [
      "two generations",
      { uris: ["sallyport:feed", "sallyport:feed:generation:5", "sallyport:feed:generation:6"] },
    ],
  ] as const) {
    const ca = ground.ca;
    const issue = ca.issue.bind(ca);
    const bent = {
      ...ground,
      ca: Object.assign(Object.create(ca) as TestAuthority, {
        roots: () => ca.roots(),
        issue: (request: Parameters<typeof issue>[0]) => issue({ ...request, ...change }),
      }),
    };
    assert.equal(new TestReader(ground).refusal(new TestStream(bent).hello()), "wrong-usage", what);
  }
});

test("read() refuses a key whose certificate has ended, save in what was kept", () => {
  const { ground, stream, reader } = scene();
  const hello = stream.hello();
  const snapshot = stream.snapshot(10, [1]);
  const current = stream.current(10, 10);
  ground.clock.advance(12 * 3600_000 + 2000);
  assert.equal(reader.refusal(current), "key-expired");
  assert.equal(new TestReader(ground).refusal(hello), "key-expired");
  const kept = new TestReader(ground, { validity: "then" });
  assert.equal(kept.refusal(hello, ...snapshot), undefined);
});

test("trust() drops keys of authorities that are not trusted any more", () => {
  const { ground, stream, reader } = scene();
  const other = new TestAuthority(ground.clock, "another authority");
  reader.verifier.trust([ground.ca.certificate, other.certificate]);
  assert.equal(reader.refusal(stream.current(10, 10)), undefined);
  reader.verifier.trust([other.certificate]);
  assert.equal(reader.refusal(stream.current(10, 10)), "unknown-key");
  assert.equal(reader.refusal(stream.hello()), "not-certified");
});

test("read() refuses other kinds, versions and members, and passes over what is optional", () => {
  const { ground, stream, reader } = scene();
  const signed = (payload: object, typ = FRAME_TYPE): Buffer => {
    const text = signJws(ground.keys.signer("feed"), { typ }, Buffer.from(JSON.stringify(payload)));
    return Buffer.from(`${text}\n`);
  };
  const at = { epoch: "epoch-1", asOf: T0 } as const;
  const current = JSON.parse(
    writePayload({ kind: "current", ...at, before: 10, number: 10, settings: "" }),
  ) as object;
  assert.equal(reader.refusal(signed({ v: 1, kind: "quota", ...at })), "unknown-kind");
  assert.equal(reader.refusal(signed({ v: 3, kind: "quota", optional: true, ...at })), "version");
  assert.equal(reader.take(signed({ v: 1, kind: "quota", optional: true, ...at })), undefined);
  assert.equal(reader.refusal(signed({ ...current, more: 1 })), "malformed");
  assert.equal(reader.refusal(signed({ ...current, number: -1 })), "malformed");
  assert.equal(reader.refusal(signed({ ...current, number: 9 })), "malformed");
  assert.equal(reader.refusal(signed({ ...current, asOf: "now" })), "malformed");
  assert.equal(reader.refusal(signed(current, "sallyport-assertion+jwt")), "malformed");
  assert.equal(reader.refusal(signed({ v: 1, kind: "hello", ...at, floor: 0 })), "malformed");
  assert.equal(reader.refusal(Buffer.alloc(FRAME_LIMITS.line + 2, "a")), "too-large");
  assert.equal(reader.refusal(stream.current(10, 10)), undefined);
});

test("no frame is applied after any one byte of it was changed", () => {
  const { ground, stream } = scene();
  const lines = [stream.hello(), ...stream.snapshot(10, [1]), stream.settle()];
  lines.push(stream.change(10, 11, [2], [1]), stream.current(11, 11));
  for (const [index, line] of lines.entries()) {
    const reader = new TestReader(ground);
    reader.take(...lines.slice(0, index));
    const { length } = reader.consumer.calls;
    // The signature covers all before it; some thousand of the longest are enough.
    const step = Math.max(1, Math.floor(line.length / 1500));
    for (let at = 0; at < line.length - 1; at += step) {
      const bent = Buffer.from(line);
      bent[at] = (bent[at] ?? 0) ^ (1 << (at % 7));
      assert.notEqual(reader.refusal(bent), undefined, `frame ${index}, byte ${at}`);
    }
    assert.equal(reader.consumer.calls.length, length);
    assert.equal(reader.refusal(line), undefined);
  }
});

test("whatever is left out, repeated or reordered, what is vouched for is what the authority knows", () => {
  const ground = testGround();
  const stream = new TestStream(ground);
  const truth = new Map<number, ReadonlySet<number>>([[10, new Set([1, 2])]]);
  const opening = [stream.hello(), ...stream.snapshot(10, [1, 2], { parts: 2 }), stream.settle()];
  const frames = [...opening, stream.current(10, 10)];
  let known = new Set([1, 2]);
  for (let number = 11; number <= 20; number++) {
    const lifts = number % 3 === 0;
    const revoked: number[] = lifts ? [] : [number];
    const lifted: number[] = lifts ? [number - 2] : [];
    known = new Set([...known, ...revoked].filter((one) => !lifted.includes(one)));
    truth.set(number, known);
    ground.clock.advance(10);
    frames.push(stream.change(number - 1, number, revoked, lifted), stream.current(number, number));
  }
  const mischief = constantFrom("drop", "twice", "swap", "cut");
  check(
    property(mischief, nat(frames.length - 1), integer({ min: 1, max: 6 }), (what, at, by) => {
      const reader = new TestReader(ground);
      const sent = [...frames];
      if (what === "drop") sent.splice(at, by);
      if (what === "twice") sent.splice(at + by, 0, ...sent.slice(at, at + by));
      if (what === "swap") sent.splice(at + by, 0, ...sent.splice(at, 1));
      if (what === "cut") sent.length = at;
      const vouched = (): void => {
        const { asOfMs, at: position, digests, calls } = reader.consumer;
        if (asOfMs === 0 || calls.at(-1) !== "current") return;
        const expected = [...(truth.get(position?.number ?? 0) ?? [])].map(digestOf).toSorted();
        assert.deepEqual(digests, expected);
      };
      for (const line of sent) {
        if (reader.refusal(line) !== undefined) reader.sequence.begin();
        vouched();
      }
      // Once it hears an honest stream it has all of it.
      reader.sequence.begin();
      if (reader.sequence.position === undefined) reader.take(...opening);
      else reader.take(frames[0] as Buffer, stream.settle());
      const from = reader.sequence.position?.number ?? 10;
      const rest = frames.slice(opening.length + 1 + 2 * (from - 10));
      assert.equal(reader.take(...rest, stream.current(20, 20)), "fresh");
      vouched();
    }),
    { numRuns: 120 },
  );
});

function uncertified(ground: TestGround): Buffer {
  return Buffer.from(
    `${signJws(ground.keys.signer("feed"), { typ: FRAME_TYPE }, Buffer.from("{}"))}\n`,
  );
}

test("take() applies settings once, never older ones over newer, and none that it cannot read", () => {
  const { ground, stream, reader, consumer } = scene();
  const old = stream.settle(stream.settingsText(["edge-7"]));
  ground.clock.advance(1000);
  const now = stream.settle(stream.settingsText(["edge-9"]));
  reader.take(now);
  const { length } = consumer.calls;
  ground.clock.advance(1000);
  assert.equal(reader.take(stream.settle(stream.settings)), "known");
  assert.equal(reader.take(old), "known");
  assert.equal(consumer.calls.length, length);
  assert.deepEqual(consumer.disabled, ["edge-9"]);
  assert.equal(reader.refusal(stream.settle('{"keys":[]}')), "settings-invalid");
  assert.deepEqual(consumer.disabled, ["edge-9"]);
});

test("take() builds nothing of a new epoch on what is known of another", () => {
  const { stream, reader, consumer } = scene();
  stream.epoch = "epoch-2";
  for (const frame of [stream.change(10, 11, [5]), stream.current(10, 10), stream.settle()]) {
    reader.sequence.begin();
    assert.equal(reader.refusal(stream.hello(), frame), "wrong-epoch");
  }
  assert.deepEqual(consumer.digests, [1, 2].map(digestOf).toSorted());
});

/** Signed by the real key of the feed, whatever is in it. */
function crafted(
  ground: TestGround,
  { header = {}, payload }: { readonly header?: object; readonly payload: object | string },
): Buffer {
  const key = ground.keys.signer("feed");
  const encode = (value: object): string =>
    Buffer.from(JSON.stringify(value)).toString("base64url");
  const head = encode({ alg: key.algorithm, kid: key.kid, typ: FRAME_TYPE, ...header });
  const input = `${head}.${typeof payload === "string" ? payload : encode(payload)}`;
  return Buffer.from(`${input}.${key.sign(Buffer.from(input)).toString("base64url")}\n`);
}

test("read() refuses what is not written in the one way, though the key of the feed has signed it", () => {
  const { ground, stream, reader } = scene();
  const current = { v: 1, kind: "current", epoch: "epoch-1", asOf: T0, before: 10, number: 10 };
  const payload = { ...current, settings: reader.sequence.digest };
  assert.equal(reader.refusal(crafted(ground, { payload })), undefined);
  for (const header of [{ crit: ["b64"], b64: false }, { jku: "https://x" }, { alg: "none" }]) {
    assert.equal(reader.refusal(crafted(ground, { header, payload })), "malformed");
  }
  const padded = `${Buffer.from(JSON.stringify(payload)).toString("base64url")}=`;
  assert.equal(reader.refusal(crafted(ground, { payload: padded })), "malformed");
  for (const line of [
    "",
    ".",
    "..",
    "a",
    "a.b",
    ".a.b",
    `${"a".repeat(17_000)}.b.c`,
    "e30.e30.e30",
  ]) {
    assert.equal(reader.refusal(Buffer.from(`${line}\n`)), "malformed", line.slice(0, 9));
  }
  assert.equal(reader.refusal(stream.current(10, 10)), undefined);
});

test("read() refuses a chain that cannot be read, and a key that withdraws itself", () => {
  const { ground, stream, reader } = scene();
  const [head = ""] = String(stream.hello()).split(".");
  const { x5c = [] } = JSON.parse(String(Buffer.from(head, "base64url"))) as { x5c?: string[] };
  const [leaf = ""] = x5c;
  const hello = { v: 1, kind: "hello", epoch: "epoch-1", asOf: T0, floor: 0 };
  const refusal = (chain: unknown, payload: object = hello): unknown =>
    reader.refusal(crafted(ground, { header: { x5c: chain }, payload }));
  assert.equal(refusal([leaf]), undefined);
  const wrong = [leaf, {}, [], [1], [`${leaf} `], ["AAAA"], [leaf, leaf, leaf, leaf, leaf]];
  for (const chain of wrong) assert.equal(refusal(chain), "malformed");
  assert.equal(refusal([leaf], { ...hello, floor: T0 + 1 }), "malformed");
  assert.equal(reader.verifier.floor, 0);
});

test("take() refuses an authority that vouches later for a lower number: commits are lost", () => {
  const { ground, stream, reader } = scene();
  ground.clock.advance(6000);
  reader.sequence.begin();
  assert.equal(reader.refusal(stream.hello(), stream.current(8, 8)), "rolled-back");
  assert.equal(reader.sequence.lostEpoch, "epoch-1");
});

test("take() refuses that epoch for good, also when its number has caught up, and takes the next one", () => {
  const { ground, stream, reader, consumer } = scene();
  ground.clock.advance(6000);
  reader.sequence.begin();
  reader.refusal(stream.hello(), stream.current(8, 8));
  reader.sequence.begin();
  assert.equal(reader.refusal(stream.hello(), stream.current(12, 12)), "rolled-back");
  ground.clock.advance(1000);
  const next = new TestStream(ground);
  next.epoch = "epoch-2";
  reader.sequence.begin();
  reader.take(next.hello(), ...next.snapshot(13, [2]), next.settle());
  assert.equal(reader.take(next.current(13, 13)), "fresh");
  assert.deepEqual(consumer.digests, [digestOf(2)]);
});

test("take() bears with an authority that read the store a little earlier than the one before", () => {
  const { ground, stream, reader } = scene();
  ground.clock.advance(4000);
  reader.sequence.begin();
  reader.take(stream.hello());
  assert.equal(reader.take(stream.current(8, 8)), "known");
  assert.equal(reader.take(stream.current(9, 11)), "fresh");
});

test("take() of what was kept on a disk needs a stream that stays behind for its bound to call it lost", () => {
  const { ground, stream } = scene();
  const kept = [stream.hello(), ...stream.snapshot(10, [1, 2]), stream.settle()];
  const restarted = new TestReader(ground);
  restarted.take(...kept);
  restarted.sequence.begin();
  restarted.take(stream.hello(), stream.current(8, 8));
  ground.clock.advance(9000);
  assert.equal(restarted.take(stream.current(8, 9)), "known");
  ground.clock.advance(2000);
  assert.equal(restarted.refusal(stream.current(8, 9)), "rolled-back");
});
