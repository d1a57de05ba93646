import assert from "node:assert/strict";
import { test } from "node:test";
import { recordedLog, recordedMetrics } from "../../test/ports.ts";
import { ManualClock } from "../platform/clock.ts";
import { ManualTimers } from "../platform/timers.ts";
import { createOidcAuthenticator } from "./oidc.ts";
import { oidcOptionsSchema } from "./oidc-options.ts";

const KEY = new Uint8Array(32).fill(7);
const OURS = { name: "people", issuer: "https://login.example.com", id: "console" };

/** What a login under way is sealed by. */
function transactions({ name, issuer, id }: typeof OURS) {
  const options = oidcOptionsSchema.parse({
    type: "oidc",
    issuer,
    client: { id },
    principal: { kind: "user" },
  });
  const [clock, timers] = [new ManualClock(0), new ManualTimers()];
  const nothing = (): never => assert.fail("nothing is asked");
  const made = createOidcAuthenticator(
    { ...options, name },
    {
      clock,
      timers,
      log: recordedLog(),
      metrics: recordedMetrics(),
      fetcher: { fetchJson: nothing },
      send: nothing,
      shared: {
        claim: nothing,
        agree: nothing,
        get: nothing,
        put: nothing,
        remove: nothing,
        since: 0,
      },
      readFile: nothing,
      sessionKeys: () => [KEY],
    },
  );
  made.close?.();
  return made.login.transactions;
}

test("createOidcAuthenticator() opens logins under way that were begun with the same provider", () => {
  const sealed = transactions(OURS).seal("x");
  assert.deepEqual(transactions(OURS).open(sealed), { plain: "x" });
});

for (const [what, change] of [
  ["authenticator", { name: "partners" }],
  ["provider", { issuer: "https://staging.example.com" }],
  ["client", { id: "reports" }],
] as const) {
  test(`createOidcAuthenticator() opens no login under way of another ${what}`, () => {
    const sealed = transactions({ ...OURS, ...change }).seal("x");
    assert.deepEqual(transactions(OURS).open(sealed), { fault: "changed" });
  });
}
