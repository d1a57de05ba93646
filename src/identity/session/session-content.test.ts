import assert from "node:assert/strict";
import { test } from "node:test";
import { readContent, type SessionContent, writeContent } from "./session-content.ts";

const FULL: SessionContent = {
  id: "id",
  claims: { sub: "ada", level: 2n ** 60n },
  sid: "sid",
  idToken: "id-token",
  refreshToken: "refresh",
  accessExpiresMs: 3000,
  refreshMs: 2000,
  beganMs: 1000,
  usedMs: 1500,
  generation: 0,
};

const LEAST: SessionContent = {
  ...FULL,
  claims: {},
  sid: undefined,
  idToken: undefined,
  refreshToken: undefined,
  accessExpiresMs: undefined,
  refreshMs: undefined,
};

test("readContent() gives what writeContent() wrote, whole numbers beyond 2^53 too", () => {
  for (const content of [FULL, LEAST]) {
    const { claims, ...rest } = readContent(writeContent(content)) ?? assert.fail("unreadable");
    assert.deepEqual({ ...rest, claims: { ...claims } }, content);
  }
});

/** Each member by itself: what is not of its type was written by something else than this. */
const BROKEN: readonly (readonly [member: string, values: readonly unknown[]])[] = [
  ["i", [undefined, null, 7]],
  ["c", [undefined, null, [], "sub"]],
  ["s", [null, 7, {}]],
  ["h", [null, 7, {}]],
  ["r", [null, 7, {}]],
  ["e", [null, "1", -1, 1.5, 2 ** 53]],
  ["d", [null, "1", -1, 1.5, 2 ** 53]],
  ["b", [undefined, null, "1", -1, 1.5, 2 ** 53]],
  ["u", [undefined, null, "1", -1, 1.5, 2 ** 53]],
  ["g", [undefined, null, "1", -1, 1.5, 2 ** 53]],
];

for (const [member, values] of BROKEN) {
  test(`readContent() refuses a session whose "${member}" is not what it has to be`, () => {
    const good = JSON.parse(writeContent({ ...FULL, claims: {} })) as Record<string, unknown>;
    for (const value of values) {
      const text = JSON.stringify({ ...good, [member]: value });
      assert.equal(readContent(text), undefined, text);
    }
  });
}

test("readContent() refuses what is no mapping, and no JSON", () => {
  for (const text of ["", "{", "[]", "7", "null", '"i"']) {
    assert.equal(readContent(text), undefined, text);
  }
});
