import assert from "node:assert/strict";
import { test } from "node:test";
import type { Verified } from "../model/facts.ts";
import type { CanonicalRequest } from "../model/http.ts";
import type { SessionAnswer, SessionVerifier } from "../model/verifiers.ts";
import { createSessionSet } from "./session-set.ts";

const REQUEST = {} as CanonicalRequest;

function failure(detail: string): Verified {
  return { failure: "invalid-session", detail, costly: false };
}

function way(name: string | undefined, late: boolean): SessionVerifier {
  const answer: SessionAnswer | undefined =
    name === undefined ? undefined : { result: failure(name), setCookies: [`${name}=1`] };
  return { verify: () => (late ? Promise.resolve(answer) : answer) };
}

for (const late of [[], [0], [1], [2], [0, 1, 2]]) {
  const title = late.length === 0 ? "at once" : `with ${late.join()} late`;
  test(`createSessionSet() tells of every session, in order, with the lines of all, ${title}`, async () => {
    for (const names of [
      ["a", "b", "c"],
      ["a", undefined, "c"],
      [undefined, "b", "c"],
      [undefined, undefined, "c"],
      [undefined, undefined, undefined],
    ]) {
      const set = createSessionSet(names.map((name, at) => way(name, late.includes(at))));
      const found = await set.verify(REQUEST, 0);
      const there = names.filter((name) => name !== undefined);
      const results = found === undefined ? [] : [found.result, ...(found.others ?? [])];
      assert.deepEqual(results, there.map(failure));
      assert.deepEqual(
        found?.setCookies ?? [],
        there.map((name) => `${name}=1`),
      );
    }
  });
}

test("createSessionSet() rejects where one of them does", async () => {
  const broken: SessionVerifier = { verify: () => Promise.reject(new Error("broken")) };
  await assert.rejects(async () => createSessionSet([way("a", true), broken]).verify(REQUEST, 0));
});
