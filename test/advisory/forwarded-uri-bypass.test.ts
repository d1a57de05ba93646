/**
 * oauth2-proxy let a caller's own `X-Forwarded-Uri` decide which rule applied
 * (GHSA-7x63-xv5r-3p2x), and a health checker's user agent skip authentication
 * (GHSA-5hvv-m4w4-gf6v). Routes are chosen by the request line and Host alone.
 */
import { after } from "node:test";
import { strict as assert } from "node:assert";
import { assertHarmless, reasonsOf, statusesOf } from "../e2e/expect.ts";
import { testOverEach } from "../e2e/over-each.ts";
import { requestBytes, startStage } from "../e2e/stage.ts";

const stage = await startStage();
after(() => stage.close());

const FIELDS = [
  "X-Forwarded-Uri: /open",
  "X-Original-URL: /open",
  "X-Rewrite-URL: /open",
  "X-Forwarded-Path: /open",
  "X-Forwarded-Prefix: /open",
  "X-Forwarded-Method: OPTIONS",
  "X-HTTP-Method-Override: GET",
  "X-Forwarded-Host: open.example",
  "Forwarded: for=127.0.0.1;host=open.example;proto=https",
  "X-Forwarded-For: 127.0.0.1",
  "User-Agent: GoogleHC/1.0",
  "User-Agent: kube-probe/1.30",
  "User-Agent: ELB-HealthChecker/2.0",
  "X-Forwarded-Access-Token: anything",
  "X-Auth-Request-User: admin",
  "X-Remote-User: admin",
];

for (const field of FIELDS) {
  testOverEach(stage, `a guarded path stays guarded under ${field}`, async ({ attack }) => {
    const evidence = await attack(requestBytes("/guarded/x", [field]));
    assertHarmless(evidence);
    assert.equal(statusesOf(evidence)[0], 401);
    assert.equal(reasonsOf(evidence)[0], "missing-credential");
  });
}
