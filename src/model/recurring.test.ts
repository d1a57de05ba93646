import assert from "node:assert/strict";
import { test } from "node:test";
import { Recurring } from "./recurring.ts";

test("again() says whether an object has come before", () => {
  const recurring = new Recurring<object, string>();
  const key = {};
  assert.equal(recurring.again(key), false);
  assert.equal(recurring.again(key), true);
  assert.equal(recurring.again({}), false);
});

test("get() gives what was kept, and nothing for an object that only came", () => {
  const recurring = new Recurring<object, string>();
  const key = {};
  recurring.again(key);
  assert.equal(recurring.get(key), undefined);
  recurring.keep(key, "made");
  assert.equal(recurring.get(key), "made");
  assert.equal(recurring.get({}), undefined);
});

test("again() forgets when more objects came than it remembers, so that a flood leaves nothing", () => {
  const recurring = new Recurring<object, string>();
  const early = {};
  recurring.again(early);
  recurring.keep(early, "made");
  for (let index = 0; index < 4096; index++) recurring.again({});
  assert.equal(recurring.get(early), undefined);
  assert.equal(recurring.again(early), false);
});
