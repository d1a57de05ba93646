import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { remoteMemory } from "../../../test/remote-memory.ts";
import { Jar, NO_TOKENS, NOW_MS, requestOf, SessionGround } from "../../../test/session-ground.ts";
import { isFailure } from "../../model/facts.ts";
import type { JsonObject } from "../../model/json.ts";
import type { SharedMemory } from "../../model/shared-memory.ts";

const MINUTE = 60_000;
const COOKIE = "__Host-sallyport-people";
const KEYS = [randomBytes(32)];
const LARGE = { note: { claim: "note", type: "strings", default: [] } };

for (const store of ["cookie", "memory"]) {
  test(`a session (${store}) lasts while it is used, to its absolute end and no longer`, async () => {
    const ground = new SessionGround({ session: { store, idle: "30m", absolute: "2h" } });
    const browser = await ground.login({ sub: "ada" });
    for (let minutes = 20; minutes < 120; minutes += 20) {
      ground.clock.advance(20 * MINUTE);
      assert.equal(await ground.subject(browser), "ada");
    }
    ground.clock.advance(20 * MINUTE);
    assert.equal(await ground.reason(browser), "session-expired");
  });

  test(`a login (${store}) begins a new session, and the former one of that browser ends`, async () => {
    const ground = new SessionGround({ session: { store } });
    const browser = await ground.login({ sub: "ada" });
    const former = browser.copy();
    const before = await ground.facts(browser);
    await ground.login({ sub: "ada" }, {}, browser);
    const after = await ground.facts(browser);
    assert.notEqual(after.tokenId, before.tokenId);
    assert.ok(!before.valid());
    assert.equal(await ground.reason(former), "session-expired");
  });
}

test("a cookie is written anew four times in the idle time, and with no other answer", async () => {
  const ground = new SessionGround();
  const browser = await ground.login({ sub: "ada" });
  let written = 0;
  for (let seconds = 0; seconds < 3600; seconds += 10) {
    ground.clock.advance(10_000);
    const answer = await ground.ask(browser);
    written += answer?.setCookies.length ?? 0;
  }
  assert.equal(written, 8);
});

test("of parallel requests that carry the former cookie each gets the one new text", async () => {
  const ground = new SessionGround();
  const browser = await ground.login({ sub: "ada" });
  ground.clock.advance(10 * MINUTE);
  const lines = new Set<string>();
  for (let count = 0; count < 10; count++) {
    const answer = await ground.ask(browser.copy());
    assert.equal(answer?.setCookies.length, 1);
    lines.add(answer?.setCookies[0] ?? "");
  }
  assert.equal(lines.size, 1);
});

test("a browser that missed a renewal is known by the former cookie in every process", async () => {
  const one = new SessionGround({ keys: KEYS });
  const other = new SessionGround({ keys: KEYS, shared: one.shared, clock: one.clock });
  const browser = await one.login({ sub: "ada" });
  const known = browser.copy();
  await other.subject(known.copy());
  one.clock.advance(20 * MINUTE);
  await one.subject(browser.copy());
  one.clock.advance(20 * MINUTE);
  assert.equal(await other.subject(known.copy()), "ada");
  const third = new SessionGround({ keys: KEYS, shared: one.shared, clock: one.clock });
  assert.equal(await third.subject(known), "ada");
});

test("an open stream renews nothing: it is no use of a session", async () => {
  const ground = new SessionGround();
  const browser = await ground.login({ sub: "ada" });
  ground.clock.advance(20 * MINUTE);
  const answer = await ground.ask(browser, true);
  assert.ok(answer !== undefined && !isFailure(answer.result));
  assert.deepEqual(answer.setCookies, []);
  assert.equal(answer.result.expiresAt, (NOW_MS + 30 * MINUTE) / 1000);
  ground.clock.advance(10 * MINUTE);
  const over = await ground.ask(browser, true);
  assert.ok(over !== undefined && isFailure(over.result));
  assert.equal(over.result.failure, "session-expired");
});

test("a large session goes in parts, by turns under two sets of names, and shrinks to one", async () => {
  const ground = new SessionGround({ keys: KEYS, principal: { attributes: LARGE } });
  const note = ["x".repeat(4000), "y".repeat(4000)];
  const browser = await ground.login({ sub: "ada", note });
  const names = (jar: Jar): string[] => [...jar.cookies.keys()].toSorted();
  assert.deepEqual(
    names(browser),
    ["a1", "a2", "a3"].map((part) => `${COOKIE}.${part}`),
  );
  for (const [name, value] of browser.cookies) assert.ok(name.length + value.length <= 4096);
  assert.deepEqual((await ground.facts(browser)).principal.attributes["note"], note);
  const former = browser.copy();
  ground.clock.advance(10 * MINUTE);
  const lines = (await ground.ask(browser))?.setCookies ?? [];
  // What is new comes before what goes, so that at no moment there is neither.
  assert.ok(lines.slice(0, 3).every((line) => line.includes(".b") && !line.includes("Max-Age=0;")));
  assert.ok(lines.slice(3).every((line) => line.includes(".a") && line.includes("Max-Age=0;")));
  assert.deepEqual(
    names(browser),
    ["b1", "b2", "b3"].map((part) => `${COOKIE}.${part}`),
  );
  // A browser that has taken half of that answer has the former text whole.
  for (let taken = 0; taken <= lines.length; taken++) {
    const half = former.copy();
    half.take(lines.slice(0, taken));
    assert.equal(await ground.subject(half), "ada", `${taken} lines`);
  }
  await ground.login({ sub: "ada" }, {}, browser);
  assert.deepEqual(names(browser), [COOKIE]);
});

test("begin() refuses what cookies cannot hold, and memory takes it", async () => {
  const note = Array.from({ length: 6 }, () => "x".repeat(4000));
  const begin = (store: string) =>
    new SessionGround({ session: { store }, principal: { attributes: LARGE } }).sessions.begin(
      { ...NO_TOKENS, claims: { sub: "ada", note } },
      { nowMs: NOW_MS },
    );
  const refused = await begin("cookie");
  assert.ok("failure" in refused);
  assert.equal(refused.failure, "session-too-large");
  const kept = await begin("memory");
  assert.ok("setCookies" in kept);
  assert.ok((kept.setCookies[0] ?? "").length < 300);
});

test("begin() refuses claims that are not as declared, and text that is none", async () => {
  const ground = new SessionGround({
    principal: { attributes: { tenant: { claim: "tenant", type: "string" } } },
  });
  for (const [claims, reason] of [
    [{ sub: "ada" }, "missing-claim"],
    [{ tenant: "a" }, "missing-claim"],
    [{ sub: "ada", tenant: 1 }, "invalid-claim"],
    [{ sub: "ada", tenant: "\ud800" }, "invalid-claim"],
    [{ sub: "ada", tenant: "a", auth_time: "yesterday" }, "invalid-claim"],
    [{ sub: "ada", tenant: "a", act: "somebody" }, "invalid-claim"],
  ] as const) {
    const begun = await ground.sessions.begin({ ...NO_TOKENS, claims }, { nowMs: NOW_MS });
    assert.ok("failure" in begun, JSON.stringify(claims));
    assert.equal(begun.failure, reason);
  }
});

test("a whole number beyond 2^53 comes back exactly", async () => {
  const number = { number: { claim: "number", type: "long" } };
  const one = new SessionGround({ keys: KEYS, principal: { attributes: number } });
  const browser = await one.login({ sub: "ada", number: 9_007_199_254_740_993n });
  const other = new SessionGround({
    keys: KEYS,
    shared: one.shared,
    principal: { attributes: number },
  });
  const { principal } = await other.facts(browser);
  assert.equal(principal.attributes["number"], 9_007_199_254_740_993n);
});

test("of two sessions of one browser the newer counts, and the answer leaves that one", async () => {
  const ground = new SessionGround({ keys: KEYS, principal: { attributes: LARGE } });
  const small = await ground.login({ sub: "ada" });
  ground.clock.advance(1000);
  const note = ["x".repeat(4000), "y".repeat(4000)];
  const large = await ground.login({ sub: "bea", note });
  const both = new Jar([...small.cookies, ...large.cookies]);
  assert.equal(await ground.subject(both), "bea");
  assert.ok(!both.cookies.has(COOKIE));
  const fresh = new SessionGround({
    keys: KEYS,
    shared: ground.shared,
    clock: ground.clock,
    principal: { attributes: LARGE },
  });
  assert.equal(await fresh.subject(new Jar([...small.cookies, ...large.cookies])), "bea");
});

test("one of two texts that is no good refuses both", async () => {
  const ground = new SessionGround({ keys: KEYS, principal: { attributes: LARGE } });
  const note = ["x".repeat(4000), "y".repeat(4000)];
  const browser = await ground.login({ sub: "ada", note });
  browser.cookies.set(COOKIE, "v1.0123456789abcdef.AAAA");
  assert.equal(await ground.reason(browser), "invalid-session");
});

test("a request without a cookie of its own carries no session", async () => {
  const ground = new SessionGround();
  for (const cookie of [undefined, "", "a=1", `x${COOKIE}=1`, `${COOKIE}x=1`, `${COOKIE}.c1=1`]) {
    const answer = await ground.sessions.verify(requestOf(cookie), NOW_MS);
    assert.equal(answer, undefined, cookie ?? "none");
  }
});

test("Cookie fields that came apart are one", async () => {
  const ground = new SessionGround();
  const browser = await ground.login({ sub: "ada" });
  const { head } = ground.request(browser);
  const fields = ["cookie", "a=1", ...head.fields, "cookie", "b=2"];
  const answer = await ground.sessions.verify({ head: { ...head, fields } }, NOW_MS);
  assert.ok(answer !== undefined && !isFailure(answer.result));
});

test("read() tells whose session it is and changes nothing", async () => {
  const ground = new SessionGround();
  const browser = await ground.login({ sub: "ada" }, { sid: "s1", idToken: "id-token" });
  ground.clock.advance(10 * MINUTE);
  const read = await ground.sessions.read(ground.request(browser), ground.clock.now());
  assert.deepEqual(
    { subject: read?.subject, sid: read?.sid, idToken: read?.idToken },
    { subject: "ada", sid: "s1", idToken: "id-token" },
  );
  ground.clock.advance(20 * MINUTE);
  const over = await ground.sessions.read(ground.request(browser), ground.clock.now());
  assert.equal(over, undefined);
  assert.equal(await ground.sessions.read(requestOf(undefined), NOW_MS), undefined);
});

test("end() takes the cookie away, ends the session and its streams, and revokes it", async () => {
  const ground = new SessionGround();
  const browser = await ground.login({ sub: "ada" }, { idToken: "id-token" });
  const facts = await ground.facts(browser);
  const copy = browser.copy();
  const ended = await ground.sessions.end(ground.request(browser), ground.clock.now());
  assert.equal(ended.session?.idToken, "id-token");
  browser.take(ended.setCookies);
  assert.equal(browser.header(), undefined);
  assert.ok(!facts.valid());
  assert.equal(await ground.reason(copy), "session-expired");
  assert.deepEqual(ground.revoked, [{ kind: "id", authenticator: "people", id: facts.tokenId }]);
});

test("endBySid() ends what that session of the provider's began, and nothing else", async () => {
  const ground = new SessionGround({ keys: KEYS });
  const one = await ground.login({ sub: "ada" }, { sid: "s1" });
  const other = await ground.login({ sub: "ada" }, { sid: "s2" });
  await ground.sessions.endBySid("s1", ground.clock.now());
  assert.equal(await ground.reason(one), "session-expired");
  assert.equal(await ground.subject(other), "ada");
  // A login after it is good, under another session of the provider's.
  ground.clock.advance(1000);
  assert.equal(await ground.subject(await ground.login({ sub: "ada" }, { sid: "s3" })), "ada");
});

const SECOND_MS = 1000;
/** Logouts that came before the session, and whether a login begins one all the same. */
const EARLY: readonly {
  readonly name: string;
  readonly ends: { readonly sid?: string; readonly subject?: string };
  /** Milliseconds after the logout: of the session, of `iat`, of when the browser was sent. */
  readonly at: readonly [now: number, iat: number, sent: number];
  readonly begins: boolean;
}[] = [
  { name: "its sid was ended", ends: { sid: "s1" }, at: [9000, 9000, 8000], begins: false },
  { name: "another sid was ended", ends: { sid: "s2" }, at: [9000, 9000, 8000], begins: true },
  {
    name: "its sid was ended long ago",
    ends: { sid: "s1" },
    at: [899_000, 899_000, 899_000],
    begins: false,
  },
  { name: "iat is the cut-off", ends: { subject: "ada" }, at: [9000, 0, 8000], begins: false },
  {
    name: "iat is before the cut-off",
    ends: { subject: "ada" },
    at: [9000, -SECOND_MS, 8000],
    begins: false,
  },
  {
    name: "iat is after the cut-off",
    ends: { subject: "ada" },
    at: [9000, SECOND_MS, 8000],
    begins: true,
  },
  {
    name: "it was under way at the cut-off",
    ends: { subject: "ada" },
    at: [9000, 9000, -1],
    begins: false,
  },
  { name: "another was logged out", ends: { subject: "bea" }, at: [9000, 0, -1], begins: true },
];

for (const { name, ends, at, begins } of EARLY) {
  for (const absolute of ["12h", "10m"]) {
    test(`begin() ${begins ? "begins" : "refuses"} a session of ${absolute} where ${name}`, async () => {
      const session = { absolute, idle: "5m" };
      const ground = new SessionGround({ session });
      const { sessions, clock } = new SessionGround({
        session,
        shared: ground.shared,
        clock: ground.clock,
      });
      const logoutMs = clock.now();
      if (ends.sid !== undefined) await sessions.endBySid(ends.sid, logoutMs);
      if (ends.subject !== undefined) await sessions.endBySubject(ends.subject, logoutMs);
      const [nowMs = 0, iatMs, sentMs] = at.map((ms) => logoutMs + ms);
      clock.advance(nowMs - logoutMs);
      const claims = { sub: "ada", iat: (iatMs ?? 0) / 1000 };
      const tokens = { ...NO_TOKENS, sid: "s1", claims };
      const begun = await ground.sessions.begin(tokens, { nowMs, sentMs: sentMs ?? 0 });
      assert.equal(
        "failure" in begun ? begun.failure : "begun",
        begins ? "begun" : "login-refused",
      );
      if ("failure" in begun) assert.match(begun.detail, /^the provider has /);
    });
  }
}

test("begin() leaves the former session of a browser alone where the login is refused", async () => {
  const ground = new SessionGround();
  const browser = await ground.login({ sub: "ada" }, { sid: "s1" });
  await ground.sessions.endBySid("s2", NOW_MS);
  const tokens = { ...NO_TOKENS, sid: "s2", claims: { sub: "ada" } };
  const login = { nowMs: NOW_MS, request: ground.request(browser) };
  assert.ok("failure" in (await ground.sessions.begin(tokens, login)));
  assert.equal(await ground.subject(browser), "ada");
});

test("begin() asks revocations about the moment of the login, and refuses what they deny", async () => {
  const ground = new SessionGround();
  const asked: (number | undefined)[] = [];
  const tokens = { ...NO_TOKENS, claims: { sub: "ada", iat: NOW_MS / 1000 - 2 } };
  const begun = await ground.sessions.begin(tokens, {
    nowMs: NOW_MS,
    sentMs: NOW_MS - 5000,
    revoked: ({ principal, issuedAt }) => {
      asked.push(issuedAt);
      return principal.subject === "ada";
    },
  });
  assert.deepEqual(begun, { failure: "login-refused", detail: "revoked since the login" });
  assert.deepEqual(asked, [NOW_MS / 1000 - 5]);
});

for (const by of ["endBySid", "endBySubject"] as const) {
  test(`begin() refuses a session that ${by}() ended while it was kept`, async () => {
    const inner = new SessionGround();
    const other = new SessionGround({ shared: inner.shared, clock: inner.clock });
    let ended = false;
    const shared: SharedMemory = {
      since: 0,
      claim: (...given) => inner.shared.claim(...given),
      agree: (...given) => inner.shared.agree(...given),
      get: (...given) => inner.shared.get(...given),
      remove: (...given) => inner.shared.remove(...given),
      async put(...given) {
        await inner.shared.put(...given);
        if (ended) return;
        ended = true;
        await other.sessions[by](by === "endBySid" ? "s1" : "ada", NOW_MS);
      },
    };
    const ground = new SessionGround({ session: { store: "memory" }, shared, clock: inner.clock });
    const tokens = { ...NO_TOKENS, sid: "s1", claims: { sub: "ada" } };
    const begun = await ground.sessions.begin(tokens, { nowMs: NOW_MS });
    assert.ok(ended);
    assert.equal("failure" in begun && begun.failure, "login-refused");
  });
}

test("endBySubject() ends all of a person's, and revokes what was issued until now", async () => {
  const ground = new SessionGround({ keys: KEYS });
  const ada = await ground.login({ sub: "ada" });
  const bea = await ground.login({ sub: "bea" });
  await ground.sessions.endBySubject("ada", ground.clock.now());
  assert.equal(await ground.reason(ada), "session-expired");
  assert.equal(await ground.subject(bea), "bea");
  assert.ok(ground.revoked.some((one) => one.kind === "subject" && one.subject === "ada"));
});

/** Two processes over a memory that answers later. */
function apart(refuses: () => boolean = () => false) {
  const one = new SessionGround({ keys: KEYS });
  const shared = remoteMemory(one.shared, { refuses });
  const options = { keys: KEYS, shared, clock: one.clock };
  return { one: new SessionGround(options), other: new SessionGround(options) };
}

for (const by of ["end", "endBySid", "endBySubject"] as const) {
  test(`${by}() in one process is heard in the others within a second, streams included`, async () => {
    const { one, other } = apart();
    const browser = await one.login({ sub: "ada" }, { sid: "s1" });
    const facts = await other.facts(browser.copy());
    const bystander = await other.facts(await one.login({ sub: "bea" }, { sid: "s2" }));
    await other.turn(20);
    assert.ok(facts.valid());
    const now = one.clock.now();
    if (by === "end") await one.sessions.end(one.request(browser), now);
    else await one.sessions[by](by === "endBySid" ? "s1" : "ada", now);
    assert.ok(facts.valid());
    one.clock.advance(500);
    for (let turns = 0; turns < 100 && facts.valid(); turns++) await other.turn();
    assert.ok(!facts.valid());
    assert.ok(bystander.valid());
    assert.equal(await other.reason(browser), "session-expired");
  });
}

test("where ends cannot be heard of for ten seconds, nothing that is known counts", async () => {
  let broken = false;
  const { one, other } = apart(() => broken);
  const browser = await one.login({ sub: "ada" });
  const facts = await other.facts(browser.copy());
  broken = true;
  for (let seconds = 0; seconds < 10; seconds++) {
    other.clock.advance(1000);
    await other.turn(8);
    assert.equal(await other.subject(browser.copy()), "ada");
  }
  other.clock.advance(1000);
  await other.turn(8);
  assert.ok(!facts.valid());
  assert.equal(await other.reason(browser), "memory-unavailable");
  broken = false;
  for (let turns = 0; turns < 100 && (await other.reason(browser)) !== undefined; turns++) {
    await other.turn();
  }
  assert.equal(await other.subject(browser), "ada");
});

for (const store of ["cookie", "memory"]) {
  test(`a session (${store}) is refused, and its cookie kept, where the memory cannot be asked`, async () => {
    let broken = false;
    const ground = new SessionGround({ keys: KEYS, session: { store } });
    const shared = remoteMemory(ground.shared, { refuses: () => broken });
    const other = new SessionGround({ keys: KEYS, session: { store }, shared });
    const browser = await ground.login({ sub: "ada" });
    broken = true;
    assert.equal(await other.reason(browser), "memory-unavailable");
    broken = false;
    assert.equal(await other.subject(browser), "ada");
  });
}

test("thousands of sessions are bounded, and a stream of one that was pushed out is asked again", async () => {
  const ground = new SessionGround({ keys: KEYS });
  const browser = await ground.login({ sub: "ada" });
  const facts = await ground.facts(browser);
  for (let count = 0; count < 9000; count++) await ground.login({ sub: `user-${count}` });
  assert.ok(!facts.valid());
  assert.equal(await ground.subject(browser), "ada");
});

test("one session in many Cookie fields takes no more memory than the table's bound", async () => {
  const ground = new SessionGround({ keys: KEYS });
  const browser = await ground.login({ sub: "ada" });
  const own = browser.header() ?? "";
  const filler = "x".repeat(12_000);
  for (let count = 0; count < 5000; count++) {
    const answer = await ground.sessions.verify(
      requestOf(`${own}; f=${count}${filler}`),
      ground.clock.now(),
    );
    assert.ok(answer !== undefined && !isFailure(answer.result));
  }
});

test("a session without a claim that was declared since its login counts as over", async () => {
  const one = new SessionGround({ keys: KEYS });
  const browser = await one.login({ sub: "ada" });
  const other = new SessionGround({
    keys: KEYS,
    shared: one.shared,
    principal: { attributes: { tenant: { claim: "tenant", type: "string" } } },
  });
  assert.equal(await other.reason(browser), "session-expired");
});

test("read() and end() make nothing of a cookie that is none, and end() takes it away", async () => {
  const ground = new SessionGround();
  const browser = await ground.login({ sub: "ada" });
  browser.cookies.set(COOKIE, `${browser.cookies.get(COOKIE)}AAAA`);
  assert.equal(await ground.sessions.read(ground.request(browser), NOW_MS), undefined);
  const ended = await ground.sessions.end(ground.request(browser), NOW_MS);
  assert.equal(ended.session, undefined);
  browser.take(ended.setCookies);
  assert.equal(browser.header(), undefined);
  assert.deepEqual(await ground.sessions.end(requestOf(undefined), NOW_MS), {
    setCookies: [],
    session: undefined,
  });
  assert.deepEqual(ground.revoked, []);
});

test("endBySubject() revokes no subject where principals are called otherwise than by the provider", async () => {
  const ground = new SessionGround({ principal: { subject: "email" } });
  const browser = await ground.login({ sub: "ada", email: "ada@example.com" });
  const bystander = await ground.login({ sub: "bea", email: "ada" });
  await ground.sessions.endBySubject("ada", ground.clock.now());
  assert.equal(await ground.reason(browser), "session-expired");
  assert.equal(await ground.subject(bystander), "ada");
  assert.deepEqual(
    ground.revoked.map(({ kind }) => kind),
    ["id"],
  );
});

test("begin() refuses a device that is named and not as declared", async () => {
  const device = {
    claim: "device",
    attributes: { managed: { claim: "managed", type: "bool" } },
  };
  const ground = new SessionGround({ principal: { device } });
  const begin = (claims: JsonObject) =>
    ground.sessions.begin({ ...NO_TOKENS, claims }, { nowMs: NOW_MS });
  const refused = await begin({ sub: "ada", device: "laptop" });
  assert.ok("failure" in refused);
  assert.equal(refused.failure, "missing-claim");
  const known = await ground.facts(
    await ground.login({ sub: "ada", device: "laptop", managed: true }),
  );
  assert.equal(known.device?.subject, "laptop");
  assert.equal((await ground.facts(await ground.login({ sub: "ada" }))).device, undefined);
});

test("begin() rejects, and leaves no session, where the memory that would keep it cannot be reached", async () => {
  const ground = new SessionGround();
  const shared = remoteMemory(ground.shared, { refuses: "all" });
  const broken = new SessionGround({ shared, session: { store: "memory" } });
  await assert.rejects(
    broken.sessions.begin({ ...NO_TOKENS, claims: { sub: "ada" } }, { nowMs: NOW_MS }),
    { code: "memory-unavailable" },
  );
});

test("end() rejects where nobody else would hear of it, and it has ended here all the same", async () => {
  const inner = new SessionGround();
  let broken = false;
  const shared = remoteMemory(inner.shared, { refuses: () => broken });
  const ground = new SessionGround({ shared });
  const browser = await ground.login({ sub: "ada" });
  await ground.subject(browser);
  broken = true;
  await assert.rejects(ground.sessions.end(ground.request(browser), NOW_MS), {
    code: "memory-unavailable",
  });
  assert.equal(await ground.reason(browser), "session-expired");
});

test("a session that has not what the configuration asks for by now is expired, and changes nobody else's", async () => {
  const keys = [randomBytes(32)];
  const before = new SessionGround({ keys });
  const browser = await before.login({ sub: "ada" });
  const attributes = { tenant: { claim: "tenant", type: "string" } };
  const after = new SessionGround({ keys, principal: { attributes } });
  assert.equal(await after.reason(browser.copy()), "session-expired");
  assert.equal(await before.subject(browser), "ada");
});

test("a session that is idle here, was used elsewhere and has ended there since, has ended", async () => {
  const keys = [randomBytes(32)];
  const here = new SessionGround({ keys });
  const there = new SessionGround({ keys, shared: here.shared, clock: here.clock });
  const browser = await here.login({ sub: "ada" });
  const copy = browser.copy();
  assert.equal(await here.subject(browser), "ada");
  here.clock.advance(20 * MINUTE);
  assert.equal(await there.subject(copy), "ada");
  here.clock.advance(15 * MINUTE);
  assert.equal(await here.subject(browser.copy()), "ada", "it was used there");
  here.clock.advance(10 * MINUTE);
  assert.equal(await there.subject(copy), "ada");
  await there.sessions.end(there.request(copy), there.clock.now());
  here.clock.advance(29 * MINUTE);
  assert.equal(await here.reason(browser), "session-expired");
});
