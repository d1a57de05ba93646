import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { FixtureAuthority, invitation, newKey } from "../../../test/authority/enrolment-ground.ts";
import type { Granted, Refused } from "./enrolment.ts";
import { readJoinToken } from "./enrolment-token.ts";
import { isKeptOut, readWorkload } from "./workload-record.ts";

const MINUTE = 60_000;

test("enrol() gives a token that names the authority, and keeps only its hash", async () => {
  const { register, store, ca } = new FixtureAuthority();
  const given = invitation(
    await register.enrol("edge-1.fra", { kind: "proxy", method: "mtls", by: "ada" }),
  );
  const token = readJoinToken(given.token);
  assert.equal(token.name, "edge-1.fra");
  assert.equal(token.pins.length, ca.roots().length);
  assert.equal(given.workload.id, "spiffe://sallyport.example.com/sallyport/proxy/edge-1.fra");
  assert.equal(given.workload.state, "invited");
  const kept = JSON.stringify([
    await store.list("join-tokens", { limit: 10 }),
    await store.list("workloads", { limit: 10 }),
  ]);
  assert.ok(!kept.includes(token.secret));
  assert.ok(!kept.includes(given.token));
});

test("enrol() refuses a name that is taken, and takes one whose invitation lapsed", async () => {
  const { register, clock } = new FixtureAuthority();
  const options = { kind: "proxy", method: "mtls", by: "ada" } as const;
  invitation(await register.enrol("edge-1", options));
  assert.deepEqual(await register.enrol("edge-1", options), { refused: "exists" });
  clock.advance(10 * MINUTE);
  assert.equal((await register.get("edge-1"))?.state, "lapsed");
  const again = invitation(
    await register.enrol("edge-1", { ...options, kind: "workload", by: "bob" }),
  );
  assert.equal(again.workload.kind, "workload");
  assert.equal(again.workload.createdBy, "bob");
});

test("enrol() rejects names that could be read as something else, and proxies without mtls", async () => {
  const { register } = new FixtureAuthority();
  for (const name of [
    "",
    "Edge",
    "a/b",
    "a..b",
    "-a",
    "a-",
    "1a",
    "a_b",
    "a%2fb",
    "x".repeat(64),
  ]) {
    await assert.rejects(
      register.enrol(name, { kind: "proxy", method: "mtls", by: "ada" }),
      TypeError,
      name,
    );
    assert.equal(await register.get(name), undefined);
  }
  await assert.rejects(
    register.enrol("edge", { kind: "proxy", method: "private-key-jwt", by: "ada" }),
    TypeError,
  );
});

test("enrol() of one name on two authorities at once invites once", async () => {
  const one = new FixtureAuthority();
  const two = new FixtureAuthority(one);
  const options = { kind: "proxy", method: "mtls", by: "ada" } as const;
  const results = await Promise.all(
    [one, two].map(({ register }) => register.enrol("edge-1", options)),
  );
  assert.equal(results.filter((result) => "refused" in result).length, 1);
  assert.equal((await one.store.list("join-tokens", { limit: 10 })).length, 1);
});

test("reenrol() ends the token before, and with now the identity at once", async () => {
  const { register, enrolment, store } = new FixtureAuthority();
  const first = invitation(
    await register.enrol("edge-1", { kind: "proxy", method: "mtls", by: "ada" }),
  );
  const second = invitation(await register.reenrol("edge-1", { by: "ada" }));
  assert.equal((await store.list("join-tokens", { limit: 10 })).length, 1);
  const old = await enrolment.redeem(readJoinToken(first.token).secret, newKey());
  assert.deepEqual(old, { refused: "token-refused" });
  const granted = await enrolment.redeem(readJoinToken(second.token).secret, newKey());
  assert.ok("certificate" in granted);
  assert.equal((await register.get("edge-1"))?.state, "enrolled");
  invitation(await register.reenrol("edge-1", { by: "ada" }));
  assert.equal((await register.get("edge-1"))?.state, "enrolled");
  const ended = invitation(await register.reenrol("edge-1", { by: "ada", now: true }));
  assert.equal(ended.workload.state, "invited");
  assert.equal(ended.workload.key, undefined);
});

test("disable() ends the token that is out and says who and why; enable() lets it in again", async () => {
  const { register, enrolment, clock } = new FixtureAuthority();
  const { token } = invitation(
    await register.enrol("edge-1", { kind: "proxy", method: "mtls", by: "ada" }),
  );
  const disabled = await register.disable("edge-1", { by: "ada", reason: "stolen" });
  assert.ok(!("refused" in disabled));
  assert.deepEqual(disabled.disabled, { atMs: clock.now(), by: "ada", reason: "stolen" });
  assert.equal(disabled.state, "disabled");
  const later = await register.disable("edge-1", { by: "bob", reason: "other" });
  assert.ok(!("refused" in later) && later.disabled?.by === "ada");
  assert.deepEqual(await register.reenrol("edge-1", { by: "ada" }), { refused: "disabled" });
  await register.enable("edge-1", { by: "ada" });
  assert.deepEqual(await enrolment.redeem(readJoinToken(token).secret, newKey()), {
    refused: "token-refused",
  });
  assert.equal((await register.get("edge-1"))?.state, "lapsed");
});

test("every change refuses an unknown name, and an expectation that does not hold", async () => {
  const { register } = new FixtureAuthority();
  const by = "ada";
  for (const change of [
    register.disable("nobody", { by }),
    register.enable("nobody", { by }),
    register.reenrol("nobody", { by }),
    register.remove("nobody", { by }),
    register.remove("No Name", { by }),
  ]) {
    assert.deepEqual(await change, { refused: "absent" });
  }
  const { workload } = invitation(
    await register.enrol("edge-1", { kind: "proxy", method: "mtls", by }),
  );
  const expect = workload.number + 1;
  for (const change of [
    () => register.disable("edge-1", { by, expect }),
    () => register.enable("edge-1", { by, expect }),
    () => register.reenrol("edge-1", { by, expect }),
    () => register.remove("edge-1", { by, expect }),
  ]) {
    assert.deepEqual(await change(), { refused: "changed" });
  }
  const changed = await register.disable("edge-1", { by, expect: workload.number });
  assert.ok(!("refused" in changed) && changed.number > workload.number);
});

test("changes by two authorities at once both happen", async () => {
  const one = new FixtureAuthority();
  const two = new FixtureAuthority(one);
  await one.invite("edge-1");
  const [disabled, invited] = await Promise.all([
    one.register.disable("edge-1", { by: "ada" }),
    two.register.reenrol("edge-1", { by: "bob" }),
  ]);
  assert.ok(!("refused" in disabled));
  const workload = await one.register.get("edge-1");
  assert.equal(workload?.state, "disabled");
  assert.ok("refused" in invited ? invited.refused === "disabled" : invited.token.length > 0);
});

test("remove() forgets the machine, its token and when it was seen", async () => {
  const { register, store } = new FixtureAuthority();
  invitation(await register.enrol("edge-1", { kind: "proxy", method: "mtls", by: "ada" }));
  register.seen("edge-1");
  await register.flush();
  assert.deepEqual(await register.remove("edge-1", { by: "ada" }), { removed: true });
  for (const collection of ["workloads", "join-tokens", "last-seen"] as const) {
    assert.deepEqual(await store.list(collection, { limit: 10 }), []);
  }
});

test("seen() writes once for many, together, and shows it without changing the workload", async () => {
  const authority = new FixtureAuthority();
  const { register, clock, registerTimers: timers, store } = authority;
  const before = (await authority.invite("edge-1")).workload.number;
  await authority.invite("edge-2");
  for (let count = 0; count < 1000; count++) {
    register.seen("edge-1");
    register.seen("edge-2");
  }
  // Beside the report's.
  assert.equal(timers.delays.length, 2);
  const { number } = await store.now();
  await register.flush();
  assert.equal((await store.now()).number, number + 1);
  assert.equal((await register.get("edge-1"))?.seenMs, clock.now());
  assert.equal((await register.get("edge-1"))?.number, before);
  clock.advance(4 * MINUTE);
  register.seen("edge-1");
  await register.flush();
  assert.equal((await store.now()).number, number + 1);
  clock.advance(MINUTE);
  register.seen("edge-1");
  await register.flush();
  assert.equal((await register.get("edge-1"))?.seenMs, clock.now());
});

test("seen() is written later where the store is away, and nothing rejects", async () => {
  const authority = new FixtureAuthority();
  const { register, clock, registerTimers: timers, store, log } = authority;
  await authority.invite("edge-1");
  store.away = true;
  register.seen("edge-1");
  timers.runAll();
  await new Promise(setImmediate);
  assert.match(log.lines.join("\n"), /when they were last there could not be written/);
  store.away = false;
  register.seen("edge-1");
  await register.close();
  assert.equal((await register.get("edge-1"))?.seenMs, clock.now());
});

test("list() pages by name and finds those that were not seen", async () => {
  const authority = new FixtureAuthority();
  const { register, clock } = authority;
  for (let index = 0; index < 25; index++)
    await authority.invite(`edge-${String(index).padStart(2, "0")}`);
  clock.advance(30 * MINUTE);
  for (let index = 0; index < 25; index += 2) {
    register.seen(`edge-${String(index).padStart(2, "0")}`);
  }
  // Seen, and of no workload: it must not push others out of the page.
  for (let index = 0; index < 20; index++) register.seen(`a-stranger-${index}`);
  await register.flush();
  const names: string[] = [];
  const seen: boolean[] = [];
  let after: string | undefined;
  do {
    const page = await register.list({ after, limit: 10 });
    names.push(...page.workloads.map(({ name }) => name));
    seen.push(...page.workloads.map(({ seenMs }) => seenMs !== undefined));
    after = page.next;
  } while (after !== undefined);
  assert.equal(names.length, 25);
  assert.deepEqual(names, names.toSorted());
  assert.deepEqual(
    seen,
    names.map((_, index) => index % 2 === 0),
  );
  const unused = await register.list({ limit: 100, unusedSinceMs: clock.now() - MINUTE });
  assert.equal(unused.workloads.length, 12);
  assert.ok(unused.workloads.every(({ seenMs }) => seenMs === undefined));
});

test("a document of another version is refused with its name, not half read", async () => {
  const { register, store } = new FixtureAuthority();
  await store.commit([{ collection: "workloads", id: "edge-1", body: { kind: "robot" } }]);
  await assert.rejects(register.get("edge-1"), { code: "store-failed", message: /edge-1/ });
});

test("with the store away every verb rejects and nothing is half done", async () => {
  const authority = new FixtureAuthority();
  const { register, store } = authority;
  await authority.invite("edge-1");
  store.away = true;
  const by = "ada";
  for (const verb of [
    () => register.enrol("edge-2", { kind: "proxy", method: "mtls", by }),
    () => register.reenrol("edge-1", { by }),
    () => register.disable("edge-1", { by }),
    () => register.get("edge-1"),
    () => register.list({ limit: 10 }),
  ]) {
    await assert.rejects(verb(), { code: "store-unavailable" });
  }
  store.away = false;
  assert.equal((await register.get("edge-1"))?.state, "invited");
  assert.equal(await register.get("edge-2"), undefined);
});

test("being enrolled and renewing count as being there", async () => {
  const authority = new FixtureAuthority();
  const { register, clock, enrolment } = authority;
  const { token } = await authority.invite("edge-1");
  assert.equal((await register.get("edge-1"))?.seenMs, undefined);
  clock.advance(MINUTE);
  await enrolment.redeem(readJoinToken(token).secret, newKey());
  const enrolledMs = clock.now();
  assert.equal((await register.get("edge-1"))?.seenMs, enrolledMs);
  clock.advance(5 * MINUTE);
  register.seen("edge-1");
  await register.flush();
  assert.equal((await register.get("edge-1"))?.seenMs, clock.now());
});

test("what nobody uses is counted, and said once a day with its names", async () => {
  const authority = new FixtureAuthority();
  const { register, clock, registerTimers: timers, log, metrics, enrolment } = authority;
  const day = 1440 * MINUTE;
  for (const name of ["used", "unused", "disabled"]) {
    const { token } = await authority.invite(name);
    await enrolment.redeem(readJoinToken(token).secret, newKey());
  }
  await authority.invite("lapsed");
  await register.disable("disabled", { by: "ops" });
  clock.advance(31 * day);
  register.seen("used");
  await register.flush();
  const said = (): readonly string[] =>
    log.lines.filter((line) => line.includes("nobody has seen in 30 days"));
  const count = async (): Promise<void> => {
    timers.runAll();
    await new Promise(setImmediate);
  };
  await count();
  assert.equal(said().length, 1);
  assert.match(said()[0] ?? "", /"count":1,"names":"unused"/);
  assert.equal(metrics.value("sallyport_workloads_unused"), 1);
  assert.equal(metrics.value("sallyport_workloads"), 4);
  await count();
  assert.equal(said().length, 1);
  clock.advance(day);
  await count();
  assert.equal(said().length, 2);
  await register.close();
  assert.deepEqual(timers.delays, []);
});

test("reenrol() with now gives a disabled machine a token and never lets its old key in again", async () => {
  const authority = new FixtureAuthority();
  const { register, enrolment, admission, store } = authority;
  const stolen = newKey();
  const first = await enrolment.redeem(
    readJoinToken((await authority.invite("edge-1")).token).secret,
    stolen,
  );
  const old = certificateOf(first);
  assert.equal((await admission.admit(old)).refused, undefined);
  await register.disable("edge-1", { by: "ada", reason: "stolen" });
  assert.equal((await admission.admit(old)).refused, "disabled");
  assert.deepEqual(await register.reenrol("edge-1", { by: "ada" }), { refused: "disabled" });
  const { number } = await store.now();
  const again = invitation(await register.reenrol("edge-1", { by: "ada", now: true }));
  assert.equal((await store.now()).number, number + 1);
  assert.equal(again.workload.disabled, undefined);
  assert.equal(again.workload.state, "invited");
  assert.equal((await admission.admit(old)).refused, "superseded");
  assert.equal(await keptOut(authority, "edge-1"), true);
  const { secret } = readJoinToken(again.token);
  assert.deepEqual(await enrolment.redeem(secret, stolen), {
    refused: "key-not-new",
    name: "edge-1",
  });
  const now = certificateOf(await enrolment.redeem(secret, newKey()));
  assert.equal((await admission.admit(now)).refused, undefined);
  assert.equal((await admission.admit(old)).refused, "superseded");
  assert.equal(await keptOut(authority, "edge-1"), false);
});

test("reenrol() with now keeps a machine out at relays that has no key, and not one that never had one", async () => {
  const authority = new FixtureAuthority();
  await authority.invite("edge-1");
  await authority.register.reenrol("edge-1", { by: "ada", now: true });
  assert.equal(await keptOut(authority, "edge-1"), false);
});

async function keptOut({ store }: FixtureAuthority, name: string): Promise<boolean> {
  const document = await store.get("workloads", name);
  assert.ok(document);
  return isKeptOut(readWorkload(document));
}

function certificateOf(granted: Granted | Refused): { uris: string[]; thumbprint: string } {
  assert.ok(!("refused" in granted) && granted.certificate !== undefined);
  const { raw } = new X509Certificate(granted.certificate);
  return {
    uris: [`spiffe://sallyport.example.com/sallyport/${granted.kind}/${granted.name}`],
    thumbprint: createHash("sha256").update(raw).digest("base64url"),
  };
}
