/** Plans and quotas through the whole proxy: what is let through, what is said, what is on record. */
import { strict as assert } from "node:assert";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test, { after } from "node:test";
import { PROTOCOLS, openCaller } from "./protocols.ts";
import { requestBytes, startStage, until } from "./stage.ts";
import { readResponses, valuesOf, type StrictResponse } from "./strict-http1.ts";
import { AUDIENCE } from "./test-issuer.ts";

const PLANS_ISSUER = "https://plans.example";

const CONFIG = `
usage:
  plans:
    free: { quota: { requests: 2, per: day } }
    gold: { quota: { requests: 1000, cost: 20, per: month } }
    bulk: { quota: { bytes: 50, per: day } }
  plan: { attribute: plan, default: free }`;

const STAGE = {
  authenticators: `  plans:
    type: jwt
    issuer: ${PLANS_ISSUER}
    jwks: file:jwks.json
    audience: [${AUDIENCE}]
    algorithms: [ES256]
    principal:
      kind: user
      subject: sub
      attributes: { plan: { claim: plan, type: string, default: "" } }`,
  routes: `
  - { name: cheap, path: /cheap, service: recorder, authenticate: [plans] }
  - { name: dear, path: /dear, service: recorder, authenticate: [plans], cost: 7.5 }
  - { name: narrow, path: /narrow, service: recorder, authenticate: [plans], limit: { requests: 1, per: 1h } }
  - { name: shut, path: /shut, service: recorder, authenticate: [plans] }`,
  policies: `
@id("users")
permit (principal is Sallyport::User, action, resource) unless { context.path == "/shut" };`,
};

type Stage = Awaited<ReturnType<typeof startStage>>;

function asking(stage: Stage) {
  return async (
    target: string,
    claims: object,
    over: (typeof PROTOCOLS)[number] = "http/1.1",
  ): Promise<StrictResponse> => {
    const connection = await openCaller(stage.proxy, { over });
    const token = stage.issuer.token({ iss: PLANS_ISSUER, ...claims });
    connection.write(requestBytes(target, [`Authorization: Bearer ${token}`, "Connection: close"]));
    await connection.until(() => connection.closed);
    const [answer] = readResponses(connection.text, ["GET"], true).messages;
    assert.ok(answer !== undefined, connection.text);
    return answer;
  };
}

const reasonOf = ({ body }: StrictResponse): string =>
  (JSON.parse(body) as { reason: string }).reason;

const stage = await startStage({ ...STAGE, config: CONFIG });
after(() => stage.close());
const ask = asking(stage);

for (const over of PROTOCOLS) {
  const sub = `ann-${over.replaceAll(/\W/g, "")}`;

  test(`${over}: beyond the quota the answer is 429 until the period ends, and nothing reaches the service`, async () => {
    const first = await ask("/cheap", { sub }, over);
    assert.equal(first.status, 200);
    assert.deepEqual(valuesOf(first, "ratelimit-policy"), ['"quota";q=2;w=86400']);
    assert.match(valuesOf(first, "ratelimit")[0] ?? "", /^"quota";r=1;t=\d{1,5}$/);
    assert.equal((await ask("/shut", { sub }, over)).status, 403, "policy still speaks first");
    assert.equal((await ask("/dear", { sub }, over)).status, 200, "all routes together");
    stage.service.forget();
    const refused = await ask("/cheap", { sub }, over);
    assert.equal(refused.status, 429);
    assert.equal(reasonOf(refused), "quota-exceeded");
    const seconds = Number(valuesOf(refused, "retry-after")[0]);
    const midnight = Math.ceil((Date.UTC(...today()) + 86_400_000 - Date.now()) / 1000);
    assert.ok(Math.abs(seconds - midnight) <= 60, `${seconds} and ${midnight}`);
    assert.match(valuesOf(refused, "ratelimit")[0] ?? "", /^"quota";r=0;t=\d{1,5}$/);
    assert.equal(stage.service.connections.map(({ text }) => text).join(""), "");
    const record = await stage.found(
      ({ reason, principal }) =>
        reason === "quota-exceeded" && (principal as { subject?: string }).subject === sub,
    );
    assert.equal(record["detail"], 'the requests of plan "free" in this day');
    assert.deepEqual(record["usage"], { plan: "free" });
  });
}

test("cost of routes counts against quotas of cost, and is on record", async () => {
  const claims = { sub: "gina", plan: "gold" };
  assert.equal((await ask("/dear", claims)).status, 200);
  const second = await ask("/dear", claims);
  assert.match(valuesOf(second, "ratelimit")[0] ?? "", /"quota-cost";r=5;/);
  assert.equal(reasonOf(await ask("/dear", claims)), "quota-exceeded");
  assert.equal((await ask("/cheap", claims)).status, 200, "what costs less still fits");
  const record = await stage.found(
    ({ route, principal }) =>
      route === "dear" && (principal as { subject?: string }).subject === "gina",
  );
  assert.deepEqual(record["usage"], { cost: 7.5, plan: "gold" });
});

test("bytes of answers count once they have gone by", async () => {
  const claims = { sub: "bert", plan: "bulk" };
  let answers = 0;
  while ((await ask("/cheap", claims)).status === 200) {
    answers += 1;
    assert.ok(answers < 60, "the quota of 50 bytes is never reached");
  }
  assert.ok(answers > 0);
  assert.equal(reasonOf(await ask("/cheap", claims)), "quota-exceeded");
});

test("what a limit of the route refuses does not count against the quota", async () => {
  const claims = { sub: "lea" };
  const first = await ask("/narrow", claims);
  assert.match(valuesOf(first, "ratelimit-policy")[0] ?? "", /"principal";q=1;w=3600, "quota";q=2/);
  for (let index = 0; index < 5; index++) {
    assert.equal(reasonOf(await ask("/narrow", claims)), "rate-limited");
  }
  assert.equal((await ask("/cheap", claims)).status, 200);
  assert.equal(reasonOf(await ask("/cheap", claims)), "quota-exceeded");
});

test("a plan that nobody declared is the default, and said; callers without an identity have none", async () => {
  const answer = await ask("/cheap", { sub: "zoe", plan: "platinum" });
  assert.deepEqual(valuesOf(answer, "ratelimit-policy"), ['"quota";q=2;w=86400']);
  await until(() => /names a plan that is not declared/.test(stage.log()));
  const open = await stage.attack(requestBytes("/open"));
  assert.doesNotMatch(open.answer, /ratelimit/i);
  const metrics = await (await fetch(`http://${stage.admin}/metrics`)).text();
  assert.match(metrics, /^sallyport_quota_refused_total\{plan="free"\} \d+$/m);
});

test("several workers hold a principal to one quota, which each of them let a part of through", async () => {
  const several = await startStage({
    ...STAGE,
    config: `${CONFIG.replace("requests: 2,", "requests: 40,")}\nworkers: 2`,
  });
  try {
    const request = asking(several);
    let permitted = 0;
    let refused = 0;
    // One after the other, so that each worker hears of the others' in between: never far beyond.
    for (let index = 0; index < 40; index++) {
      const answers = await Promise.all([1, 2, 3].map(() => request("/cheap", { sub: "mia" })));
      permitted += answers.filter(({ status }) => status === 200).length;
      refused += answers.filter(({ status }) => status === 429).length;
      await new Promise((resolve) => {
        setTimeout(resolve, 30);
      });
    }
    assert.equal(permitted + refused, 120);
    assert.ok(permitted >= 40, `${permitted}`);
    assert.ok(permitted < 70, `${permitted} of a quota of 40`);
    const segments = readdirSync(join(several.folder, "audit"))
      .filter((name) => name.endsWith(".jsonl"))
      .map((name) => readFileSync(join(several.folder, "audit", name), "utf8"))
      .filter((text) => text.includes('"reason":"permitted"'));
    assert.equal(segments.length, 2, "both workers let some through");
  } finally {
    await several.close();
  }
});

function today(): [number, number, number] {
  const now = new Date();
  return [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
}
