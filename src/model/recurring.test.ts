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

test("again() forgets what is not used while a flood comes, so that it leaves nothing", () => {
  const recurring = new Recurring<object, string>();
  const early = {};
  recurring.again(early);
  recurring.keep(early, "made");
  for (let index = 0; index < 2 * 4096; index++) recurring.again({});
  assert.equal(recurring.get(early), undefined);
  assert.equal(recurring.again(early), false);
});

test("get() keeps what is used while a flood comes", () => {
  const recurring = new Recurring<object, string>();
  const used = {};
  recurring.again(used);
  recurring.keep(used, "made");
  for (let index = 0; index < 5 * 4096; index++) {
    recurring.again({});
    if (index % 1000 === 0) assert.equal(recurring.get(used), "made");
  }
});

test("again() knows an object of the generation before", () => {
  const recurring = new Recurring<object, string>();
  const early = {};
  recurring.again(early);
  for (let index = 0; index < 4096; index++) recurring.again({});
  assert.equal(recurring.again(early), true);
});
