/** Rate and concurrency limits through the whole proxy: what is let through, what it says, what it gives back. */
import { strict as assert } from "node:assert";
import test, { after } from "node:test";
import { type CallerConnection, openCaller, PROTOCOLS } from "./protocols.ts";
import { requestBytes, startStage } from "./stage.ts";
import { readResponses, valuesOf, type StrictResponse } from "./strict-http1.ts";

for (const over of PROTOCOLS) {
  const stage = await startStage({
    routes: `
  - { name: slow, path: /slow, service: recorder, authenticate: [anonymous], limit: { requests: 2, per: 1h, by: address } }
  - { name: shut, path: /shut, service: recorder, authenticate: [anonymous], limit: { requests: 1, per: 1h, by: route } }
  - { name: few, path: /few, service: recorder, authenticate: [anonymous], concurrency: { requests: 2, by: route } }
  - { name: shared-a, path: /shared/a, service: recorder, authenticate: [anonymous], limit: whole }
  - { name: shared-b, path: /shared/b, service: recorder, authenticate: [anonymous], limit: whole }
  - { name: dead, path: /dead, service: nobody, authenticate: [anonymous], limit: { requests: 5, per: 10s, by: route } }`,
    services: `  nobody: { endpoints: ["http://127.0.0.1:1"] }`,
    config: `limits: { rates: { whole: { requests: 2, per: 1h, by: route } } }`,
    policies: `
@id("not-yet")
forbid (principal, action, resource == Sallyport::Route::"shut") unless { context.query.hasTag("go") };`,
  });
  after(() => stage.close());

  async function ask(target: string): Promise<StrictResponse> {
    const connection = await openCaller(stage.proxy, { over });
    connection.write(requestBytes(target, ["Connection: close"]));
    await connection.until(() => connection.closed);
    const [answer] = readResponses(connection.text, ["GET"], true).messages;
    assert.ok(answer !== undefined, connection.text);
    return answer;
  }

  /** The last denial for that reason, once it is in the log. */
  async function denial(reason: string): Promise<Record<string, unknown>> {
    for (;;) {
      const found = stage.records().findLast((record) => record["reason"] === reason);
      if (found !== undefined) return found;
      await new Promise(setImmediate);
    }
  }

  async function metric(line: RegExp): Promise<number> {
    const response = await fetch(`http://${stage.admin}/metrics`);
    return Number(line.exec(await response.text())?.[1] ?? Number.NaN);
  }

  test(`${over}: beyond the rate the answer is 429 and says when to ask again; nothing reaches the service`, async () => {
    const first = await ask("/slow");
    assert.equal(first.status, 200);
    assert.deepEqual(valuesOf(first, "ratelimit-policy"), ['"address";q=2;w=3600']);
    assert.deepEqual(valuesOf(first, "ratelimit"), ['"address";r=1;t=1800']);
    assert.deepEqual(valuesOf(first, "retry-after"), []);
    await ask("/slow");
    stage.service.forget();
    const refused = await ask("/slow");
    assert.equal(refused.status, 429);
    assert.equal((JSON.parse(refused.body) as { reason: string }).reason, "rate-limited");
    assert.match(valuesOf(refused, "retry-after")[0] ?? "", /^(1799|1800)$/);
    assert.match(valuesOf(refused, "ratelimit")[0] ?? "", /^"address";r=0;t=(?:3600|3599)$/);
    assert.equal(stage.service.connections.map(({ text }) => text).join(""), "");
    const record = await denial("rate-limited");
    assert.match(String(record["detail"]), /"address"/);
    assert.equal(await metric(/^sallyport_limited_total\{limit="slow\/address"\} (\d+)$/m), 1);
  });

  test(`${over}: what policy denies does not count`, async () => {
    for (let index = 0; index < 5; index++) {
      const denied = await ask("/shut");
      assert.equal(denied.status, 403);
      assert.deepEqual(valuesOf(denied, "ratelimit"), []);
    }
    assert.equal((await ask("/shut?go")).status, 200);
    assert.equal((await ask("/shut?go")).status, 429);
    assert.equal((await ask("/shut")).status, 403, "policy still speaks first");
  });

  test(`${over}: routes that name one rate share it`, async () => {
    assert.equal((await ask("/shared/a")).status, 200);
    assert.equal((await ask("/shared/b")).status, 200);
    assert.equal((await ask("/shared/a")).status, 429);
    assert.equal((await ask("/shared/b")).status, 429);
  });

  test(`${over}: an answer of ours for a failing service has the fields, and routes without limits have none`, async () => {
    const failed = await ask("/dead");
    assert.equal(failed.status, 502);
    assert.match(valuesOf(failed, "ratelimit")[0] ?? "", /^"route";r=4;/);
    const open = await ask("/elsewhere");
    assert.equal(open.status, 200);
    assert.deepEqual(valuesOf(open, "ratelimit"), []);
    assert.deepEqual(valuesOf(open, "ratelimit-policy"), []);
  });

  /** Requests whose answer the service holds back until it is told. */
  async function inFlight(count: number): Promise<CallerConnection[]> {
    stage.service.forget();
    stage.service.script(() => undefined);
    const callers: CallerConnection[] = [];
    for (let index = 0; index < count; index++) {
      const caller = await openCaller(stage.proxy, { over });
      caller.write(requestBytes("/few"));
      callers.push(caller);
    }
    const arrived = (): number =>
      stage.service.connections.reduce(
        (sum, { text }) => sum + text.split("GET /few").length - 1,
        0,
      );
    while (arrived() < count) await new Promise(setImmediate);
    stage.service.script(undefined);
    return callers;
  }

  const IN_FLIGHT = /^sallyport_limit_in_flight (\d+)$/m;

  test(`${over}: as many as allowed are in flight, and a caller that vanishes leaves its place`, async () => {
    const callers = await inFlight(2);
    assert.equal(await metric(IN_FLIGHT), 2);
    const refused = await ask("/few");
    assert.equal(refused.status, 429);
    assert.equal((JSON.parse(refused.body) as { reason: string }).reason, "too-many-concurrent");
    assert.deepEqual(valuesOf(refused, "retry-after"), ["1"]);
    callers[0]?.destroy();
    while ((await metric(IN_FLIGHT)) > 1) await new Promise(setImmediate);
    assert.equal((await ask("/few")).status, 200);
    callers[1]?.destroy();
    while ((await metric(IN_FLIGHT)) > 0) await new Promise(setImmediate);
  });

  test(`${over}: a place is free for the next request on the same connection, pipelined too`, async () => {
    const others = await inFlight(1);
    const caller = await openCaller(stage.proxy, { over });
    const targets = Array.from({ length: 20 }, (_, index) => `/few?${index}`);
    caller.write(targets.map((target) => requestBytes(target)).join(""));
    const answers = (): readonly StrictResponse[] =>
      readResponses(
        caller.text,
        targets.map(() => "GET"),
        caller.closed,
      ).messages;
    await caller.until(() => answers().length === targets.length);
    assert.deepEqual(new Set(answers().map(({ status }) => status)), new Set([200]));
    caller.destroy();
    others[0]?.destroy();
    while ((await metric(IN_FLIGHT)) > 0) await new Promise(setImmediate);
  });
}
