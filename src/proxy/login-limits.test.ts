import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../platform/clock.ts";
import { createLoginLimits, LOGIN_LIMITS } from "./login-limits.ts";

test("begin() lets an office in at once, then some a second, and counts each address by itself", () => {
  const clock = new ManualClock(0);
  const limits = createLoginLimits({ clock });
  const begun = (address: string, times: number): number =>
    Array.from({ length: times }, () => limits.begin(address)).filter((one) => one === undefined)
      .length;
  const { burst, requests } = LOGIN_LIMITS.begins;
  assert.equal(begun("192.0.2.1", 2 * burst), burst);
  assert.equal(limits.begin("192.0.2.1"), 1000 / requests);
  assert.equal(begun("192.0.2.2", 1), 1);
  clock.advance(1000);
  assert.equal(begun("192.0.2.1", 2 * burst), requests);
  // A host has a whole /64 of IPv6 to itself.
  assert.equal(begun("2001:db8::1", burst) + begun("2001:db8::2", burst), burst);
  assert.equal(begun("2001:db8:0:1::1", 1), 1);
});

test("spentLogout() lets a few a second through for each authenticator", () => {
  const clock = new ManualClock(0);
  const limits = createLoginLimits({ clock });
  const taken = (name: string): number =>
    Array.from({ length: 100 }, () => limits.spentLogout(name)).filter(Boolean).length;
  const { burst, requests } = LOGIN_LIMITS.spentLogouts;
  assert.deepEqual([taken("people"), taken("partners")], [burst, burst]);
  clock.advance(1000);
  assert.equal(taken("people"), requests);
});
