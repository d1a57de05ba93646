/** A candidate set of policies beside the one in force: it is recorded and counted, and changes nothing. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { type Stage, startStage } from "./stage.ts";

const CANDIDATE = `@id("everybody")
permit (principal, action, resource);
@id("not-there")
forbid (principal, action, resource) when { context.path like "/old/*" };
`;

let stage: Stage;

before(async () => {
  stage = await startStage({ shadow: CANDIDATE });
});

after(async () => {
  await stage.close();
});

type Found = Readonly<Record<string, unknown>>;

async function ask(path: string): Promise<{ readonly status: number; readonly record: Found }> {
  const answer = await fetch(`http://${stage.proxy}${path}`);
  await answer.arrayBuffer();
  const id = answer.headers.get("sallyport-decision");
  for (;;) {
    const records = stage.records() as unknown as readonly Found[];
    const record = records.find((one) => one["decisionId"] === id && one["type"] === "decision");
    if (record !== undefined) return { status: answer.status, record };
    await setTimeout(5);
  }
}

async function counted(outcome: string): Promise<number> {
  const text = await (await fetch(`http://${stage.admin}/metrics`)).text();
  const found = text
    .split("\n")
    .find((line) => line.startsWith(`sallyport_shadow_decisions_total{outcome="${outcome}"}`));
  return Number(found?.split(" ")[1] ?? 0);
}

test("what the candidate would permit is denied, and the record says so", async () => {
  const { status, record } = await ask("/secret/x");
  assert.equal(status, 403);
  assert.equal(record["reason"], "no-permit");
  const shadow = record["shadow"] as Found;
  assert.deepEqual(
    { ...shadow, bundle: "" },
    {
      bundle: "",
      determining: ["everybody"],
      reason: "permitted",
    },
  );
  assert.match(String(shadow["bundle"]), /^sha256-/);
  assert.notEqual(shadow["bundle"], record["bundle"]);
  assert.equal(await counted("would-permit"), 1);
});

test("what the candidate would deny is permitted, and the record says so", async () => {
  const { status, record } = await ask("/old/x");
  assert.equal(status, 200);
  assert.equal(record["decision"], "permit");
  const { determining, reason } = record["shadow"] as Found;
  assert.deepEqual([determining, reason], [["not-there"], "forbidden"]);
  assert.equal(await counted("would-deny"), 1);
});

test("where both say the same, and where no policy was asked, the record has no shadow", async () => {
  const same = await counted("same");
  assert.equal((await ask("/x")).record["shadow"], undefined);
  const more = await counted("same");
  assert.ok(more > same);
  const { status, record } = await ask("/guarded/x");
  assert.equal(status, 401);
  assert.equal(record["shadow"], undefined);
});

test("a candidate that does not validate is a problem of the reload, which changes nothing", async () => {
  await assert.rejects(stage.reload({ shadow: "permit (" }), /shadow\/candidate\.cedar/);
  assert.equal((await ask("/secret/x")).record["shadow"] === undefined, false);
  await stage.reload({});
  assert.equal((await ask("/secret/x")).record["shadow"], undefined);
});
