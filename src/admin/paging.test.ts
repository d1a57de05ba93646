import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { cursorOf, pageOf, pageOfAll } from "./paging.ts";
import { AdminProblem } from "./problem.ts";

void test("pageOfAll() gives every entry once, in order, whatever the size of a page", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ unit: "binary" })),
      fc.integer({ min: 1, max: 7 }),
      (names, limit) => {
        const seen: string[] = [];
        let cursor: string | undefined;
        do {
          const page = pageOfAll(names, (name) => name, pageOf({ limit, cursor }));
          assert.ok(page.items.length <= limit);
          seen.push(...page.items);
          cursor = page.next;
        } while (cursor !== undefined);
        assert.deepEqual(seen, inOrder(names));
      },
    ),
  );
});

function inOrder(names: readonly string[]): string[] {
  return names.toSorted((a, b) => (a < b ? -1 : 1));
}

void test("pageOf() refuses what is no cursor of ours", () => {
  assert.equal(pageOf({ cursor: cursorOf("edge-1") }).after, "edge-1");
  for (const cursor of ["YQ=", "YR", "_w", "a"]) {
    assert.throws(() => pageOf({ cursor }), AdminProblem, cursor);
  }
});
