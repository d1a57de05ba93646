/**
 * A proxy in front says who the caller is, and callers try to say it in its place: addresses to the
 * left of what it appends, an open quote that would swallow it (RFC 7239 quoted strings), the other
 * spelling beside the one that it writes, obfuscated identifiers and names where an address has to
 * be, chains without end. The caller is what the proxy wrote, or the request is refused; from a peer
 * that is no proxy nothing of it counts (Oathkeeper believed everybody's X-Forwarded-*, 2026).
 */
import test, { after } from "node:test";
import { strict as assert } from "node:assert";
import { arrivalsOf, assertHarmless, reasonsOf, statusesOf } from "../e2e/expect.ts";
import { testOverEach } from "../e2e/over-each.ts";
import { requestBytes, startStage } from "../e2e/stage.ts";

const inside = `  - { name: inside, path: /inside, service: recorder, authenticate: [anonymous] }
  - { name: often, path: /often, service: recorder, authenticate: [anonymous], limit: { requests: 1, per: 1h, by: address } }`;
const policies = `
@id("inside-only")
forbid (principal, action, resource == Sallyport::Route::"inside")
unless { context.ip.isInRange(ip("192.0.2.0/24")) };
`;
const trusting = await startStage({
  listener: "    trustedProxies: [127.0.0.1, 10.0.0.0/8]",
  routes: inside,
  policies,
});
const wary = await startStage({
  listener: "    trustedProxies: [10.0.0.0/8]",
  routes: inside,
  policies,
});
after(() => Promise.all([trusting.close(), wary.close()]));

/** Last segment of what a front proxy that appends would send for a caller at this address. */
const OUTSIDER = "203.0.113.9";

testOverEach(
  trusting,
  "whom the proxy names is the caller: for policy, the record and the service",
  async ({ attack }) => {
    const evidence = await attack(
      requestBytes("/inside", [
        "X-Forwarded-For: 192.0.2.1, 10.0.0.7",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: api.example.com",
      ]),
    );
    assertHarmless(evidence);
    assert.equal(statusesOf(evidence)[0], 200);
    const [decision] = evidence.decisions;
    assert.equal(decision?.["clientAddress"], "192.0.2.1");
    assert.equal(decision?.["peerAddress"], "127.0.0.1");
    assert.equal(decision?.["host"], "api.example", "routes look at Host");
    const told = arrivalsOf(evidence)[0]?.fields.filter(([name]) => name.includes("forwarded"));
    assert.deepEqual(told, [
      [
        "forwarded",
        "for=192.0.2.1;host=api.example.com;proto=https, for=10.0.0.7, for=127.0.0.1;host=api.example;proto=http",
      ],
      ["x-forwarded-for", "192.0.2.1, 10.0.0.7, 127.0.0.1"],
      ["x-forwarded-proto", "https"],
      ["x-forwarded-host", "api.example.com"],
    ]);
  },
);

const denied: readonly [title: string, fields: readonly string[]][] = [
  ["an address left of the one appended", [`X-Forwarded-For: 192.0.2.1, ${OUTSIDER}`]],
  ["the address of a proxy there", [`X-Forwarded-For: 192.0.2.1, 10.0.0.1, ${OUTSIDER}`]],
  ["a line of their own before it", ["X-Forwarded-For: 192.0.2.1", `X-Forwarded-For: ${OUTSIDER}`]],
  ["the standard field likewise", [`Forwarded: for=192.0.2.1, for=${OUTSIDER}`]],
  ["a comma in quotes", [`Forwarded: for=192.0.2.1;x=", for=192.0.2.1", for=${OUTSIDER}`]],
  ["X-Real-IP and its kin", ["X-Real-IP: 192.0.2.1", "X-Client-IP: 192.0.2.1"]],
  ["a field that only looks the same", ["X_Forwarded_For: 192.0.2.1"]],
];
for (const [title, fields] of denied) {
  testOverEach(trusting, `a caller gets nothing by ${title}`, async ({ attack }) => {
    const evidence = await attack(requestBytes("/inside", fields));
    assertHarmless(evidence);
    assert.equal(statusesOf(evidence)[0], 403);
    assert.deepEqual(
      arrivalsOf(evidence).filter(({ target }) => target === "/inside"),
      [],
    );
  });
}

const refused: readonly [title: string, fields: readonly string[]][] = [
  [
    "an open quote that would swallow the proxy's word",
    [`Forwarded: for="192.0.2.1, for=${OUTSIDER}`],
  ],
  ["an open quote up to the proxy's own", [`Forwarded: for=192.0.2.1;x=", for="[2001:db8::1]:80"`]],
  ["an obfuscated identifier where the caller is named", ["Forwarded: for=_hidden"]],
  ["unknown where the caller is named", ["X-Forwarded-For: unknown"]],
  ["a name where the caller is named", ["X-Forwarded-For: localhost"]],
  ["both spellings, which disagree", ["Forwarded: for=192.0.2.1", `X-Forwarded-For: ${OUTSIDER}`]],
  [
    "a protocol in the spelling that the proxy does not write",
    ["Forwarded: for=192.0.2.1;proto=https", "X-Forwarded-For: 192.0.2.1"],
  ],
  ["two protocols", ["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https,http"]],
  ["two hosts", ["X-Forwarded-Host: a", "X-Forwarded-Host: b"]],
  ["a host that is none", ["X-Forwarded-Host: a@b"]],
  ["a chain without end", [`X-Forwarded-For: ${"10.0.0.1,".repeat(200)}192.0.2.1`]],
];
for (const [title, fields] of refused) {
  testOverEach(trusting, `refused rather than guessed: ${title}`, async ({ attack }) => {
    const evidence = await attack(requestBytes("/inside", fields));
    assertHarmless(evidence);
    assert.equal(statusesOf(evidence)[0], 400);
    assert.equal(reasonsOf(evidence)[0], "invalid-forwarded");
    assert.deepEqual(
      arrivalsOf(evidence).filter(({ target }) => target === "/inside"),
      [],
    );
  });
}

test("limits by address count the callers behind the proxy apart", async () => {
  const ask = async (address: string) =>
    statusesOf(await trusting.attack(requestBytes("/often", [`X-Forwarded-For: ${address}`])))[0];
  assert.equal(await ask("192.0.2.50"), 200);
  assert.equal(await ask("192.0.2.50"), 429);
  assert.equal(await ask("192.0.2.51"), 200);
});

testOverEach(
  wary,
  "from a peer that is no proxy of ours, nothing of it counts and nothing is refused",
  async ({ attack }) => {
    for (const field of [
      "X-Forwarded-For: 192.0.2.1",
      "Forwarded: for=192.0.2.1",
      'Forwarded: "',
    ]) {
      const evidence = await attack(requestBytes("/inside", [field]));
      assertHarmless(evidence);
      assert.equal(statusesOf(evidence)[0], 403);
      assert.equal(evidence.decisions[0]?.["clientAddress"], undefined);
    }
    const evidence = await attack(requestBytes("/open", ["X-Forwarded-For: 192.0.2.1"]));
    const told = arrivalsOf(evidence)[0]?.fields.filter(([name]) => name === "x-forwarded-for");
    assert.deepEqual(told, [["x-forwarded-for", "127.0.0.1"]]);
  },
);
