import { strict as assert } from "node:assert";
import test from "node:test";
import { STATIC_ENTRIES, STATIC_NAMES, STATIC_VALUES } from "./static-table.ts";

test("STATIC_NAMES and STATIC_VALUES have the 61 entries of RFC 7541 appendix A, from 1 on", () => {
  assert.equal(STATIC_ENTRIES, 61);
  assert.equal(STATIC_NAMES.length, 62);
  assert.equal(STATIC_VALUES.length, 62);
  const entry = (index: number) => `${STATIC_NAMES[index]}: ${STATIC_VALUES[index]}`;
  assert.equal(entry(1), ":authority: ");
  assert.equal(entry(2), ":method: GET");
  assert.equal(entry(8), ":status: 200");
  assert.equal(entry(14), ":status: 500");
  assert.equal(entry(16), "accept-encoding: gzip, deflate");
  assert.equal(entry(23), "authorization: ");
  assert.equal(entry(32), "cookie: ");
  assert.equal(entry(55), "set-cookie: ");
  assert.equal(entry(61), "www-authenticate: ");
});
