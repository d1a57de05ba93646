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

test("Connection cannot name away what the proxy writes", async () => {
  const evidence = await stage.attack(
    requestBytes("/open", [
      "Connection: keep-alive, x-forwarded-for, sallyport-decision, forwarded, x-request-id, host",
    ]),
  );
  assertHarmless(evidence);
  assert.deepEqual(statusesOf(evidence), [200, 200]);
  const names = arrivalsOf(evidence)[0]?.fields.map(([name]) => name) ?? [];
  for (const name of ["host", "x-forwarded-for", "sallyport-decision", "forwarded"]) {
    assert.ok(names.includes(name), `${name} is missing`);
  }
});

test("Connection cannot name away the framing of a body", async () => {
  const evidence = await stage.attack(
    "POST /open HTTP/1.1\r\nHost: api.example\r\nConnection: content-length\r\nContent-Length: 5\r\n\r\nhello",
  );
  assertHarmless(evidence);
  const [first] = statusesOf(evidence);
  const body = arrivalsOf(evidence).find(({ method }) => method === "POST")?.body;
  assert.ok(first === 400 || body === "hello");
});

test("Connection cannot name away the credential that a route wants", async () => {
  const token = stage.issuer.token({ roles: ["Admin"] });
  const evidence = await stage.attack(
    requestBytes("/guarded/x", [
      "Connection: keep-alive, authorization",
      `Authorization: Bearer ${token}x`,
    ]),
  );
  assertHarmless(evidence);
  assert.equal(statusesOf(evidence)[0], 401);
});

test("what Connection names does not reach the service", async () => {
  const evidence = await stage.attack(
    requestBytes("/open", ["Connection: keep-alive, x-private", "X-Private: hop", "TE: trailers"]),
  );
  assertHarmless(evidence);
  assert.doesNotMatch(evidence.arrived.join(""), /x-private|: hop|trailers/i);
});
