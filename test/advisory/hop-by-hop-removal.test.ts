/**
 * Hop-by-hop removal: `Connection: x-sallyport-assertion` asks a proxy to drop that field on the
 * way (RFC 9110 section 7.6.1). A proxy that first writes who the caller is and then drops what
 * Connection names, lets the caller take its identity off. Dropping comes first, setting last.
 */
import test, { after } from "node:test";
import { strict as assert } from "node:assert";
import { arrivalsOf, assertHarmless, statusesOf } from "../e2e/expect.ts";
import { requestBytes, startStage } from "../e2e/stage.ts";

const stage = await startStage();
after(() => stage.close());

/** Fields that a caller must not take off; naming one is refused, or does not work. */
const TARGETS = [
  "host",
  "authorization",
  "content-length",
  "x-forwarded-for",
  "X-Forwarded-Proto",
  "forwarded",
  "sallyport-decision",
  "x-sallyport-assertion",
  "x_forwarded_for",
  "x-request-id",
];

for (const name of TARGETS) {
  test(`Connection: ${name} takes nothing off`, async () => {
    const evidence = await stage.attack(
      requestBytes("/open", [`Connection: keep-alive, ${name}`, "X-Request-Id: 4711"]),
    );
    assertHarmless(evidence);
    if (statusesOf(evidence)[0] === 400) return;
    const names = arrivalsOf(evidence)[0]?.fields.map(([field]) => field) ?? [];
    for (const written of [
      "host",
      "x-forwarded-for",
      "x-forwarded-proto",
      "forwarded",
      "sallyport-decision",
      "x-request-id",
    ]) {
      assert.ok(names.includes(written), `${written} is missing`);
    }
  });
}

test("Connection cannot name away the credential that a route wants", async () => {
  const token = stage.issuer.token({ roles: ["Admin"] });
  const evidence = await stage.attack(
    requestBytes("/guarded/x", [
      "Connection: keep-alive, authorization",
      `Authorization: Bearer ${token}x`,
    ]),
  );
  assertHarmless(evidence);
  assert.ok([400, 401].includes(statusesOf(evidence)[0] ?? 0));
});

test("what Connection names does not reach the service", async () => {
  const evidence = await stage.attack(
    requestBytes("/open", ["Connection: keep-alive, x-private", "X-Private: hop", "TE: trailers"]),
  );
  assertHarmless(evidence);
  assert.doesNotMatch(evidence.arrived.join(""), /x-private|: hop|trailers/i);
});
