/** What becomes of a sign, and what is remembered. */
import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  ALL_OFF,
  batchOf,
  type Changes,
  decisionAt,
  openSigns,
  SEGMENT,
  signsFolder,
  START_MS,
  STRANGER,
} from "../../../test/signs-kit.ts";
import { createRecordTime } from "./record-time.ts";

const DAY = 86_400_000;
const NETWORKS = { ...ALL_OFF, newNetwork: { learn: "7d" } } as const;
const REVOKED = { ...ALL_OFF, revokedCredential: "on" } as const;

const revoked = (hash: string): Changes => ({
  ...STRANGER,
  reason: "credential-revoked",
  credentials: [{ hash, kind: "bearer", outcome: "refused" }],
});

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!holds()) {
    assert.ok(performance.now() < deadline, "what was waited for did not happen");
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

test("networks and positions survive a restart, in a file for us alone", async (t) => {
  const folder = signsFolder(t);
  const first = openSigns(NETWORKS, { folder });
  first.take(decisionAt(0, { peerAddress: "10.0.0.1" }));
  await first.signs.commit?.();
  first.take(decisionAt(1, { peerAddress: "10.0.1.1" }));
  const known = first.signs.position(SEGMENT);
  await first.signs.close?.();
  assert.equal(statSync(join(folder, "signs.json")).mode & 0o777, 0o600);
  const second = openSigns(NETWORKS, { folder });
  assert.equal(second.signs.position(SEGMENT), known);
  second.take(decisionAt(8 * DAY, { peerAddress: "10.0.1.7" }));
  assert.deepEqual(second.said(), []);
  second.take(decisionAt(8 * DAY, { peerAddress: "10.0.2.7" }));
  assert.deepEqual(second.said(), ["new-network"]);
});

test("other networks than before, and a file that is none, are learned anew", async (t) => {
  const folder = signsFolder(t);
  const first = openSigns(NETWORKS, { folder });
  first.take(decisionAt(0, { peerAddress: "10.0.0.1" }));
  await first.signs.close?.();
  const other = openSigns({ ...NETWORKS, networks: { ipv4: 16 } }, { folder });
  other.take(decisionAt(8 * DAY, { peerAddress: "10.9.0.1" }));
  assert.deepEqual(other.said(), []);
  for (const text of ["", "{", '{"v":1}', '{"v":2,"secret":"canary"}']) {
    writeFileSync(join(folder, "signs.json"), text);
    const stage = openSigns(NETWORKS, { folder });
    stage.take(decisionAt(8 * DAY, { peerAddress: "10.9.0.1" }));
    assert.deepEqual(stage.said(), []);
    assert.equal(stage.log.lines.length, 1);
    assert.doesNotMatch(String(stage.log.lines[0]?.fields["error"]), /canary/);
  }
});

test("a folder that cannot be written stops nobody", async (t) => {
  const stage = openSigns(NETWORKS, { folder: join(signsFolder(t), "missing") });
  stage.take(decisionAt(0));
  await stage.signs.commit?.();
  await stage.signs.close?.();
  assert.equal(stage.log.lines.length, 2);
});

test("position() passes over history, and goes on where files ended lately", async (t) => {
  const folder = signsFolder(t);
  const stage = openSigns(NETWORKS, { folder });
  assert.equal(stage.signs.position("audit-20261124T030000.000Z-9.jsonl"), Number.MAX_SAFE_INTEGER);
  assert.equal(stage.signs.position("audit-20261124T040000.000Z-9.jsonl"), 0);
  const old = "audit-20261001T000000.000Z-3.jsonl";
  stage.signs.take(batchOf([decisionAt(0)], 0, old));
  stage.take(decisionAt(0));
  stage.signs.ended?.({ segment: SEGMENT, bytes: 1, tornBytes: 0 });
  await stage.signs.close?.();
  const again = openSigns(NETWORKS, { folder });
  // The old one is still written.
  assert.ok(again.signs.position(old) < 1000);
  assert.ok(again.signs.position(SEGMENT) < 1000);
  again.clock.advance(2 * 3_600_000);
  again.signs.ended?.({ segment: old, bytes: 1, tornBytes: 0 });
  await again.signs.close?.();
  const state = JSON.parse(readFileSync(join(folder, "signs.json"), "utf8")) as {
    readonly positions: object;
  };
  assert.deepEqual(state.positions, {});
});

test("a sign is a metric, an event, a log line and a message", async (t) => {
  const asked: { readonly headers: object; readonly body: unknown }[] = [];
  const stage = openSigns(
    {
      ...REVOKED,
      webhook: { url: "https://hook.example/canary-path", headers: { authorization: "canary" } },
    },
    {
      folder: signsFolder(t),
      exchange: ({ headers, body }) => {
        asked.push({ headers, body });
        return Promise.resolve({ status: 204, headers: {}, body: Buffer.alloc(0) });
      },
    },
  );
  const decision = decisionAt(0, revoked("a"));
  stage.take(decision);
  await until(() => asked.length === 1);
  const id = `${decision.decisionId}-revoked-credential`;
  assert.deepEqual(JSON.parse(String(asked[0]?.body)), {
    sign: "revoked-credential",
    detail: "a credential (bearer) was used that has been revoked: credential-revoked",
    address: "192.0.2.7",
    decisions: [decision.decisionId],
    figures: { credential: "a" },
    time: decision.time,
    id,
  });
  assert.deepEqual(asked[0]?.headers, {
    authorization: "canary",
    "content-type": "application/json",
    "idempotency-key": id,
  });
  assert.match(stage.metrics.render().body, /sallyport_signs_total\{sign="revoked-credential"\} 1/);
  assert.equal(stage.log.lines[0]?.event, "a sign of a breach");
  assert.doesNotMatch(JSON.stringify(stage.log.lines), /canary/);
});

test("a dead webhook holds a bounded number of signs, and nobody up", async (t) => {
  let status = 503;
  const bodies: string[] = [];
  const stage = openSigns(
    { ...REVOKED, webhook: { url: "https://hook.example" } },
    {
      folder: signsFolder(t),
      exchange: ({ body }) => {
        bodies.push(String(body));
        return Promise.resolve({ status, headers: {}, body: Buffer.alloc(0) });
      },
    },
  );
  // 100 signs a minute, so that all of them are said.
  for (let i = 0; i < 300; i += 1) stage.take(decisionAt(i * 600, revoked(`h${i}`)));
  await until(() => stage.timers.delays.length === 1);
  assert.deepEqual(stage.timers.delays, [1000]);
  assert.match(
    stage.metrics.render().body,
    /sallyport_signs_webhook_total\{outcome="dropped"\} 44/,
  );
  stage.timers.runAll();
  await until(() => stage.timers.delays.length === 1);
  assert.deepEqual(stage.timers.delays, [2000]);
  status = 200;
  bodies.length = 0;
  stage.timers.runAll();
  await until(() => bodies.length === 256);
  assert.match(bodies[0] ?? "", /"credential":"h44"/);
  assert.match(bodies.at(-1) ?? "", /"credential":"h299"/);
});

test("close() sends what waits once more, and gives up on a webhook that hangs", async (t) => {
  let tries = 0;
  const failing = openSigns(
    { ...REVOKED, webhook: { url: "https://hook.example" } },
    {
      folder: signsFolder(t),
      exchange: () => {
        tries += 1;
        return Promise.resolve({ status: 500, headers: {}, body: Buffer.alloc(0) });
      },
    },
  );
  failing.take(decisionAt(0, revoked("a")));
  await until(() => failing.timers.delays.length === 1);
  await failing.signs.close?.();
  assert.equal(tries, 2);
  const hanging = openSigns(
    { ...REVOKED, webhook: { url: "https://hook.example" } },
    { folder: signsFolder(t), exchange: () => new Promise(() => undefined) },
  );
  hanging.take(decisionAt(0, revoked("a")));
  const closed = hanging.signs.close?.();
  await until(() => hanging.timers.delays.length === 1);
  hanging.clock.advance(5000);
  hanging.timers.runAll();
  await closed;
});

test("a flood of signs is said up to a number in a minute, and counted beyond it", (t) => {
  const stage = openSigns(REVOKED, { folder: signsFolder(t) });
  for (let i = 0; i < 500; i += 1) stage.take(decisionAt(i, revoked(`h${i}`)));
  assert.equal(stage.events.length, 120);
  assert.match(stage.metrics.render().body, /sallyport_signs_unsaid_total 380/);
  stage.take(decisionAt(120_000, revoked("later")));
  assert.equal(stage.events.length, 121);
});

test("callers beyond the limit are forgotten, those that keep coming are not", (t) => {
  const stage = openSigns(
    { ...ALL_OFF, refusalBurst: { address: 5, window: "1h" } },
    { folder: signsFolder(t) },
  );
  const from = (address: string) =>
    stage.take(decisionAt(0, { ...STRANGER, peerAddress: address }));
  for (let i = 0; i < 4; i += 1) from("192.0.2.1");
  for (let i = 0; i < 2; i += 1) from("192.0.2.2");
  for (let i = 0; i < 25_000; i += 1) {
    from(`10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`);
    if (i === 9000 || i === 18_000) from("192.0.2.2");
  }
  from("192.0.2.1");
  assert.deepEqual(stage.said(), []);
  from("192.0.2.2");
  assert.deepEqual(stage.said(), ["refusal-burst"]);
});

test("createRecordTime() reads what toISOString() writes", () => {
  const read = createRecordTime();
  for (const ms of [0, 1, 999, 1000, 59_999, DAY, 31 * DAY + 7]) {
    assert.equal(read(new Date(START_MS + ms).toISOString()), START_MS + ms);
  }
  assert.equal(read("2026-11-24T04:05:06Z"), START_MS);
});
