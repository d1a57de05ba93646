/**
 * A request whose target names one host and whose Host field another, or that has two Hosts, or one
 * that is none: the proxy routes by the one and the service by the other (RFC 9112 section 3.2).
 */
import test, { after } from "node:test";
import { strict as assert } from "node:assert";
import { arrivalsOf, assertHarmless, statusesOf } from "../e2e/expect.ts";
import { startStage } from "../e2e/stage.ts";

const stage = await startStage({
  routes: `  - { name: by-host, host: admin.example, path: "/*", service: recorder, authenticate: [test] }\n`,
});
after(() => stage.close());

const HEADS: readonly [name: string, head: string][] = [
  ["no Host", "GET /open HTTP/1.1\r\n\r\n"],
  ["two Hosts", "GET /open HTTP/1.1\r\nHost: api.example\r\nHost: admin.example\r\n\r\n"],
  ["two Hosts alike", "GET /open HTTP/1.1\r\nHost: api.example\r\nHost: api.example\r\n\r\n"],
  ["an empty Host", "GET /open HTTP/1.1\r\nHost:\r\n\r\n"],
  ["a list", "GET /open HTTP/1.1\r\nHost: api.example, admin.example\r\n\r\n"],
  ["user information", "GET /open HTTP/1.1\r\nHost: api.example@admin.example\r\n\r\n"],
  ["a path", "GET /open HTTP/1.1\r\nHost: admin.example/x\r\n\r\n"],
  ["a space", "GET /open HTTP/1.1\r\nHost: admin .example\r\n\r\n"],
  ["a port that is none", "GET /open HTTP/1.1\r\nHost: api.example:80x\r\n\r\n"],
  ["another target", "GET http://admin.example/open HTTP/1.1\r\nHost: api.example\r\n\r\n"],
  ["another Host", "GET http://api.example/open HTTP/1.1\r\nHost: admin.example\r\n\r\n"],
  [
    "user information in the target",
    "GET http://x@api.example/a HTTP/1.1\r\nHost: api.example\r\n\r\n",
  ],
  [
    "a scheme that is none of ours",
    "GET ftp://api.example/a HTTP/1.1\r\nHost: api.example\r\n\r\n",
  ],
  ["a target without a slash", "GET open HTTP/1.1\r\nHost: api.example\r\n\r\n"],
];

for (const [name, head] of HEADS) {
  test(`the proxy refuses a request with ${name}`, async () => {
    const evidence = await stage.attack(head);
    assertHarmless(evidence);
    assert.equal(statusesOf(evidence)[0], 400);
    assert.equal(
      arrivalsOf(evidence).some(({ target }) => !target.startsWith("/sentinel")),
      false,
    );
  });
}

const SPELLINGS = ["admin.example", "ADMIN.example", "admin.example:80", "admin.example:8080"];
for (const host of SPELLINGS) {
  test(`Host: ${host} is the guarded host`, async () => {
    const evidence = await stage.attack(`GET /open HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    assertHarmless(evidence);
    assert.equal(statusesOf(evidence)[0], 401);
  });
}

test("a Host with a dot at its end is not a way around the route of that host", async () => {
  const evidence = await stage.attack("GET /open HTTP/1.1\r\nHost: admin.example.\r\n\r\n");
  assertHarmless(evidence);
  const [status] = statusesOf(evidence);
  assert.ok(status === 400 || status === 401, `status ${status ?? "none"}`);
});
