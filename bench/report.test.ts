import assert from "node:assert/strict";
import { test } from "node:test";
import { figure, formatSection, isReached, median } from "./report.ts";

test("median() is the middle, or halfway between the two in it", () => {
  assert.equal(median([9, 1, 5]), 5);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.throws(() => median([]), TypeError);
});

test("figure() keeps three digits and groups thousands", () => {
  assert.deepEqual([0.8333, 17.04, 123.4, 23456.7].map(figure), ["0.833", "17", "123", "23 457"]);
});

test("isReached() holds a figure against its own bound, edges included", () => {
  const goal = { what: "w", unit: "", measured: 2 };
  assert.ok(isReached({ ...goal, bound: { atLeast: 2 } }));
  assert.ok(!isReached({ ...goal, bound: { atLeast: 2.01 } }));
  assert.ok(isReached({ ...goal, bound: { atMost: 2 } }));
  assert.ok(!isReached({ ...goal, bound: { atMost: 1.99 } }));
});

test("formatSection() aligns the table and says of each goal whether it was reached", () => {
  const text = formatSection({
    name: "n",
    title: "t",
    table: { columns: ["peer", "µs"], rows: [["nginx", "15.8"]] },
    goals: [{ what: "faster", unit: " ×", measured: 0.5, bound: { atLeast: 0.75 } }],
    data: undefined,
  });
  assert.equal(
    text,
    [
      "| peer  |   µs |",
      "| ----- | ---: |",
      "| nginx | 15.8 |",
      "",
      "| goal   | to reach | measured |            |",
      "| ------ | -------: | -------: | ---------: |",
      "| faster | ≥ 0.75 × |    0.5 × | **missed** |",
    ].join("\n"),
  );
});
