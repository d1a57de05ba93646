import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRequestsSeen } from "./service.ts";

test("parseRequestsSeen() takes the third counter of nginx's status page", () => {
  const page =
    "Active connections: 2 \nserver accepts handled requests\n 11 12 1234 \nReading: 0 Writing: 1 Waiting: 1 \n";
  assert.equal(parseRequestsSeen(page), 1234);
  assert.throws(() => parseRequestsSeen("<html>"), TypeError);
});
