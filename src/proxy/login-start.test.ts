import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoginAuthenticator } from "../identity/provider/login-authenticator.ts";
import { readDemands } from "./login-start.ts";

function login(acrValues?: readonly string[], maxAge?: number): LoginAuthenticator {
  return { name: "people", options: { acrValues, maxAge } } as unknown as LoginAuthenticator;
}

/** What an address asks for, what is configured, and what comes of both. */
const DEMANDS: readonly (readonly [string, readonly string[] | undefined, unknown])[] = [
  ["", undefined, []],
  ["", ["gold", "silver"], ["gold", "silver"]],
  ["acr_values=", ["gold"], ["gold"]],
  ["acr_values=+++", ["gold"], ["gold"]],
  ["acr_values=bronze", ["gold"], "unmeetable"],
  ["acr_values=bronze+gold", ["gold"], ["gold"]],
  ["acr_values=silver", ["gold", "silver"], ["silver"]],
  ["acr_values=bronze", undefined, ["bronze"]],
  ["acr_values=", undefined, []],
  ["acr_values=a%22b", undefined, undefined],
  [`acr_values=${"a+".repeat(17)}`, undefined, undefined],
  [`acr_values=${"a".repeat(256)}+${"b".repeat(256)}`, undefined, undefined],
  [
    `acr_values=${"a".repeat(256)}+${"b".repeat(255)}`,
    undefined,
    ["a".repeat(256), "b".repeat(255)],
  ],
  [`acr_values=${"a+".repeat(16)}`, undefined, "a".repeat(16).split("")],
];

for (const [query, configured, expected] of DEMANDS) {
  test(`readDemands() of "${query}" with ${configured?.join(", ") ?? "nothing"} configured asks for no less`, () => {
    const demands = readDemands(new URLSearchParams(query), login(configured));
    assert.deepEqual(typeof demands === "object" ? demands.acrValues : demands, expected);
  });
}

test("readDemands() takes the shorter time, and none that cannot be read", () => {
  const age = (query: string, maxAge?: number) => {
    const demands = readDemands(new URLSearchParams(query), login(undefined, maxAge));
    return typeof demands === "object" ? demands.maxAgeSeconds : demands;
  };
  assert.equal(age("max_age=600", 300_000), 300);
  assert.equal(age("max_age=60", 300_000), 60);
  assert.equal(age("", 300_000), 300);
  assert.equal(age("max_age=60"), 60);
  assert.equal(age("max_age=31536000"), 31_536_000);
  assert.equal(readDemands(new URLSearchParams("max_age="), login(undefined, 300_000)), undefined);
  assert.equal(readDemands(new URLSearchParams("max_age=-1"), login()), undefined);
  assert.equal(readDemands(new URLSearchParams("max_age=31536001"), login()), undefined);
});
