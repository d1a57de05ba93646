import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { createTimeText } from "./time-text.ts";

test("createTimeText() writes what toISOString writes, whatever it wrote before", () => {
  const time = fc.integer({ min: 0, max: Date.UTC(2200, 0) });
  const near = fc.integer({ min: 0, max: 3000 });
  fc.assert(
    fc.property(fc.array(fc.oneof(time, near), { maxLength: 20 }), (times) => {
      const text = createTimeText();
      for (const ms of times) assert.equal(text(ms), JSON.stringify(new Date(ms)));
    }),
  );
});
