/** Each rule: when it is quiet, when it is not, and what it says then. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ALL_OFF,
  type Changes,
  decisionAt,
  openSigns,
  signsFolder,
  STRANGER,
} from "../../../test/signs-kit.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

const denied = (changes: Changes = {}): Changes => ({
  decision: "deny",
  reason: "no-permit",
  ...changes,
});

test("refusal-burst is quiet below its threshold, and with refusals that are far apart", (t) => {
  const stage = openSigns(
    { ...ALL_OFF, refusalBurst: { principal: 5, address: 5, window: "10s" } },
    { folder: signsFolder(t) },
  );
  for (let i = 0; i < 4; i += 1) stage.take(decisionAt(i, denied()), decisionAt(i, STRANGER));
  for (let i = 0; i < 40; i += 1) stage.take(decisionAt(MINUTE + i * 4000, denied()));
  // What is no fault of the caller, or a step of a protocol, is none.
  for (let i = 0; i < 40; i += 1) {
    const late = 10 * MINUTE + i;
    stage.take(
      decisionAt(late),
      decisionAt(late, denied({ reason: "no-endpoint" })),
      decisionAt(late, denied({ reason: "use-dpop-nonce" })),
      decisionAt(late, denied({ reason: "rate-limited" })),
      decisionAt(late, denied({ stream: "X" })),
      decisionAt(late, denied({ asked: {} })),
    );
  }
  assert.deepEqual(stage.said(), []);
});

test("refusal-burst names the principal, else the address, and the decisions", (t) => {
  const stage = openSigns(
    { ...ALL_OFF, refusalBurst: { principal: 5, address: 7, window: "10s" } },
    { folder: signsFolder(t) },
  );
  const own = Array.from({ length: 5 }, (_, index) => decisionAt(index * SECOND, denied()));
  stage.take(...own);
  assert.deepEqual(stage.events, [
    {
      timeMs: Date.parse(own[4]?.time ?? ""),
      event: "refusal-burst",
      detail: "the principal was refused 5 times within 10 s, last: no-permit",
      principal: "corp/ada",
      address: "192.0.2.7",
      decisions: own.map(({ decisionId }) => decisionId),
      figures: { refusals: 5, windowSeconds: 10 },
    },
  ]);
  for (let i = 0; i < 7; i += 1)
    stage.take(decisionAt(i, { ...STRANGER, clientAddress: "198.51.100.9" }));
  const [, ofAddress] = stage.events;
  assert.equal(ofAddress?.address, "198.51.100.9");
  assert.equal(ofAddress.principal, undefined);
  assert.match(ofAddress.detail, /the address was refused 7 times/);
});

test("refusal-burst says it once in a time however long it goes on, and again after that", (t) => {
  const stage = openSigns(
    { ...ALL_OFF, repeat: "1m", refusalBurst: { principal: 5, window: "10s" } },
    { folder: signsFolder(t) },
  );
  for (let i = 0; i < 590; i += 1) stage.take(decisionAt(i * 100, denied()));
  assert.equal(stage.events.length, 1);
  for (let i = 0; i < 20; i += 1) stage.take(decisionAt(2 * MINUTE + i, denied()));
  assert.equal(stage.events.length, 2);
});

test("refusal-burst does not take what is read late for a burst", (t) => {
  const stage = openSigns(
    { ...ALL_OFF, refusalBurst: { principal: 20, window: "10s" } },
    { folder: signsFolder(t) },
  );
  // Two files of the same ten minutes, one after the other: five in ten seconds in each.
  for (let file = 0; file < 2; file += 1) {
    for (let i = 0; i < 300; i += 1) stage.take(decisionAt(i * 2000, denied()));
  }
  assert.deepEqual(stage.said(), []);
});

test("new-network is quiet while it learns, about known networks, and within one", (t) => {
  const stage = openSigns(
    { ...ALL_OFF, newNetwork: { learn: "7d", forget: "90d" } },
    { folder: signsFolder(t) },
  );
  for (let day = 0; day < 7; day += 1) {
    stage.take(decisionAt(day * DAY, { peerAddress: `10.0.${day}.1` }));
  }
  for (let day = 7; day < 60; day += 1) {
    stage.take(decisionAt(day * DAY, { peerAddress: `10.0.${day % 7}.200` }));
  }
  const anonymous = { principal: { authenticator: "", kind: "anonymous", subject: "" } } as const;
  for (let i = 0; i < 9; i += 1) {
    stage.take(decisionAt(90 * DAY + i, { ...anonymous, peerAddress: `203.0.${i}.1` }));
    stage.take(decisionAt(90 * DAY + i, { ...STRANGER, peerAddress: `203.0.${i}.1` }));
  }
  assert.deepEqual(stage.said(), []);
});

test("new-network tells of a network that the principal never used, or not for long", (t) => {
  const stage = openSigns(
    { ...ALL_OFF, newNetwork: { learn: "7d", forget: "90d" } },
    { folder: signsFolder(t) },
  );
  const from = (days: number, address: string) =>
    stage.take(decisionAt(days * DAY, { clientAddress: address }));
  from(0, "10.0.0.1");
  from(6, "2001:db8:1:2::7");
  from(8, "10.0.0.9");
  from(8, "2001:db8:1:ffff::1");
  assert.deepEqual(stage.said(), []);
  from(8, "203.0.113.5");
  from(8, "2001:db8:2::1");
  from(9, "203.0.113.6");
  assert.deepEqual(
    stage.events.map(({ detail, figures }) => [detail, figures?.["network"]]),
    [
      ["the principal came from 203.0.113.0/24, which it had not used before", "203.0.113.0/24"],
      ["the principal came from 2001:db8:2::/48, which it had not used before", "2001:db8:2::/48"],
    ],
  );
  from(120, "203.0.113.6");
  assert.equal(stage.events.length, 3);
});

test("impossible-rate has a threshold for people and one for machines", (t) => {
  const stage = openSigns(
    { ...ALL_OFF, impossibleRate: { people: 10, machines: 50, window: "10s" } },
    { folder: signsFolder(t) },
  );
  const user = { principal: { authenticator: "corp", kind: "user", subject: "bea" } } as const;
  for (let i = 0; i < 9; i += 1) stage.take(decisionAt(i, user));
  for (let i = 0; i < 49; i += 1) stage.take(decisionAt(i));
  // A person who goes on at some pace.
  for (let i = 0; i < 200; i += 1) stage.take(decisionAt(MINUTE + i * 1500, user));
  assert.deepEqual(stage.said(), []);
  stage.take(decisionAt(50));
  assert.deepEqual(
    stage.events.map(({ event, principal, figures }) => [event, principal, figures]),
    [["impossible-rate", "corp/ada", { requests: 50, windowSeconds: 10 }]],
  );
  for (let i = 0; i < 10; i += 1) stage.take(decisionAt(10 * MINUTE + i, user));
  assert.equal(stage.events[1]?.principal, "corp/bea");
});

test("impossible-rate counts across the border of two windows", (t) => {
  const stage = openSigns(
    { ...ALL_OFF, impossibleRate: { people: 10, machines: 100, window: "10s" } },
    { folder: signsFolder(t) },
  );
  stage.take(decisionAt(0));
  for (let i = 0; i < 60; i += 1) stage.take(decisionAt(9000 + i * 10));
  for (let i = 0; i < 60; i += 1) stage.take(decisionAt(10_000 + i * 10));
  assert.deepEqual(stage.said(), ["impossible-rate"]);
});

test("revoked-credential tells of each credential once, by its hash, or by the address", (t) => {
  const stage = openSigns({ ...ALL_OFF, revokedCredential: "on" }, { folder: signsFolder(t) });
  const revoked = (hash: string): Changes => ({
    ...STRANGER,
    reason: "credential-revoked",
    credentials: [{ hash, kind: "bearer", outcome: "refused" }],
  });
  stage.take(decisionAt(0), decisionAt(1, STRANGER), decisionAt(1, denied()));
  assert.deepEqual(stage.said(), []);
  stage.take(decisionAt(2, revoked("a")), decisionAt(3, revoked("a")), decisionAt(4, revoked("b")));
  stage.take(decisionAt(5, { ...STRANGER, reason: "certificate-revoked", credentials: [] }));
  assert.deepEqual(
    stage.events.map(({ event, figures }) => [event, figures?.["credential"]]),
    [
      ["revoked-credential", "a"],
      ["revoked-credential", "b"],
      ["revoked-credential", undefined],
    ],
  );
});

test("replayed-proof counts replays of one caller, and nothing else", (t) => {
  const stage = openSigns(
    { ...ALL_OFF, replayedProof: { count: 2, window: "1m" } },
    { folder: signsFolder(t) },
  );
  const replay = { ...STRANGER, reason: "replayed-proof" } as const;
  stage.take(decisionAt(0, replay), decisionAt(1, { ...STRANGER, reason: "stale-proof" }));
  stage.take(decisionAt(2, { ...replay, peerAddress: "192.0.2.99" }));
  stage.take(decisionAt(5 * MINUTE, replay));
  assert.deepEqual(stage.said(), []);
  stage.take(decisionAt(5 * MINUTE + 1, { ...replay, reason: "replayed-assertion" }));
  assert.deepEqual(stage.said(), ["replayed-proof"]);
  assert.equal(stage.events[0]?.decisions?.length, 2);
});

test("route-probing counts different doors of one caller, each once", (t) => {
  const stage = openSigns(
    { ...ALL_OFF, routeProbing: { count: 5, window: "1m" } },
    { folder: signsFolder(t) },
  );
  const noRoute = (path: string): Changes => ({
    ...STRANGER,
    reason: "no-route",
    route: undefined,
    path,
  });
  for (let i = 0; i < 50; i += 1) stage.take(decisionAt(i, noRoute("/same")));
  for (let i = 0; i < 50; i += 1) stage.take(decisionAt(i, { route: `open-${i}` }));
  for (let i = 0; i < 50; i += 1) stage.take(decisionAt(i * 20_000, noRoute(`/slow/${i}`)));
  for (let i = 0; i < 4; i += 1) stage.take(decisionAt(i, denied({ route: `r${i}` })));
  assert.deepEqual(stage.said(), []);
  stage.take(decisionAt(5, denied({ route: "r0" })));
  assert.deepEqual(stage.said(), []);
  stage.take(decisionAt(6, denied({ route: undefined, path: "/admin" })));
  for (let i = 0; i < 5; i += 1) stage.take(decisionAt(DAY + i, noRoute(`/.env${i}`)));
  assert.deepEqual(
    stage.events.map(({ event, principal, figures }) => [event, principal, figures?.["doors"]]),
    [
      ["route-probing", "corp/ada", 5],
      ["route-probing", undefined, 5],
    ],
  );
});

test("two-places is quiet about one network, a slow move, both families, and shared kinds", (t) => {
  const stage = openSigns({ ...ALL_OFF, twoPlaces: { window: "1m" } }, { folder: signsFolder(t) });
  const from = (afterMs: number, peerAddress: string, changes: Changes = {}) =>
    stage.take(decisionAt(afterMs, { peerAddress, ...changes }));
  from(0, "192.0.2.7");
  from(1, "192.0.2.200");
  from(2, "2001:db8::1");
  from(3, "192.0.2.7");
  from(2 * MINUTE, "198.51.100.1");
  const key = { credentials: [{ hash: "key", kind: "api-key", outcome: "used" }] } as const;
  from(0, "192.0.2.7", key);
  from(1, "198.51.100.1", key);
  const ignored = { credentials: [{ hash: "x", kind: "bearer", outcome: "ignored" }] } as const;
  from(0, "192.0.2.7", ignored);
  from(1, "198.51.100.1", ignored);
  assert.deepEqual(stage.said(), []);
});

test("two-places tells of a credential that two networks use within its window", (t) => {
  const stage = openSigns({ ...ALL_OFF, twoPlaces: { window: "1m" } }, { folder: signsFolder(t) });
  const first = decisionAt(0);
  const second = decisionAt(59_000, { peerAddress: "198.51.100.1" });
  stage.take(
    first,
    second,
    decisionAt(59_001),
    decisionAt(59_002, { peerAddress: "198.51.100.1" }),
  );
  assert.deepEqual(stage.events, [
    {
      timeMs: Date.parse(second.time),
      event: "two-places",
      detail: "one credential was used from 192.0.2.0/24 and 198.51.100.0/24 within 60 s",
      principal: "corp/ada",
      address: "198.51.100.1",
      decisions: [first.decisionId, second.decisionId],
      figures: { credential: "hash-of-ada", first: "192.0.2.0/24", second: "198.51.100.0/24" },
    },
  ]);
});
