/** What is asked of a text that this process does not know, with memories that say what a test wants. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SessionContent } from "./session-content.ts";
import { FORMER, IDLE } from "./session-faults.ts";
import type { LiveSessions } from "./session-live.ts";
import { createSessionLookup } from "./session-lookup.ts";
import { sessionSchema } from "./session-options.ts";
import type { SessionStanding, Standing } from "./session-standing.ts";
import type { SessionStore } from "./session-store.ts";
import type { KnownCookie, LiveSession } from "./session-table.ts";
import { SessionTimes } from "./session-times.ts";

const NOW = 1_800_000_000_000;
const MINUTE = 60_000;
const times = new SessionTimes(sessionSchema.parse({ idle: "30m", absolute: "2h" }), true);

const CONTENT: SessionContent = {
  id: "id",
  claims: { sub: "ada" },
  sid: undefined,
  idToken: undefined,
  refreshToken: undefined,
  accessExpiresMs: undefined,
  refreshMs: undefined,
  beganMs: NOW - 60 * MINUTE,
  usedMs: NOW,
  generation: 0,
};
const GOOD: Standing = { ended: false, seen: undefined, usedMs: 0 };

interface Given {
  /** What each text is opened as. */
  readonly contents: Readonly<Record<string, Partial<SessionContent>>>;
  readonly newest: Partial<SessionContent>;
  readonly standing: Partial<Standing>;
  /** What this process knows of the session, by another text. */
  readonly known: Partial<SessionContent>;
  /** Its newer claims are none that the configuration takes. */
  readonly unfit: boolean;
}

function ground({ contents = { a: {} }, newest, standing = {}, known, unfit }: Partial<Given>) {
  const asked: string[] = [];
  const done: string[] = [];
  const live = known && ({ content: { ...CONTENT, ...known }, text: "known" } as LiveSession);
  const entered = (content: SessionContent, text: string): KnownCookie => ({
    live: { content, text } as LiveSession,
    text,
    generation: content.generation,
  });
  const find = createSessionLookup({
    live: {
      byText: () => undefined,
      byId: () => live,
      adopt: (_live: LiveSession, { generation }: SessionContent) => {
        done.push(`adopt ${generation}`);
        return unfit === true ? FORMER : undefined;
      },
      touch: (_live: LiveSession, usedMs: number) => void done.push(`touch ${usedMs - NOW}`),
      enter: entered,
      add: (cookie: KnownCookie) => cookie,
    } as unknown as LiveSessions,
    store: {
      read: (text: string) => ({ ...CONTENT, ...contents[text] }),
      newest: () => newest && { ...CONTENT, ...newest },
      renewed: () => "renewed",
    } as unknown as SessionStore,
    standing: {
      of: ({ id }: SessionContent) => {
        asked.push(id);
        return { ...GOOD, ...standing };
      },
    } as unknown as SessionStanding,
    times,
  });
  return { asked, done, live, find: (...texts: readonly string[]) => find(texts, NOW) };
}

function failureOf(found: unknown): unknown {
  return (found as { failure?: unknown }).failure;
}

test("a session is found where it is good, as it is known to be newest and last used", () => {
  const found = ground({
    newest: { generation: 2, claims: { sub: "ada", roles: ["Reader"] } },
    contents: { a: { usedMs: NOW - 45 * MINUTE } },
    standing: { usedMs: NOW - 5 * MINUTE, seen: { generation: 2, atMs: NOW - 1000 } },
  }).find("a") as KnownCookie;
  assert.equal(found.live.content.generation, 2);
  assert.equal(found.live.content.usedMs, NOW);
  assert.equal(found.live.text, "renewed");
  assert.equal(found.live.confirmedMs, NOW - 1000);
  assert.deepEqual([found.text, found.generation], ["a", 0]);
  const alone = ground({ newest: { generation: 0 } }).find("a") as KnownCookie;
  assert.equal(alone.live.text, "a");
  assert.equal(alone.live.confirmedMs, undefined);
});

test("a session whose absolute time is over, or that comes from the future, is asked about nowhere", () => {
  for (const [content, good] of [
    [{ beganMs: NOW - 120 * MINUTE }, false],
    [{ beganMs: NOW - 120 * MINUTE + 1 }, true],
    [{ beganMs: NOW + 5 * MINUTE + 1 }, false],
  ] as const) {
    const { asked, find } = ground({ contents: { a: content } });
    assert.equal(failureOf(find("a")), good ? undefined : "session-expired");
    assert.deepEqual(asked, good ? ["id"] : []);
  }
});

test("a session that has ended, is idle, or is known by a newer cookie is refused, whatever is published", () => {
  const seen = { generation: 1, atMs: NOW - 2 * MINUTE };
  assert.equal(failureOf(ground({ standing: { ended: true } }).find("a")), "session-expired");
  for (const newest of [undefined, { generation: 1 }]) {
    const former = ground({ standing: { seen }, ...(newest && { newest }) }).find("a");
    assert.deepEqual(former, FORMER);
  }
  const grace = { seen: { ...seen, atMs: seen.atMs + 1 } };
  assert.equal(failureOf(ground({ standing: grace }).find("a")), undefined);
  for (const [usedMs, idle] of [
    [NOW - 30 * MINUTE, true],
    [NOW - 30 * MINUTE + 1, false],
  ] as const) {
    const found = ground({ contents: { a: { usedMs } } }).find("a");
    assert.equal((found as { detail?: string }).detail, idle ? IDLE : undefined);
    assert.equal(
      failureOf(ground({ contents: { a: { usedMs } }, standing: { usedMs: NOW } }).find("a")),
      undefined,
    );
  }
});

test("a session that is known by another text stays one: newer claims and later use are taken over", () => {
  const earlier = { usedMs: NOW - 5 * MINUTE };
  for (const [given, done] of [
    [{ known: {} }, []],
    [{ known: earlier }, ["touch 0"]],
    [{ known: {}, contents: { a: earlier } }, []],
    [{ known: {}, newest: { generation: 1 } }, ["adopt 1"]],
    [{ known: earlier, newest: { generation: 1 } }, ["adopt 1"]],
    [{ known: { generation: 1 }, newest: { generation: 1 } }, []],
    [{ known: { generation: 2 }, newest: { generation: 1 } }, []],
  ] as const) {
    const made = ground(given);
    const found = made.find("a") as KnownCookie;
    assert.equal(found.live, made.live);
    assert.deepEqual([found.text, found.generation], ["a", 0]);
    assert.deepEqual(made.done, done);
  }
  assert.deepEqual(ground({ known: {}, newest: { generation: 1 }, unfit: true }).find("a"), FORMER);
});

test("of two texts of one session the one of more refreshes counts, or that which is the newest", () => {
  const contents = { first: { generation: 1 }, second: { generation: 2 }, known: {}, other: {} };
  for (const [texts, text] of [
    [["first", "second"], "second"],
    [["second", "first"], "second"],
    [["known", "other"], "known"],
    [["other", "known"], "known"],
  ] as const) {
    const made = ground({ contents, known: { generation: 2 } });
    assert.equal((made.find(...texts) as KnownCookie).text, text);
  }
});

test("of several texts the newest counts, and one that is refused refuses them all", () => {
  const contents = {
    old: { id: "one", beganMs: NOW - 90 * MINUTE },
    new: { id: "two", beganMs: NOW - 10 * MINUTE },
    over: { id: "three", beganMs: NOW - 120 * MINUTE },
  };
  const { find } = ground({ contents });
  for (const texts of [["old", "new"], ["new", "old"], ["new"], ["old", "old", "new"]]) {
    assert.equal((find(...texts) as KnownCookie).live.content.id, "two", texts.join());
  }
  for (const texts of [
    ["new", "over"],
    ["over", "new"],
  ]) {
    assert.equal(failureOf(find(...texts)), "session-expired", texts.join());
  }
  assert.equal(find(), undefined);
});
