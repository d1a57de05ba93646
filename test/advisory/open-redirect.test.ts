/**
 * A link to a trusted name sends whoever follows it elsewhere: through a Host that the attacker
 * chooses, a path that a browser reads as another host (`//evil.example`, `/\evil.example`), or line
 * breaks that begin a Location of their own. (nginx `return 302 https://$host$uri` does the first and
 * the last.) The new place is made of the configuration and of the canonical request alone.
 */
import { after } from "node:test";
import { strict as assert } from "node:assert";
import { answersOf } from "../e2e/judge.ts";
import { testOverEach } from "../e2e/over-each.ts";
import { type Stage, startStage } from "../e2e/stage.ts";
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

type Follow = (target: string, host?: string, more?: string[]) => Promise<StrictResponse>;

function follower(attack: Stage["attack"]): Follow {
  return (target, host = "api.example", more = []) => followOver(attack, { target, host, more });
}

async function followOver(
  attack: Stage["attack"],
  { target, host, more }: { target: string; host: string; more: string[] },
): Promise<StrictResponse> {
  const bytes = [`GET ${target} HTTP/1.1`, `Host: ${host}`, ...more, "", ""].join("\r\n");
  const evidence = await attack(bytes);
  const [answer] = answersOf(evidence);
  assert.ok(answer !== undefined);
  return answer;
}
const location = (answer: StrictResponse): string[] => valuesOf(answer, "location");

testOverEach(stage, "the caller is sent on with its path and query", async ({ attack }) => {
  const follow = follower(attack);
  const answer = await follow("/moved/7/a%2Ab?x=1&y=%0d");
  assert.equal(answer.status, 307);
  assert.deepEqual(location(answer), ["https://new.example/v2/7/a%2Ab?x=1&y=%0d"]);
  assert.equal(valuesOf(answer, "sallyport-decision").length, 1);
});

testOverEach(stage, "a host of the route stays, without its port", async ({ attack }) => {
  const follow = follower(attack);
  const answer = await follow("/a?b", "a.old.example:8080");
  assert.equal(answer.status, 308);
  assert.deepEqual(location(answer), ["https://a.old.example/a?b"]);
});

testOverEach(stage, "a Host that no route names is not sent anywhere else", async ({ attack }) => {
  const follow = follower(attack);
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
  testOverEach(stage, `${target} leads to no other host`, async ({ attack }) => {
    const follow = follower(attack);
    assert.deepEqual(location(await follow(target)), place === undefined ? [] : [place]);
  });
}

testOverEach(
  stage,
  "without a scheme of its own a redirect has that of publicOrigin, whatever a header says",
  async ({ attack }) => {
    const follow = follower(attack);
    const answer = await follow("/hosted", "api.example", ["X-Forwarded-Proto: ftp"]);
    assert.deepEqual(location(answer), ["https://new.example/hosted"]);
  },
);

testOverEach(stage, "a query can be left behind", async ({ attack }) => {
  const follow = follower(attack);
  assert.deepEqual(location(await follow("/within/a?next=https://evil.example")), ["/a"]);
});

testOverEach(stage, "who may not pass is not told where it leads", async ({ attack }) => {
  const follow = follower(attack);
  const answer = await follow("/closed");
  assert.equal(answer.status, 401);
  assert.deepEqual(location(answer), []);
  const token = stage.issuer.token();
  const passed = await follow("/closed", "api.example", [`Authorization: Bearer ${token}`]);
  assert.deepEqual(location(passed), ["https://new.example/closed"]);
  assert.deepEqual(valuesOf(passed, "cache-control"), ["no-store"]);
});
