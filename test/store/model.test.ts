/**
 * Both engines against a third one that is as simple as can be: whatever is done to them, in whatever
 * order, all three answer the same.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import {
  type Arbitrary,
  array,
  assert as check,
  asyncProperty,
  constant,
  constantFrom,
  integer,
  oneof,
  option,
  record,
} from "fast-check";
import type { Commit, Store, Write } from "../../src/model/store.ts";
import { opener, temporaryFolder } from "./kit.ts";
import { sharedPostgres } from "./postgres-server.ts";

const makeDatabase = sharedPostgres();

/** Few ids, so that writes meet. */
const IDS = ["a", "b", "ü", "\u{1F600}"] as const;

interface PlannedWrite {
  readonly id: (typeof IDS)[number];
  readonly value: number | null;
  /** What it is said to be now: right, wrong, absent, or nothing. */
  readonly expect: "right" | "wrong" | "absent" | "any";
  /** Expired already, or not. */
  readonly over: boolean;
}

type Step =
  | { readonly kind: "commit"; readonly writes: readonly PlannedWrite[] }
  | { readonly kind: "changes"; readonly since: number; readonly limit: number }
  | { readonly kind: "purge" };

const write: Arbitrary<PlannedWrite> = record({
  id: constantFrom(...IDS),
  value: option(integer({ min: 0, max: 99 }), { nil: null, freq: 3 }),
  expect: constantFrom("right", "wrong", "absent", "any"),
  over: constantFrom(false, false, false, true),
});

const commits: Arbitrary<Step> = array(write, { minLength: 1, maxLength: 4 }).map((writes) => ({
  kind: "commit",
  writes,
}));
const reads: Arbitrary<Step> = record({
  since: integer({ min: 0, max: 12 }),
  limit: integer({ min: 1, max: 5 }),
}).map((page) => ({ kind: "changes", ...page }));
const purges: Arbitrary<Step> = constant({ kind: "purge" });

const steps = array(
  oneof(
    { weight: 6, arbitrary: commits },
    { weight: 3, arbitrary: reads },
    { weight: 1, arbitrary: purges },
  ),
  { minLength: 1, maxLength: 25 },
);

/** What documents there are, by id: value and number, or a removal. */
class Model {
  number = 0;
  readonly documents = new Map<string, { value: number | null; number: number; over: boolean }>();

  current(id: string): number | "absent" {
    const found = this.documents.get(id);
    return found === undefined || found.value === null || found.over ? "absent" : found.number;
  }

  commit(writes: readonly Write[], planned: readonly PlannedWrite[]): Commit["conflict"] | number {
    const failed = writes.find(
      ({ id, expect }) => expect !== undefined && expect !== this.current(id),
    );
    if (failed !== undefined) return { collection: failed.collection, id: failed.id };
    this.number += 1;
    for (const { id, value, over } of planned) {
      this.documents.set(id, { value, number: this.number, over: over && value !== null });
    }
    return this.number;
  }

  /** In the order of numbers, then ids; whole commits until the limit is reached. */
  changes(since: number, limit: number): readonly [string, number, number | null][] {
    const all = [...this.documents]
      .filter(([, { number }]) => number > since)
      .toSorted(
        ([a, x], [b, y]) => x.number - y.number || Buffer.compare(Buffer.from(a), Buffer.from(b)),
      );
    const last = all[limit - 1]?.[1].number ?? this.number;
    return all
      .filter(([, { number }]) => number <= last)
      .map(([id, { number, value, over }]) => [id, number, over ? null : value]);
  }
}

async function runSteps(store: Store, planned: readonly Step[]) {
  const collection = "facts";
  const model = new Model();
  const { number: base, timeMs } = await store.now();
  for (const step of planned) {
    if (step.kind === "purge") {
      await store.purge(3_600_000);
    } else if (step.kind === "commit") {
      const unique = step.writes.filter(
        ({ id }, index) => step.writes.findIndex((other) => other.id === id) === index,
      );
      const writes = unique.map(({ id, value, expect, over }): Write => {
        const now = model.current(id);
        const numbered = now === "absent" ? 1 : now + base;
        const said = {
          right: now === "absent" ? now : numbered,
          wrong: numbered + 1,
          absent: "absent",
        } as const;
        return {
          collection,
          id,
          body: value === null ? undefined : { value },
          ...(over && value !== null ? { expiresMs: timeMs } : {}),
          ...(expect === "any" ? {} : { expect: said[expect] }),
        };
      });
      const inModel = writes.map(({ expect, ...rest }) => ({
        ...rest,
        expect: typeof expect === "number" ? expect - base : expect,
      }));
      const expected = model.commit(inModel, unique);
      const commit = await store.commit(writes);
      if (typeof expected === "number")
        assert.equal(commit.conflict ?? commit.number, expected + base);
      else assert.deepEqual(commit.conflict, expected);
    } else {
      if (step.since > model.number) continue;
      const { documents, upTo, more, gap } = await store.changes(step.since + base, step.limit);
      assert.equal(gap, false);
      assert.deepEqual(
        documents.map(({ id, number, body }) => [id, number - base, body?.["value"] ?? null]),
        model.changes(step.since, step.limit),
      );
      assert.equal(more, upTo < model.number + base);
    }
    const listed = (await store.list(collection, { limit: 100 })).map(({ id, number, body }) => [
      id,
      number - base,
      body?.["value"],
    ]);
    const alive = [...model.documents]
      .filter(([id]) => model.current(id) !== "absent")
      .map(([id, { number, value }]) => [id, number, value])
      .toSorted(([a], [b]) => Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b))));
    assert.deepEqual(listed, alive);
    for (const id of IDS) {
      const found = (await store.get(collection, id))?.number;
      const now = model.current(id);
      assert.equal(found, now === "absent" ? undefined : now + base);
    }
  }
  // The next run finds nothing of this one.
  await store.commit(IDS.map((id) => ({ collection, id, body: undefined })));
}

const RUNS = { numRuns: 60 } as const;

test("sqlite: any sequence of commits, reads and purges goes as in the model", async (t) => {
  const store = await opener(t, `sqlite:${join(await temporaryFolder(t), "store.db")}`)();
  await check(
    asyncProperty(steps, async (planned) => await runSteps(store, planned)),
    RUNS,
  );
});

test("postgres: any sequence of commits, reads and purges goes as in the model", async (t) => {
  const database = await makeDatabase(t);
  if (database === undefined) return;
  const store = await opener(t, database.url)();
  await check(
    asyncProperty(steps, async (planned) => await runSteps(store, planned)),
    RUNS,
  );
});
