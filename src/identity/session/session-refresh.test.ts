import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { remoteMemory } from "../../../test/remote-memory.ts";
import {
  type Jar,
  localMemory,
  NO_TOKENS,
  NOW_MS,
  SessionGround,
} from "../../../test/session-ground.ts";
import { recordedLog } from "../../../test/ports.ts";
import { isFailure } from "../../model/facts.ts";
import type { JsonObject } from "../../model/json.ts";
import { ManualClock } from "../../platform/clock.ts";
import { ManualTimers } from "../../platform/timers.ts";
import type { SessionContent } from "./session-content.ts";
import type { RefreshOutcome } from "./session-provider.ts";
import { createSessionRefresher, type Refreshed } from "./session-refresh.ts";
import type { SessionStore } from "./session-store.ts";

const MINUTE = 60_000;
const SECONDS = NOW_MS / 1000;
const TOKENS = { refreshToken: "refresh-0", expiresAt: SECONDS + 300 };

/** A provider that gives a new refresh token each time, and ends the session when one is used twice. */
function rotating(clock: () => number, claims: () => JsonObject = () => ({ sub: "ada" })) {
  let next = 0;
  return {
    get count() {
      return next;
    },
    refresh: async (token: string): Promise<RefreshOutcome> => {
      await new Promise((resolve) => setImmediate(resolve));
      if (token !== `refresh-${next}`) return { outcome: "ended", detail: "invalid_grant" };
      next += 1;
      return {
        outcome: "refreshed",
        tokens: {
          ...NO_TOKENS,
          claims: claims(),
          refreshToken: `refresh-${next}`,
          expiresAt: Math.floor(clock() / 1000) + 300,
        },
      };
    },
  };
}

async function settled(ground: SessionGround, done: () => boolean): Promise<void> {
  for (let turns = 0; turns < 1000 && !done(); turns++) await ground.turn();
  assert.ok(done(), "what was waited for has happened");
}

for (const [when, elapsed] of [
  ["ahead of expiry", 4 * MINUTE + 30_000],
  ["after expiry", 5 * MINUTE + 1000],
] as const) {
  for (const store of ["cookie", "memory"]) {
    test(`1000 requests of one session (${store}) ${when} make one refresh and all go on`, async () => {
      const provider = rotating(() => ground.clock.now());
      const session = { store };
      const ground: SessionGround = new SessionGround({ refresh: provider.refresh, session });
      const browser = await ground.login({ sub: "ada" }, TOKENS);
      ground.clock.advance(elapsed);
      const asked = Array.from({ length: 1000 }, () =>
        ground.sessions.verify(ground.request(browser), ground.clock.now()),
      );
      const waiting = asked.filter((one) => one instanceof Promise).length;
      assert.equal(waiting, when === "after expiry" ? 1000 : 0);
      for (const one of asked) {
        const answer = await one;
        assert.ok(answer !== undefined && !isFailure(answer.result));
      }
      await settled(ground, () => provider.count > 0);
      assert.deepEqual(ground.refreshes, ["refresh-0"]);
      assert.equal(await ground.subject(browser), "ada");
    });
  }
}

test("1000 requests of one session in four processes make one refresh", async () => {
  const keys = [randomBytes(32)];
  const first = new SessionGround({ keys });
  const provider = rotating(() => first.clock.now());
  const shared = remoteMemory(first.shared);
  const grounds = Array.from(
    { length: 4 },
    () => new SessionGround({ keys, shared, clock: first.clock, refresh: provider.refresh }),
  );
  const browser = await first.login({ sub: "ada" }, TOKENS);
  first.clock.advance(5 * MINUTE + 1000);
  const answered = { count: 0 };
  const all = Promise.all(
    Array.from({ length: 1000 }, async (_, index) => {
      const ground = grounds[index % 4] as SessionGround;
      const answer = await ground.sessions.verify(ground.request(browser), ground.clock.now());
      answered.count += 1;
      return answer;
    }),
  );
  for (let turns = 0; turns < 2000 && answered.count < 1000; turns++) {
    for (const ground of grounds) await ground.turn();
  }
  for (const answer of await all) {
    assert.ok(answer !== undefined && !isFailure(answer.result), JSON.stringify(answer));
    assert.ok(answer.setCookies.length > 0);
  }
  assert.equal(provider.count, 1);
  // Whichever process the browser comes to next has the new refresh token.
  for (const ground of grounds) assert.equal(await ground.subject(browser), "ada");
  first.clock.advance(5 * MINUTE);
  const answer = ask(grounds[3] as SessionGround, browser);
  await settled(grounds[3] as SessionGround, () => provider.count === 2);
  assert.ok(!isFailure((await answer)?.result ?? assert.fail("a session")));
});

async function ask(ground: SessionGround, browser: Jar) {
  return ground.ask(browser);
}

test("a refresh reads claims anew: roles that are gone are gone, and open streams are asked again", async () => {
  let roles: readonly string[] = ["Admin"];
  const provider = rotating(
    () => ground.clock.now(),
    () => ({ sub: "ada", roles }),
  );
  const ground: SessionGround = new SessionGround({ refresh: provider.refresh });
  const browser = await ground.login(
    { sub: "ada", roles, acr: "gold", auth_time: SECONDS },
    TOKENS,
  );
  const before = await ground.facts(browser);
  assert.deepEqual(before.principal.roles, ["people/Admin"]);
  roles = ["Reader"];
  ground.clock.advance(4 * MINUTE + 30_000);
  assert.equal(await ground.facts(browser), before);
  await settled(ground, () => !before.valid());
  const after = await ground.facts(browser);
  assert.deepEqual(after.principal.roles, ["people/Reader"]);
  // How the person logged in need not be repeated.
  assert.equal(after.acr, "gold");
  assert.equal(after.authenticatedAt, SECONDS);
  assert.ok(after.valid());
});

test("a refresh that tells of another login does not keep how the person logged in before", async () => {
  const told: object[] = [{ auth_time: SECONDS + 60 }, { auth_time: SECONDS, amr: ["otp"] }];
  for (const [index, more] of told.entries()) {
    const provider = rotating(
      () => ground.clock.now(),
      () => ({ sub: "ada", nonce: "another", ...more }),
    );
    const nonces: unknown[] = [];
    const ground: SessionGround = new SessionGround({
      refresh: (token, { nonce }) => {
        nonces.push(nonce);
        return provider.refresh(token);
      },
    });
    const browser = await ground.login(
      { sub: "ada", nonce: "first", acr: "gold", amr: ["pwd"], auth_time: SECONDS },
      TOKENS,
    );
    for (let turn = 0; turn < 2; turn++) {
      const before = await ground.facts(browser);
      ground.clock.advance(4 * MINUTE + 30_000);
      await ground.facts(browser);
      await settled(ground, () => !before.valid());
    }
    const { acr, amr, authenticatedAt } = await ground.facts(browser);
    const expected = index === 0 ? [undefined, [], SECONDS + 60] : ["gold", ["otp"], SECONDS];
    // Told again of the second moment, which is then the known one, it has nothing to give back.
    assert.deepEqual([acr, amr, authenticatedAt], expected);
    // That of the login stays what each refresh is judged by.
    assert.deepEqual(nonces, ["first", "first"]);
  }
});

test("a refresh for another subject ends the session", async () => {
  const provider = rotating(
    () => ground.clock.now(),
    () => ({ sub: "eve" }),
  );
  const ground: SessionGround = new SessionGround({ refresh: provider.refresh });
  const browser = await ground.login({ sub: "ada" }, TOKENS);
  ground.clock.advance(6 * MINUTE);
  assert.equal(await ground.reason(browser), "session-expired");
});

test("a refresh whose claims lack what is declared ends the session", async () => {
  const provider = rotating(
    () => ground.clock.now(),
    () => ({ sub: "ada" }),
  );
  const ground: SessionGround = new SessionGround({
    refresh: provider.refresh,
    principal: { attributes: { tenant: { claim: "tenant", type: "string" } } },
  });
  const browser = await ground.login({ sub: "ada", tenant: "a" }, TOKENS);
  ground.clock.advance(6 * MINUTE);
  assert.equal(await ground.reason(browser), "session-expired");
});

test("invalid_grant ends the session everywhere", async () => {
  const refresh = async (): Promise<RefreshOutcome> => ({ outcome: "ended", detail: "gone" });
  const keys = [randomBytes(32)];
  const ground = new SessionGround({ refresh, keys });
  const browser = await ground.login({ sub: "ada" }, TOKENS);
  ground.clock.advance(4 * MINUTE + 30_000);
  const facts = await ground.facts(browser);
  await settled(ground, () => !facts.valid());
  const copy = browser.copy();
  assert.equal(await ground.reason(browser), "session-expired");
  const other = new SessionGround({ keys, shared: ground.shared, clock: ground.clock });
  assert.equal(await other.reason(copy), "session-expired");
  assert.deepEqual(
    ground.revoked.map(({ kind }) => kind),
    ["id"],
  );
});

test("while the provider is down a session goes on for session.outage, is asked about seldom, and comes back", async () => {
  let down = true;
  const provider = rotating(() => ground.clock.now());
  const ground: SessionGround = new SessionGround({
    session: { outage: "10m" },
    refresh: async (token) =>
      down ? { outcome: "unavailable", detail: "refused" } : provider.refresh(token),
  });
  const browser = await ground.login({ sub: "ada" }, TOKENS);
  ground.clock.advance(6 * MINUTE);
  for (let count = 0; count < 20; count++) assert.equal(await ground.subject(browser), "ada");
  assert.equal(ground.refreshes.length, 1);
  ground.clock.advance(9 * MINUTE + 1000);
  // The cookie stays: the provider may be back before the session's own lifetime is over.
  assert.equal(await ground.reason(browser), "identity-unavailable");
  assert.equal(await ground.reason(browser), "identity-unavailable");
  assert.equal(ground.refreshes.length, 2);
  down = false;
  ground.clock.advance(5000);
  assert.equal(await ground.subject(browser), "ada");
  assert.equal(provider.count, 1);
});

test("a provider client that throws harms one refresh and no request", async () => {
  const ground: SessionGround = new SessionGround({
    refresh: async () => {
      throw new Error("boom");
    },
  });
  const browser = await ground.login({ sub: "ada" }, TOKENS);
  ground.clock.advance(5 * MINUTE);
  assert.equal(await ground.subject(browser), "ada");
});

test("a browser that missed the answer still gets the new session, until it has come with it and for a grace", async () => {
  const provider = rotating(() => ground.clock.now());
  const ground: SessionGround = new SessionGround({ refresh: provider.refresh, keys: KEYS });
  const browser = await ground.login({ sub: "ada" }, TOKENS);
  const former = browser.copy();
  ground.clock.advance(5 * MINUTE);
  assert.equal(await ground.subject(browser.copy()), "ada");
  assert.equal(provider.count, 1);
  // Twenty minutes later it has only the former cookie.
  ground.clock.advance(20 * MINUTE);
  assert.equal(await ground.subject(browser), "ada");
  assert.notDeepEqual(browser.cookies, former.cookies);
  assert.equal(provider.count, 2);
  // It comes with the new one: the former is good for requests that were under way, and no longer.
  await ground.subject(browser);
  ground.clock.advance(MINUTE);
  assert.equal(await ground.subject(former.copy()), "ada");
  ground.clock.advance(MINUTE + 1000);
  const other = new SessionGround({
    keys: KEYS,
    shared: ground.shared,
    clock: ground.clock,
    refresh: provider.refresh,
  });
  assert.equal(await other.reason(former.copy()), "session-expired");
  assert.equal(await ground.reason(former.copy()), "session-expired");
  assert.equal(await ground.subject(browser), "ada");
  assert.equal(provider.count, 2);
});

const KEYS = [randomBytes(32)];

test("tokens that last shortly are refreshed at half of their life, not with every request", async () => {
  const provider = rotating(() => ground.clock.now());
  const ground: SessionGround = new SessionGround({
    session: { refreshAhead: "10m" },
    refresh: provider.refresh,
  });
  const browser = await ground.login({ sub: "ada" }, { ...TOKENS, expiresAt: SECONDS + 300 });
  for (let seconds = 0; seconds < 140; seconds += 10) {
    await ground.subject(browser);
    await ground.turn(3);
    ground.clock.advance(10_000);
  }
  assert.equal(provider.count, 0);
  ground.clock.advance(20_000);
  await ground.subject(browser);
  await settled(ground, () => provider.count === 1);
  await ground.turn(3);
  await ground.subject(browser);
  await ground.turn(3);
  assert.equal(provider.count, 1);
});

test("a process that died over a refresh keeps nobody out for longer than its claim", async () => {
  const keys = [randomBytes(32)];
  const hanging = new SessionGround({ keys, refresh: () => new Promise(() => undefined) });
  const provider = rotating(() => hanging.clock.now());
  const other = new SessionGround({
    keys,
    clock: hanging.clock,
    shared: hanging.shared,
    refresh: provider.refresh,
  });
  const browser = await hanging.login({ sub: "ada" }, TOKENS);
  hanging.clock.advance(4 * MINUTE + 30_000);
  await hanging.subject(browser);
  await hanging.turn(3);
  assert.equal(hanging.refreshes.length, 1);
  // Another one waits for it, in the background: the session is good meanwhile.
  assert.equal(await other.subject(browser), "ada");
  await other.turn(410);
  assert.equal(provider.count, 0);
  hanging.clock.advance(91_000);
  const answer = other.ask(browser);
  await settled(other, () => provider.count === 1);
  assert.ok(!isFailure((await answer)?.result ?? assert.fail("a session")));
});

test("what cannot be told to others is given to the browser all the same", async () => {
  const ground0 = new SessionGround();
  const provider = rotating(() => ground0.clock.now());
  const shared = remoteMemory(ground0.shared, { refuses: "put" });
  const ground = new SessionGround({ shared, clock: ground0.clock, refresh: provider.refresh });
  const browser = await ground.login({ sub: "ada" }, TOKENS);
  ground.clock.advance(5 * MINUTE);
  assert.equal(await ground.subject(browser), "ada");
  ground.clock.advance(5 * MINUTE);
  assert.equal(await ground.subject(browser), "ada");
  assert.deepEqual(ground.refreshes, ["refresh-0", "refresh-1"]);
});

for (const outcome of ["ended", "unavailable"] as const) {
  test(`who waits for another process's refresh hears that it is ${outcome}`, async () => {
    const keys = [randomBytes(32)];
    const told = Promise.withResolvers<RefreshOutcome>();
    const session = { outage: "0s" };
    const asking = new SessionGround({ keys, session, refresh: () => told.promise });
    const waiting = new SessionGround({
      keys,
      session,
      clock: asking.clock,
      shared: asking.shared,
      refresh: () => assert.fail("the other one asks"),
    });
    const browser = await asking.login({ sub: "ada" }, TOKENS);
    asking.clock.advance(5 * MINUTE);
    const one = asking.reason(browser.copy());
    await asking.turn();
    const other = waiting.reason(browser.copy());
    await waiting.turn();
    told.resolve({ outcome, detail: "no" });
    const reason = outcome === "ended" ? "session-expired" : "identity-unavailable";
    assert.equal(await one, reason);
    await waiting.turn(3);
    assert.equal(await other, reason);
  });
}

test("a logout while a session is refreshed stands, whatever the refresh brings", async () => {
  const provider = Promise.withResolvers<RefreshOutcome>();
  const ground = new SessionGround({ refresh: () => provider.promise });
  const browser = await ground.login({ sub: "ada" }, TOKENS);
  ground.clock.advance(4 * MINUTE + 30_000);
  await ground.subject(browser);
  const copy = browser.copy();
  await ground.sessions.end(ground.request(browser), ground.clock.now());
  provider.resolve({
    outcome: "refreshed",
    tokens: { ...NO_TOKENS, claims: { sub: "ada" }, refreshToken: "refresh-1" },
  });
  await ground.turn(5);
  assert.equal(await ground.reason(copy.copy()), "session-expired");
});

/** One refresh by itself, with what the memory and the provider would say. */
async function refreshOf(
  given: {
    readonly content?: Partial<SessionContent>;
    /** What others have published, at each look; the last one from then on. */
    readonly newest?: readonly (SessionContent | undefined)[];
    readonly outcome?: RefreshOutcome;
    readonly merged?: Refreshed;
  } = {},
) {
  const clock = new ManualClock(NOW_MS);
  const shared = localMemory(clock);
  const log = recordedLog();
  const asked: unknown[] = [];
  const published: SessionContent[] = [];
  const looks = [...(given.newest ?? [])];
  const refresh = createSessionRefresher({
    name: "people",
    clock,
    timers: new ManualTimers(),
    log,
    shared,
    store: {
      newest: () => (looks.length > 1 ? looks.shift() : looks[0]),
      publish: (content: SessionContent) => void published.push(content),
    } as unknown as SessionStore,
    provider: {
      refresh: async (...of) => {
        asked.push(of);
        return given.outcome ?? { outcome: "refreshed", tokens: NO_TOKENS };
      },
    },
    merge: (content) =>
      given.merged ?? { content: { ...content, generation: content.generation + 1 } },
    ttl: () => MINUTE,
  });
  const content = { ...CONTENT, ...given.content };
  const refreshed = await refresh(content);
  const claimed = !shared.claim("session-refresh", "people:id:0", MINUTE);
  return { refreshed, asked, published, claimed, log: log.lines };
}

const CONTENT: SessionContent = {
  id: "id",
  claims: { sub: "ada", nonce: "n" },
  sid: undefined,
  idToken: undefined,
  refreshToken: "refresh-0",
  accessExpiresMs: undefined,
  refreshMs: undefined,
  beganMs: NOW_MS,
  usedMs: NOW_MS,
  generation: 0,
};
const NEWER = { ...CONTENT, generation: 1 };

test("a refresh asks for this subject and this login, and publishes what came", async () => {
  const { refreshed, asked, published, claimed } = await refreshOf();
  assert.deepEqual(asked, [["refresh-0", { subject: "ada", nonce: "n" }]]);
  assert.deepEqual(refreshed, { content: NEWER });
  assert.deepEqual(published, [NEWER]);
  assert.equal(claimed, true, "the token is used: nobody else may use it");
});

test("a refresh asks nobody without a token or a subject, nor where another process was faster", async () => {
  for (const content of [{ refreshToken: undefined }, { claims: {} }]) {
    const { refreshed, asked } = await refreshOf({ content });
    assert.ok("unavailable" in refreshed);
    assert.deepEqual(asked, []);
  }
  for (const newest of [[NEWER], [undefined, NEWER], [CONTENT, NEWER]]) {
    const { refreshed, asked } = await refreshOf({ newest });
    assert.deepEqual(refreshed, { content: NEWER });
    assert.deepEqual(asked, []);
  }
});

test("a refresh may be tried again after a failure that may pass, and after no other", async () => {
  const down = await refreshOf({ outcome: { outcome: "unavailable", detail: "down" } });
  assert.deepEqual([down.refreshed, down.claimed], [{ unavailable: "down" }, false]);
  const over = await refreshOf({ outcome: { outcome: "ended", detail: "over" } });
  assert.deepEqual([over.refreshed, over.claimed], [{ ended: "over" }, true]);
});

test("what a refresh brought and cannot be is published to nobody", async () => {
  const { refreshed, published, log } = await refreshOf({ merged: { ended: "another subject" } });
  assert.deepEqual([refreshed, published, log], [{ ended: "another subject" }, [], []]);
});
