import assert from "node:assert/strict";
import test from "node:test";
import { type QuotaStanding, standingWith } from "./quota-standings.ts";

const OWN: QuotaStanding = {
  principal: "corp/ann",
  plan: "free",
  quota: { requests: 100, cost: 50, per: "day" },
  fromMs: 0,
  untilMs: 86_400_000,
  requests: 20,
  bytes: 3000,
  cost: 10.5,
  share: 0.21,
};

test("standingWith() says what all machines have used, where that is more", () => {
  const all = { requests: 90, bytes: 10, cost: 30_250 };
  assert.deepEqual(standingWith(OWN, all), {
    ...OWN,
    requests: 90,
    cost: 30.25,
    share: 0.9,
  });
  assert.deepEqual(standingWith(OWN, { requests: 1, bytes: 1, cost: 1 }), OWN);
});
