/** What callers have used, by the admin API, out of a real book. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { createAdminClient } from "../../src/cli/admin-client.ts";
import { AdminCallError, createAdminTransport } from "../../src/cli/admin-transport.ts";
import { UsageBook } from "../../src/limits/usage/usage-book.ts";
import { openUsage, usageFile } from "../../src/limits/usage/usage-database.ts";
import { createUsageDesk } from "../../src/limits/usage/usage-desk.ts";
import { usageSchema } from "../../src/limits/usage/usage-options.ts";
import { adminStage } from "./stage.ts";

const OPTIONS = usageSchema.parse({
  plans: {
    free: { quota: { requests: 4, bytes: 1000, per: "day" } },
    gold: { quota: { cost: 100, per: "month" } },
    open: {},
  },
  plan: { default: "free" },
});

const CALLERS = ["ann", "bob", "cid", "dan", "eve"] as const;

async function ground(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-usage-api-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const book = new UsageBook(openUsage(usageFile(OPTIONS, folder)), { all: false });
  const time = new Date().toISOString();
  for (const [index, subject] of CALLERS.entries()) {
    const decisionId = `d${index}`;
    const plan = ["free", "gold", "open"][index % 3] ?? "";
    book.decision({
      type: "decision",
      decision: "permit",
      decisionId,
      listener: "edge",
      method: index === 0 ? "POST" : "GET",
      peerAddress: "192.0.2.1",
      principal: { authenticator: "corp", kind: "user", subject },
      reason: "permitted",
      requestId: "r",
      route: "billing",
      service: "billing",
      time,
      usage: { cost: 2.5, plan },
    });
    book.completion({
      type: "completion",
      decisionId,
      durationMs: 1,
      end: "complete",
      requestBytes: 50,
      responseBytes: 450,
      status: 200,
      time,
    });
  }
  book.reached("audit-20261130T235000.000Z-77.jsonl", 1);
  book.close();
  const usage = createUsageDesk(OPTIONS, folder);
  const stage = await adminStage(t, { desks: { usage } });
  return { ...stage, client: createAdminClient(createAdminTransport({ socket: stage.socket })) };
}

test("GET /v1/usage sums by what is asked for, in pages", async (t) => {
  const { client } = await ground(t);
  const all = (await client.getUsage({ by: "plan,operation" })).value;
  assert.deepEqual(all.usage[0], {
    plan: "free",
    operation: "GET",
    requests: 1,
    denied: 0,
    bytesIn: 50,
    bytesOut: 450,
    cost: 2.5,
  });
  assert.deepEqual(
    all.usage.map(({ plan, operation, requests }) => [plan, operation, requests]),
    [
      ["free", "GET", 1],
      ["free", "POST", 1],
      ["gold", "GET", 2],
      ["open", "GET", 1],
    ],
  );
  const names: (string | undefined)[] = [];
  let cursor: string | undefined;
  do {
    const page = (await client.getUsage({ limit: 2, ...(cursor && { cursor }) })).value;
    assert.ok(page.usage.length <= 2);
    names.push(...page.usage.map(({ principal }) => principal));
    cursor = page.next;
  } while (cursor !== undefined);
  assert.deepEqual(
    names,
    CALLERS.map((name) => `corp/${name}`),
  );
  const one = await client.getUsage({ principal: "corp/eve", by: "month" });
  assert.equal(one.value.usage[0]?.requests, 1);
  const past = await client.getUsage({
    from: "2020-01-01T00:00:00Z",
    to: "2020-02-01T00:00:00Z",
  });
  assert.deepEqual(past.value.usage, []);
});

test("GET /v1/usage refuses times between hours and pages of another report", async (t) => {
  const { client } = await ground(t);
  const { next } = (await client.getUsage({ limit: 1 })).value;
  assert.ok(next !== undefined);
  for (const query of [
    { from: "2026-11-24T04:30:00Z" },
    { from: "2026-11-24T04:00:00Z", to: "2026-11-24T04:00:00Z" },
    { by: "principal,plan", cursor: next },
    { cursor: "e30" },
    { by: "price" },
  ]) {
    await assert.rejects(client.getUsage(query), (error: unknown) => {
      assert.ok(error instanceof AdminCallError, String(error));
      assert.equal(error.problem?.reason, "invalid-input", JSON.stringify(query));
      return true;
    });
  }
});

test("GET /v1/usage/quotas says where principals stand", async (t) => {
  const { client, ask } = await ground(t);
  const first = (await client.listQuotas({ limit: 2 })).value;
  assert.deepEqual(
    first.quotas.map(({ principal, plan, share }) => [principal, plan, share]),
    [
      ["corp/ann", "free", 0.5],
      ["corp/bob", "gold", 0.025],
    ],
  );
  const [ann] = first.quotas;
  assert.deepEqual(ann?.quota, { requests: 4, bytes: 1000 });
  assert.deepEqual(ann?.used, { requests: 1, bytes: 500, cost: 2.5 });
  assert.equal(Date.parse(ann?.until ?? "") - Date.parse(ann?.from ?? ""), 86_400_000);
  const rest = (await client.listQuotas({ cursor: first.next ?? "" })).value;
  assert.deepEqual(
    rest.quotas.map(({ principal }) => principal),
    ["corp/dan", "corp/eve"],
    "who has no quota stands nowhere",
  );
  const eve = (await client.listQuotas({ principal: "corp/eve" })).value;
  assert.equal(eve.quotas.length, 1);
  assert.equal((await ask("/v1/usage/quotas", { roles: [] })).status, 403);
});

test("where usage is not counted, or its book cannot be read, the API says so", async (t) => {
  const none = await adminStage(t);
  const nothing = await none.ask("/v1/usage", { door: "socket" });
  assert.deepEqual([nothing.status, nothing.body.reason], [404, "not-here"]);
  assert.match(JSON.stringify(nothing.body), /keeps no book of usage; write the section usage/);
  const usage = createUsageDesk(OPTIONS, join(tmpdir(), "sallyport-no-such-folder"));
  const gone = await adminStage(t, { desks: { usage } });
  const answer = await gone.ask("/v1/usage", { door: "socket" });
  assert.deepEqual([answer.status, answer.body.reason], [503, "store-unavailable"]);
});
