/**
 * What every engine keeps to, as one suite: `testStoreContract(name, open)` registers it. An engine is
 * handed in as a function that opens handles of one and the same fresh state.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Commit, Store, StoredDocument, Write } from "../../src/model/store.ts";

export interface Ground {
  /** One more handle of the same state; closed by whoever made the ground. */
  readonly open: () => Promise<Store>;
}

/** Undefined: the test was skipped. */
export type MakeGround = (t: TestContext) => Promise<Ground | undefined>;

type Case = (ground: Ground, t: TestContext) => Promise<void>;

export function testStoreContract(engine: string, makeGround: MakeGround): void {
  for (const [name, run] of Object.entries(CASES)) {
    test(`${engine}: ${name}`, async (t) => {
      const ground = await makeGround(t);
      if (ground !== undefined) await run(ground, t);
    });
  }
}

const CASES: Readonly<Record<string, Case>> = {
  "commit() numbers commits from 1 on, and get() gives back what was written": async ({ open }) => {
    const store = await open();
    assert.equal((await store.now()).number, 0);
    const body = { text: 'é\u0000"\u{1F600}', n: 0.1, deep: [{ a: null, b: [true, -0.5] }] };
    const first = done(await store.commit([{ collection: "facts", id: "a", body }]));
    assert.equal(first.number, 1);
    const found = await store.get("facts", "a");
    assert.deepEqual(plain(found?.body), body);
    assert.equal(found?.number, 1);
    assert.equal(found.timeMs, first.timeMs);
    assert.equal(found.expiresMs, undefined);
    assert.equal(await store.get("facts", "b"), undefined);
    assert.equal(await store.get("bundles", "a"), undefined);
    assert.equal(done(await store.commit([fact("b")])).number, 2);
    assert.equal((await store.now()).number, 2);
  },

  "commit() leaves out members that are undefined, and refuses what JSON cannot say": async ({
    open,
  }) => {
    const store = await open();
    await store.commit([{ collection: "facts", id: "a", body: { here: 1, gone: undefined } }]);
    assert.deepEqual(plain((await store.get("facts", "a"))?.body), { here: 1 });
    for (const value of [Number.NaN, 2n ** 60n, "\ud800", [undefined]]) {
      const body = { value } as never;
      await assert.rejects(store.commit([{ collection: "facts", id: "b", body }]), TypeError);
    }
    assert.equal((await store.now()).number, 1);
  },

  "commit() refuses ids, collections, limits and sizes out of bounds": async ({ open }) => {
    const store = await open();
    const refused: Write[][] = [
      [],
      [fact("")],
      [fact("a\0b")],
      [fact("\ud800")],
      [fact("x".repeat(513))],
      [{ ...fact("a"), collection: "nonsense" as never }],
      [fact("a"), fact("a")],
      [{ ...fact("a"), expiresMs: -1 }],
      [{ ...fact("a"), expect: 0.5 }],
      Array.from({ length: 1001 }, (_, index) => fact(`${index}`)),
    ];
    for (const writes of refused) await assert.rejects(store.commit(writes), TypeError);
    for (const limit of [0, 10_001, 1.5]) {
      await assert.rejects(store.list("facts", { limit }), TypeError);
      await assert.rejects(store.changes(0, limit), TypeError);
    }
    assert.equal((await store.now()).number, 0);
    const widest = "\u{10FFFF}".repeat(256);
    await store.commit([fact(widest)]);
    assert.equal((await store.get("facts", widest))?.id, widest);
    await store.commit(Array.from({ length: 1000 }, (_, index) => fact(`${index}`)));
  },

  "commit() does all writes or none, and names the first expectation that fails": async ({
    open,
  }) => {
    const store = await open();
    const { number } = done(await store.commit([fact("a")]));
    const conflict = await store.commit([
      fact("b"),
      { ...fact("a"), expect: number + 1 },
      { ...fact("c"), expect: 7 },
    ]);
    assert.deepEqual(conflict, { conflict: { collection: "facts", id: "a" } });
    assert.equal(await store.get("facts", "b"), undefined);
    assert.equal((await store.now()).number, number);
    const again = await store.commit([{ ...fact("a"), expect: "absent" }]);
    assert.deepEqual(again, { conflict: { collection: "facts", id: "a" } });
    done(
      await store.commit([
        { ...fact("a"), expect: number },
        { ...fact("b"), expect: "absent" },
      ]),
    );
  },

  "commit() removes, and what was removed is absent": async ({ open }) => {
    const store = await open();
    const { number } = done(await store.commit([fact("a"), fact("b")]));
    done(await store.commit([{ ...remove("a"), expect: number }]));
    assert.equal(await store.get("facts", "a"), undefined);
    assert.deepEqual(await ids(store), ["b"]);
    const conflict = await store.commit([{ ...fact("a"), expect: number }]);
    assert.ok(conflict.conflict !== undefined);
    done(await store.commit([{ ...fact("a"), expect: "absent" }]));
    assert.deepEqual(await ids(store), ["a", "b"]);
  },

  "what has expired is absent: to get(), list(), expectations and changes()": async ({ open }) => {
    const store = await open();
    const { timeMs } = await store.now();
    const { number } = done(
      await store.commit([
        { ...fact("gone"), expiresMs: timeMs },
        { ...fact("kept"), expiresMs: timeMs + 3_600_000 },
      ]),
    );
    assert.equal(await store.get("facts", "gone"), undefined);
    assert.equal((await store.get("facts", "kept"))?.expiresMs, timeMs + 3_600_000);
    assert.deepEqual(await ids(store), ["kept"]);
    const changed = (await store.changes(0, 10)).documents;
    assert.deepEqual(
      changed.map(({ id, body }) => [id, body !== undefined]),
      [
        ["gone", false],
        ["kept", true],
      ],
    );
    assert.ok((await store.commit([{ ...fact("gone"), expect: number }])).conflict !== undefined);
    done(await store.commit([{ ...fact("gone"), expect: "absent" }]));
    assert.equal((await store.get("facts", "gone"))?.expiresMs, undefined);
  },

  "list() goes by code points, page by page, within its collection": async ({ open }) => {
    const store = await open();
    const sorted = ["A", "B", "_", "a", "a/", "aa", "b", "~", "é", "\uFFFD", "\u{1F600}"];
    await store.commit([
      ...sorted.toReversed().map(fact),
      { collection: "bundles", id: "a", body: {} },
    ]);
    assert.deepEqual(await ids(store), sorted);
    const paged: string[] = [];
    for (let after: string | undefined; ;) {
      const page = await store.list("facts", { after, limit: 4 });
      paged.push(...page.map(({ id }) => id));
      after = page.at(-1)?.id;
      if (page.length < 4) break;
    }
    assert.deepEqual(paged, sorted);
    assert.deepEqual(await store.list("workloads", { limit: 10 }), []);
  },

  "changes() gives the newest state of each document, removals among them": async ({ open }) => {
    const store = await open();
    await store.commit([fact("a", 1), fact("b", 1)]);
    await store.commit([fact("a", 2)]);
    await store.commit([remove("b")]);
    await store.commit([remove("never")]);
    const all = await store.changes(0, 100);
    assert.deepEqual(
      all.documents.map(({ id, number, body }) => [id, number, plain(body)]),
      [
        ["a", 2, { value: 2 }],
        ["b", 3, undefined],
        ["never", 4, undefined],
      ],
    );
    assert.deepEqual([all.upTo, all.more, all.gap], [4, false, false]);
    assert.deepEqual(
      (await store.changes(2, 100)).documents.map(({ id }) => id),
      ["b", "never"],
    );
    const none = await store.changes(4, 100);
    assert.deepEqual(none, { documents: [], upTo: 4, more: false, gap: false });
  },

  "changes() never splits a commit, and goes on from where it ended": async ({ open }) => {
    const store = await open();
    await store.commit([fact("a")]);
    await store.commit([fact("b1"), fact("b2"), fact("b3")]);
    await store.commit([fact("c")]);
    const first = await store.changes(0, 2);
    assert.deepEqual(
      first.documents.map(({ id }) => id),
      ["a", "b1", "b2", "b3"],
    );
    assert.deepEqual([first.upTo, first.more], [2, true]);
    const second = await store.changes(first.upTo, 1);
    assert.deepEqual(
      second.documents.map(({ id }) => id),
      ["c"],
    );
    assert.deepEqual([second.upTo, second.more], [3, false]);
  },

  "changes() has a gap where removals were forgotten, and where no number was given": async ({
    open,
  }) => {
    const store = await open();
    await store.commit([fact("a"), fact("b")]);
    await store.commit([remove("a")]);
    await store.commit([fact("c")]);
    assert.equal((await store.changes(1, 10)).gap, false);
    const { timeMs } = await store.now();
    await until(async () => (await store.now()).timeMs > timeMs);
    assert.equal(await store.purge(0), 0);
    assert.deepEqual(await store.changes(1, 10), {
      documents: [],
      upTo: 1,
      more: false,
      gap: true,
    });
    assert.equal((await store.changes(2, 10)).gap, false);
    // Who knows nothing misses no removal.
    const anew = await store.changes(0, 10);
    assert.equal(anew.gap, false);
    assert.deepEqual(
      anew.documents.map(({ id }) => id),
      ["b", "c"],
    );
    assert.equal((await store.changes(4, 10)).gap, true);
  },

  "purge() takes what has expired and still tells followers": async ({ open }) => {
    const store = await open();
    await store.commit([fact("a")]);
    const { timeMs } = await store.now();
    await store.commit([
      { ...fact("a"), expiresMs: timeMs },
      { ...fact("b"), expiresMs: timeMs },
    ]);
    assert.equal(await store.purge(3_600_000), 2);
    assert.equal(await store.purge(3_600_000), 0);
    const { documents, gap, upTo } = await store.changes(1, 10);
    assert.deepEqual(
      documents.map(({ id, body }) => [id, body]),
      [
        ["a", undefined],
        ["b", undefined],
      ],
    );
    assert.deepEqual([gap, upTo], [false, 2]);
    assert.equal((await store.now()).number, 2);
  },

  "purge() works through more than one batch": async ({ open }) => {
    const store = await open();
    const { timeMs } = await store.now();
    for (let round = 0; round < 3; round += 1) {
      const writes = Array.from({ length: 1000 }, (_, index) => fact(`${round}-${index}`));
      await store.commit(writes.map((write) => ({ ...write, expiresMs: timeMs })));
    }
    await store.commit([fact("kept")]);
    assert.equal(await store.purge(0), 3000);
    assert.deepEqual(await ids(store), ["kept"]);
  },

  "epoch() is one for all handles": async ({ open }) => {
    const [one, other] = [await open(), await open()];
    const epoch = await one.epoch();
    assert.match(epoch, /^[A-Za-z0-9_-]{22}$/);
    assert.equal(await other.epoch(), epoch);
  },

  "watch() tells of commits of this handle and of another one": async ({ open }) => {
    const [one, other] = [await open(), await open()];
    let calls = 0;
    const end = one.watch(() => (calls += 1));
    await one.commit([fact("a")]);
    await until(async () => calls > 0);
    // What is told late about the first commit is not to be taken for the second.
    let number = 0;
    let seen = false;
    one.watch(() => {
      void one.now().then((now) => (seen ||= number > 0 && now.number >= number));
    });
    number = done(await other.commit([fact("b")])).number;
    await until(async () => seen);
    end();
  },

  "watch() ends when it is told to, and one that fails disturbs nobody": async ({ open }) => {
    const store = await open();
    let [first, second] = [0, 0];
    const end = store.watch(() => (first += 1));
    store.watch(() => {
      throw new Error("a watcher that fails");
    });
    store.watch(() => (second += 1));
    end();
    await store.commit([fact("a")]);
    await until(async () => second > 0);
    assert.equal(first, 0);
  },

  "commits of many handles are numbered without a hole, and a reader by number misses none":
    async ({ open }) => {
      const handles = await Promise.all(Array.from({ length: 4 }, () => open()));
      const reader = await open();
      const total = 4 * 60;
      const writing = Promise.all(
        handles.map(async (store, handle) => {
          const numbers: number[] = [];
          for (let round = 0; round < 60; round += 1) {
            numbers.push(await commitSurely(store, fact(`${handle}-${round}`)));
          }
          return numbers;
        }),
      );
      const seen: StoredDocument[] = [];
      for (let since = 0; seen.length < total;) {
        const { documents, upTo } = await reader.changes(since, 7);
        seen.push(...documents);
        since = upTo;
        // Whoever read past a number never sees it come later: then this would not end.
        if (since === total) break;
      }
      const numbers = (await writing).flat().toSorted((a, b) => a - b);
      assert.deepEqual(
        numbers,
        Array.from({ length: total }, (_, index) => index + 1),
      );
      assert.deepEqual(
        seen.map(({ number }) => number),
        numbers,
      );
    },

  "expectations let exactly one of many win": async ({ open }) => {
    const handles = await Promise.all(Array.from({ length: 3 }, () => open()));
    await handles[0]?.commit([{ collection: "facts", id: "count", body: { value: 0 } }]);
    await Promise.all(
      handles.flatMap((store) =>
        Array.from({ length: 4 }, async () => {
          for (let won = 0; won < 5;) {
            const now = await store.get("facts", "count");
            const body = { value: Number(now?.body?.["value"]) + 1 };
            const write = { collection: "facts", id: "count", body, expect: now?.number } as const;
            if ((await store.commit([write])).conflict === undefined) won += 1;
          }
        }),
      ),
    );
    assert.equal((await handles[0]?.get("facts", "count"))?.body?.["value"], 60);
  },

  "a handle that was closed says so": async ({ open }) => {
    const store = await open();
    await store.commit([fact("a")]);
    await store.close();
    await assert.rejects(store.now(), { code: "store-unavailable" });
    await store.close();
    assert.deepEqual(await ids(await open()), ["a"]);
  },
};

export function fact(id: string, value: number | string = 1): Write {
  return { collection: "facts", id, body: { value } };
}

export function remove(id: string): Write {
  return { collection: "facts", id, body: undefined };
}

/** The commit that is not expected to conflict. */
export function done(commit: Commit): { readonly number: number; readonly timeMs: number } {
  assert.ok(commit.conflict === undefined, JSON.stringify(commit));
  return commit;
}

/** The number of a commit of one new document, however often it takes: a disk that is busy may refuse some. */
async function commitSurely(store: Store, write: Write): Promise<number> {
  for (;;) {
    try {
      const commit = await store.commit([{ ...write, expect: "absent" }]);
      if (commit.conflict === undefined) return commit.number;
      const found = await store.get(write.collection, write.id);
      assert.ok(found !== undefined);
      return found.number;
    } catch (error) {
      assert.equal((error as { readonly code?: string }).code, "store-unavailable");
    }
  }
}

/** Turns of the event loop until it holds; the runner's timeout ends what never does. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 2));
}

async function ids(store: Store): Promise<string[]> {
  return (await store.list("facts", { limit: 10_000 })).map(({ id }) => id);
}

/** Documents have no prototype; literals of tests have. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
