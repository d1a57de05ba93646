import assert from "node:assert/strict";
import { test } from "node:test";
import {
  FixtureAuthority,
  ISSUER,
  newKey,
  peerOf,
} from "../../../test/authority/enrolment-ground.ts";
import type { JsonObject } from "../../model/json.ts";
import type { PeerTls } from "../../model/peer-tls.ts";
import { createAuthorityState } from "../state/authority-state.ts";
import { readSettings, writeSettings } from "../feed/feed-settings.ts";
import type { EnrolmentResponse } from "./enrolment-endpoint.ts";
import { PROOF_TYPES, type ProofKey, signProof } from "./enrolment-proof.ts";
import { readJoinToken } from "./enrolment-token.ts";
import { MACHINE_KEY_LIMITS, OWN_PREFIX, readMachineKeys } from "./machine-keys.ts";
import { isKeptOut, readWorkload } from "./workload-record.ts";
import { recordedLog, recordedMetrics } from "../../../test/ports.ts";

const HOUR = 3_600_000;

interface Machine {
  readonly name: string;
  readonly peer: PeerTls;
  readonly thumbprint: string;
}

async function enrolled(
  authority: FixtureAuthority,
  name: string,
  kind: "proxy" | "workload" = "proxy",
): Promise<Machine> {
  const token = readJoinToken((await authority.invite(name, kind)).token);
  assert.ok(token !== undefined && !("fault" in token));
  return await redeemed(authority, name, token.secret);
}

async function redeemed(
  authority: FixtureAuthority,
  name: string,
  secret: string,
): Promise<Machine> {
  const key = newKey();
  const proof = signProof(key, {
    type: PROOF_TYPES.enrol,
    audience: ISSUER,
    nowMs: authority.clock.now(),
    claims: { jwk: key.jwk, token: secret },
  });
  const answer = await authority.endpoint.enrol({
    contentType: ["application/jose"],
    body: Buffer.from(proof),
    peer: undefined,
    address: "192.0.2.1",
  });
  assert.equal(answer.status, 200, answer.body);
  const { certificate } = JSON.parse(answer.body) as { readonly certificate: string };
  const peer = peerOf(certificate, authority.ca, authority.clock);
  return { name, peer, thumbprint: peer.certificate?.thumbprint ?? "" };
}

interface Told {
  readonly key: ProofKey;
  readonly claims: JsonObject;
  readonly type: string;
  readonly audience: string;
  readonly nowMs: number;
  readonly peer: PeerTls | undefined;
  /** Signs instead of the key that is to be published. */
  readonly signer: ProofKey;
  readonly contentType: string;
}

function publish(
  authority: FixtureAuthority,
  machine: Machine,
  told: Partial<Told> = {},
): Promise<EnrolmentResponse> {
  const nowMs = authority.clock.now();
  const { key = newKey() } = told;
  const proof = signProof(told.signer ?? key, {
    type: told.type ?? PROOF_TYPES.assertionKey,
    audience: told.audience ?? ISSUER,
    nowMs: told.nowMs ?? nowMs,
    claims: {
      jwk: key.jwk,
      old: machine.thumbprint,
      activeMs: nowMs,
      retiredMs: nowMs + 36 * HOUR,
      removedMs: nowMs + 37 * HOUR,
      ...told.claims,
    },
  });
  return authority.endpoint.publish({
    contentType: [told.contentType ?? "application/jose"],
    body: Buffer.from(proof),
    peer: "peer" in told ? told.peer : machine.peer,
    address: "192.0.2.1",
  });
}

async function keptOf(authority: FixtureAuthority, name: string): Promise<readonly string[]> {
  const document = await authority.store.get("assertion-keys", name);
  return document === undefined ? [] : readMachineKeys(document).map(({ kid }) => kid);
}

test("publish() keeps the key that was proven, for the machine that asked", async () => {
  const authority = new FixtureAuthority();
  const machine = await enrolled(authority, "edge-1");
  const key = newKey();
  const answer = await publish(authority, machine, { key });
  assert.equal(answer.status, 200);
  assert.deepEqual(JSON.parse(answer.body), { published: key.thumbprint });
  assert.deepEqual(await keptOf(authority, "edge-1"), [key.thumbprint]);
  // Again: the same one, once.
  assert.equal((await publish(authority, machine, { key })).status, 200);
  assert.deepEqual(await keptOf(authority, "edge-1"), [key.thumbprint]);
});

test("publish() keeps a few keys of a machine, the newest", async () => {
  const authority = new FixtureAuthority();
  const machine = await enrolled(authority, "edge-1");
  const keys = Array.from({ length: MACHINE_KEY_LIMITS.each + 2 }, newKey);
  for (const key of keys) {
    authority.clock.advance(1000);
    assert.equal((await publish(authority, machine, { key })).status, 200);
  }
  const newest = keys.slice(-MACHINE_KEY_LIMITS.each).map(({ thumbprint }) => thumbprint);
  assert.deepEqual(await keptOf(authority, "edge-1"), newest);
});

const NOW = new FixtureAuthority().clock.now();
const DAY = 24 * HOUR;

const HOSTILE: readonly (readonly [
  what: string,
  code: string,
  told: (other: Machine) => Partial<Told>,
])[] = [
  ["without a certificate", "certificate-required", () => ({ peer: undefined })],
  ["signed by another key than it names", "proof-invalid", () => ({ signer: newKey() })],
  ["for another purpose", "proof-invalid", () => ({ type: PROOF_TYPES.renew })],
  ["for another authority", "proof-invalid", () => ({ audience: "https://other.example" })],
  ["made long ago", "clock-off", () => ({ nowMs: NOW - HOUR })],
  [
    "meant for another machine's connection",
    "proof-invalid",
    (other) => ({ claims: { old: other.thumbprint } }),
  ],
  ["moved to another machine's connection", "proof-invalid", (other) => ({ peer: other.peer })],
  [
    "with a private key",
    "proof-invalid",
    () => ({ claims: { jwk: { ...newKey().jwk, d: "AA" } } }),
  ],
  ["as another media type", "unsupported-media-type", () => ({ contentType: "text/plain" })],
  ["for a year", "proof-invalid", () => ({ claims: { removedMs: NOW + 365 * DAY } })],
  [
    "that is over",
    "proof-invalid",
    () => ({ claims: { activeMs: 0, retiredMs: 0, removedMs: NOW } }),
  ],
  ["that ends before it begins", "proof-invalid", () => ({ claims: { retiredMs: NOW - 1 } })],
  [
    "that is removed before it retires",
    "proof-invalid",
    () => ({ claims: { removedMs: NOW + 1 } }),
  ],
  ["without times", "proof-invalid", () => ({ claims: { activeMs: undefined } })],
  [
    "with half a millisecond",
    "proof-invalid",
    () => ({ claims: { removedMs: NOW + HOUR * 37 + 0.5 } }),
  ],
];

for (const [what, code, told] of HOSTILE) {
  test(`publish() of a key ${what} is refused: ${code}`, async () => {
    const authority = new FixtureAuthority();
    const machine = await enrolled(authority, "edge-1");
    const other = await enrolled(authority, "edge-2");
    const answer = await publish(authority, machine, told(other));
    assert.equal((JSON.parse(answer.body) as { code: string }).code, code);
    assert.deepEqual(await keptOf(authority, "edge-1"), []);
    assert.deepEqual(await keptOf(authority, "edge-2"), []);
  });
}

test("publish() is for proxies that are let in", async () => {
  const authority = new FixtureAuthority();
  const workload = await enrolled(authority, "billing", "workload");
  assert.match((await publish(authority, workload)).body, /"code":"not-a-proxy"/);
  const machine = await enrolled(authority, "edge-1");
  await authority.register.disable("edge-1", { by: "ops" });
  assert.match((await publish(authority, machine)).body, /"code":"identity-disabled"/);
  await authority.register.enable("edge-1", { by: "ops" });
  assert.equal((await publish(authority, machine)).status, 200);
});

test("publish() stops where one frame of the feed could not hold more", async () => {
  const authority = new FixtureAuthority();
  const machine = await enrolled(authority, "edge-1");
  const writes = Array.from({ length: MACHINE_KEY_LIMITS.inAll }, (_, index) => ({
    collection: "assertion-keys" as const,
    id: `other-${index}`,
    body: { keys: [] },
  }));
  await authority.store.commit(writes);
  const answer = await publish(authority, machine);
  assert.equal(answer.status, 507);
  assert.match(answer.body, /"code":"too-many-keys"/);
});

for (const [what, end] of [
  ["disabled", (authority: FixtureAuthority) => authority.register.disable("edge-1", { by: "x" })],
  ["removed", (authority: FixtureAuthority) => authority.register.remove("edge-1", { by: "ops" })],
  [
    "to be enrolled anew at once",
    (authority: FixtureAuthority) => authority.register.reenrol("edge-1", { by: "x", now: true }),
  ],
] as const) {
  test(`the keys of a machine that is ${what} are gone, also when it is let in again`, async () => {
    const authority = new FixtureAuthority();
    await publish(authority, await enrolled(authority, "edge-1"));
    await end(authority);
    assert.deepEqual(await keptOf(authority, "edge-1"), []);
  });
}

test("the keys of a machine that enrols anew are gone: somebody else may have had it", async () => {
  const authority = new FixtureAuthority();
  await publish(authority, await enrolled(authority, "edge-1"));
  const again = await authority.register.reenrol("edge-1", { by: "ops" });
  assert.ok("token" in again);
  // Until the token is redeemed the machine goes on.
  assert.equal((await keptOf(authority, "edge-1")).length, 1);
  const token = readJoinToken(again.token);
  assert.ok(token !== undefined && !("fault" in token));
  await redeemed(authority, "edge-1", token.secret);
  assert.deepEqual(await keptOf(authority, "edge-1"), []);
});

// ---- how they are told

function stateOf(authority: FixtureAuthority) {
  const { store, clock, registerTimers: timers } = authority;
  const nothing = { changed: () => () => undefined };
  return createAuthorityState({
    store,
    clock,
    timers,
    log: recordedLog(),
    metrics: recordedMetrics(),
    keys: { published: () => [], ...nothing },
    ca: { roots: () => authority.ca.roots(), ...nothing },
    entryOf: () => assert.fail("no revocation"),
    disabledOf: (document) => (isKeptOut(readWorkload(document)) ? document.id : undefined),
    machineKeysOf: readMachineKeys,
  });
}

test("the feed tells of the keys of machines that are let in, to their end", async () => {
  const authority = new FixtureAuthority();
  const [one, two] = [await enrolled(authority, "edge-1"), await enrolled(authority, "edge-2")];
  const [first, second] = [newKey(), newKey()];
  await publish(authority, one, { key: first });
  const state = stateOf(authority);
  await state.start();
  const told = () => state.settings.machineKeys.map(({ machine, kid }) => `${machine} ${kid}`);
  assert.deepEqual(told(), [`edge-1 ${first.thumbprint}`]);
  await publish(authority, two, { key: second });
  await state.refresh();
  assert.equal(told().length, 2);
  await authority.register.disable("edge-1", { by: "ops" });
  await state.refresh();
  assert.deepEqual(told(), [`edge-2 ${second.thumbprint}`]);
  await authority.register.remove("edge-2", { by: "ops" });
  await state.refresh();
  assert.deepEqual(told(), []);
  state.close();
});

test("the feed leaves out keys of machines that nobody knows, and those whose time is over", async () => {
  const authority = new FixtureAuthority();
  const machine = await enrolled(authority, "edge-1");
  await publish(authority, machine);
  const [document] = await authority.store.list("assertion-keys", { limit: 1 });
  assert.ok(document?.body);
  for (const id of ["gone", `${OWN_PREFIX}host`]) {
    const { body } = document;
    await authority.store.commit([{ collection: "assertion-keys", id, body }]);
  }
  const state = stateOf(authority);
  await state.start();
  const told = () => state.settings.machineKeys.map((key) => String(key.machine)).toSorted();
  assert.deepEqual(told(), [`${OWN_PREFIX}host`, "edge-1"]);
  authority.clock.advance(38 * HOUR);
  authority.registerTimers.runAll();
  assert.deepEqual(told(), []);
  state.close();
});

test("writeSettings() tells of a thousand keys of machines in a frame, exactly", async () => {
  const authority = new FixtureAuthority();
  const machine = await enrolled(authority, "edge-1");
  await publish(authority, machine);
  const state = stateOf(authority);
  await state.start();
  const [key] = state.settings.machineKeys;
  assert.ok(key);
  const machineKeys = Array.from({ length: MACHINE_KEY_LIMITS.inAll }, (_, index) => ({
    ...key,
    machine: `edge-${index}.${"x".repeat(40)}`,
  }));
  const settings = { ...state.settings, machineKeys };
  const text = writeSettings(settings);
  assert.deepEqual(readSettings(text)?.machineKeys, machineKeys);
  // One that was renamed on the way is another key, and not that one under another name.
  const forged = text.replace(JSON.stringify(key.jwk["x"]), `"${"A".repeat(43)}"`);
  assert.notEqual(readSettings(forged)?.machineKeys[0]?.kid, key.kid);
  state.close();
});
