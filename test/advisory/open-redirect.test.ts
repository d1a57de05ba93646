/**
 * A link to a trusted name sends whoever follows it elsewhere: through a Host that the attacker
 * chooses, a path that a browser reads as another host (`//evil.example`, `/\evil.example`), or line
 * breaks that begin a Location of their own. (nginx `return 302 https://$host$uri` does the first and
 * the last.) The new place is made of the configuration and of the canonical request alone.
 */
import test, { after } from "node:test";
import { strict as assert } from "node:assert";
import { answersOf } from "../e2e/judge.ts";
import { startStage } from "../e2e/stage.ts";
import { type StrictResponse, valuesOf } from "../e2e/strict-http1.ts";

const stage = await startStage({
  routes: `  - name: secure
    host: "*.old.example"
    path: "/*"
    authenticate: [anonymous]
    redirect: { scheme: https, status: 308 }
  - name: moved
    path: "/moved/{id}/*"
    authenticate: [anonymous]
    redirect: { to: "https://new.example/v2/{id}/*" }
  - name: within
    path: "/within/*"
    authenticate: [anonymous]
    redirect: { path: "/*", query: drop, status: 302 }
  - name: hosted
    path: "/hosted"
    authenticate: [anonymous]
    redirect: { host: new.example }
  - name: closed
    path: "/closed"
    authenticate: [test]
    redirect: { to: "https://new.example/closed" }`,
  policies: `@id("moving") permit (principal, action in Sallyport::Action::"read", resource == Sallyport::Route::"closed");`,
});
after(() => stage.close());

async function follow(target: string, host = "api.example", more: string[] = []) {
  const bytes = [`GET ${target} HTTP/1.1`, `Host: ${host}`, ...more, "", ""].join("\r\n");
  const evidence = await stage.attack(bytes);
  const [answer] = answersOf(evidence);
  assert.ok(answer !== undefined);
  return answer;
}
const location = (answer: StrictResponse): string[] => valuesOf(answer, "location");

test("the caller is sent on with its path and query", async () => {
  const answer = await follow("/moved/7/a%2Ab?x=1&y=%0d");
  assert.equal(answer.status, 307);
  assert.deepEqual(location(answer), ["https://new.example/v2/7/a%2Ab?x=1&y=%0d"]);
  assert.equal(valuesOf(answer, "sallyport-decision").length, 1);
});

test("a host of the route stays, without its port", async () => {
  const answer = await follow("/a?b", "a.old.example:8080");
  assert.equal(answer.status, 308);
  assert.deepEqual(location(answer), ["https://a.old.example/a?b"]);
});

test("a Host that no route names is not sent anywhere else", async () => {
  for (const host of ["evil.example", "a.old.example.evil.example"]) {
    const answer = await follow("/x", host, ["X-Forwarded-Host: evil.example"]);
    assert.deepEqual(location(answer), []);
  }
});

const ELSEWHERE: readonly [target: string, place: string | undefined][] = [
  ["/within//evil.example/x", "/evil.example/x"],
  ["/within/%2F%2Fevil.example", undefined],
  ["/within/\\evil.example", undefined],
  ["/within/%5Cevil.example", undefined],
  ["/within/..//evil.example", undefined], // canonical: another route's
  ["/within/.%2e//evil.example", undefined],
  ["/within/%0d%0aLocation:%20https:%2f%2fevil.example", undefined],
  ["/within/@evil.example", "/@evil.example"],
  ["/moved/@evil.example/x", "https://new.example/v2/@evil.example/x"],
  ["/moved/%2e%2e/x", undefined],
];
for (const [target, place] of ELSEWHERE) {
  test(`${target} leads to no other host`, async () => {
    assert.deepEqual(location(await follow(target)), place === undefined ? [] : [place]);
  });
}

test("without a scheme of its own a redirect has that of publicOrigin, whatever a header says", async () => {
  const answer = await follow("/hosted", "api.example", ["X-Forwarded-Proto: ftp"]);
  assert.deepEqual(location(answer), ["https://new.example/hosted"]);
});

test("a query can be left behind", async () => {
  assert.deepEqual(location(await follow("/within/a?next=https://evil.example")), ["/a"]);
});

test("who may not pass is not told where it leads", async () => {
  const answer = await follow("/closed");
  assert.equal(answer.status, 401);
  assert.deepEqual(location(answer), []);
  const token = stage.issuer.token();
  const passed = await follow("/closed", "api.example", [`Authorization: Bearer ${token}`]);
  assert.deepEqual(location(passed), ["https://new.example/closed"]);
  assert.deepEqual(valuesOf(passed, "cache-control"), ["no-store"]);
});
