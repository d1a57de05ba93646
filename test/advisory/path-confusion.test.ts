/**
 * A path that the rule reads one way and the service another: Envoy authorized before it normalised
 * (CVE-2019-9901) and still leaves merged and escaped slashes to options; Oathkeeper was traversed
 * in 2026; oauth2-proxy matched an encoded `#` against its skip rules (GHSA-pxq7-h93f-9jrg) and the
 * query string against its path rules (GHSA-7rh7-c77v-6434). There is one canonical path, policy
 * and service get that one, and what could be read in two ways is refused.
 */
import { after } from "node:test";
import { strict as assert } from "node:assert";
import { arrivalsOf, assertHarmless, reasonsOf, statusesOf } from "../e2e/expect.ts";
import { testOverEach } from "../e2e/over-each.ts";
import { requestBytes, startStage } from "../e2e/stage.ts";

const stage = await startStage();
after(() => stage.close());

/** Ways to write `/secret`, which policy forbids, or `/guarded/x`, which wants a token. */
const DETOURS: readonly [target: string, status: number][] = [
  ["/open/../secret", 403],
  ["/open/%2e%2e/secret", 400],
  ["/open/.%2e/secret", 400],
  ["/./secret", 403],
  ["/%73ecret", 403],
  ["/secre%74", 403],
  ["//secret", 403],
  ["/../../secret", 403],
  ["/secret/.", 403],
  ["/secret?/open", 403],
  ["/secret?x=/../open", 403],
  ["/open/..%2fsecret", 400],
  ["/open/..%5csecret", 400],
  ["/open\\..\\secret", 400],
  ["/open/%252e%252e/secret", 400],
  ["/open/..;/secret", 400],
  ["/open;/../secret", 400],
  ["/open/..%00/secret", 400],
  ["/open%23/../secret", 403],
  ["/secret%23/open", 403],
  ["/secret#/open", 400],
  ["/open#/../secret", 400],
  ["/guarded/x", 401],
  ["/open/../guarded/x", 401],
  ["//guarded//x", 401],
  ["/guarded/x?/open", 401],
  ["/guarded/%78", 401],
  ["/guarded/x/../../guarded/y", 401],
  ["/g%75arded/x", 401],
];

/** The form that HTTP/2 has no place for: there it is a malformed `:path`. */
const ABSOLUTE = ["http://api.example/secret", "http://api.example/open/../secret"];

for (const [target, status] of DETOURS) {
  testOverEach(stage, `the proxy answers ${target} with ${status}`, async ({ attack }) => {
    const evidence = await attack(requestBytes(target));
    assertHarmless(evidence);
    assert.equal(statusesOf(evidence)[0], status);
    const [reason] = reasonsOf(evidence);
    if (status === 403) assert.equal(reason, "no-permit");
    if (status === 401) assert.equal(reason, "missing-credential");
    assert.equal(
      arrivalsOf(evidence).some(({ target: arrived }) => /secret|guarded/.test(arrived)),
      false,
    );
  });
}

for (const target of ABSOLUTE) {
  testOverEach(stage, `the proxy refuses ${target}`, async ({ over, attack }) => {
    const evidence = await attack(requestBytes(target));
    assertHarmless(evidence);
    assert.equal(statusesOf(evidence)[0], over === "h2" ? 400 : 403);
    assert.doesNotMatch(evidence.arrived.join(""), /secret/);
  });
}

testOverEach(
  stage,
  "an empty segment is a segment to `..`, as RFC 3986 section 5.2.4 resolves it",
  async ({ attack }) => {
    const evidence = await attack(requestBytes("/open//../secret"));
    assertHarmless(evidence);
    assert.equal(arrivalsOf(evidence)[0]?.target, "/open/secret");
  },
);

testOverEach(
  stage,
  "a query reaches the service as it is and decides nothing",
  async ({ attack }) => {
    const evidence = await attack(requestBytes("/open?to=/secret&x=%2e%2e%2f"));
    assertHarmless(evidence);
    assert.equal(arrivalsOf(evidence)[0]?.target, "/open?to=/secret&x=%2e%2e%2f");
  },
);
