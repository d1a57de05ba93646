import assert from "node:assert/strict";
import { test } from "node:test";
import { FixtureAuthority, newKey } from "../../test/authority/enrolment-ground.ts";
import { readJoinToken } from "../authority/enrolment-token.ts";
import { SallyportError } from "../model/errors.ts";
import type { Workload, WorkloadRefusal } from "../model/workloads.ts";
import {
  disableWorkload,
  enableWorkload,
  enrolWorkload,
  listWorkloads,
  reenrolWorkload,
  removeWorkload,
  showWorkload,
  type WorkloadsContext,
} from "./workloads.ts";
import { agoText } from "./workloads-text.ts";

const DAY = 86_400_000;

test("enrolWorkload() prints the token alone to standard output, once, and what to do with it beside", async () => {
  const { context, out, hints, authority } = ground();
  assert.equal(await enrolWorkload("edge-1", { kind: "proxy" }, context), 0);
  assert.equal(out.length, 1);
  const token = readJoinToken(out[0] ?? "");
  assert.deepEqual([token.name, token.kind, token.method], ["edge-1", "proxy", "mtls"]);
  const text = hints.join("\n");
  assert.match(text, /edge-1 \(proxy, mtls\) once, until 2026-06-01T12:10:00Z/);
  assert.match(
    text,
    /sallyport enrol -c sallyport\.yaml --authority https:\/\/HOST:PORT --token -/,
  );
  assert.ok(!text.includes(token.secret));
  out.length = 0;
  await showWorkload("edge-1", context);
  await listWorkloads({}, context);
  assert.ok(!out.join("\n").includes(token.secret));
  assert.ok(await authority.enrolment.redeem(token.secret, newKey()));
});

test("enrolWorkload() makes workloads unless it is told otherwise, and refuses what cannot be", async () => {
  const { context, authority } = ground();
  await enrolWorkload("billing", {}, context);
  assert.equal((await authority.register.get("billing"))?.kind, "workload");
  const wrong = { code: "config-invalid" };
  await assert.rejects(enrolWorkload("Billing", {}, context), wrong);
  await assert.rejects(enrolWorkload("x", { kind: "robot" }, context), {
    ...wrong,
    message: /proxy or workload/,
  });
  await assert.rejects(enrolWorkload("x", { method: "password" }, context), wrong);
  await assert.rejects(
    enrolWorkload("x", { kind: "proxy", method: "private-key-jwt" }, context),
    wrong,
  );
  await assert.rejects(enrolWorkload("billing", {}, context), { code: "enrolment-failed" });
});

test("every command refuses a name that is none before it asks", async () => {
  const { context } = ground();
  const asked: WorkloadsContext = { ...context, desk: {} as WorkloadsContext["desk"] };
  for (const command of [
    () => enrolWorkload("../x", {}, asked),
    () => reenrolWorkload("../x", {}, asked),
    () => showWorkload("../x", asked),
    () => disableWorkload("../x", {}, asked),
    () => enableWorkload("../x", asked),
    () => removeWorkload("../x", asked),
  ]) {
    await assert.rejects(command(), { code: "config-invalid", message: /not a name of a machine/ });
  }
});

test("listWorkloads() shows a table, what was not used, and JSON", async () => {
  const { context, out, hints, authority } = ground();
  const { register, clock, enrolment } = authority;
  assert.equal(await listWorkloads({}, context), 0);
  assert.deepEqual([out.length, hints.pop()], [0, "No machine is enrolled."]);
  for (const name of ["edge-1", "edge-2"]) {
    const { token } = await authority.invite(name);
    await enrolment.redeem(readJoinToken(token).secret, newKey());
  }
  await authority.invite("edge-3");
  clock.advance(31 * DAY);
  register.seen("edge-2");
  await register.flush();
  clock.advance(3 * 60_000);
  await register.disable("edge-3", { by: "ops" });
  await listWorkloads({}, context);
  assert.deepEqual(out, [
    "NAME    KIND   METHOD  STATE     UNTIL                 LAST SEEN",
    "edge-1  proxy  mtls    expired   2026-06-02T12:00:00Z  never",
    "edge-2  proxy  mtls    expired   2026-06-02T12:00:00Z  3 min ago",
    "edge-3  proxy  mtls    disabled  -                     never",
  ]);
  out.length = 0;
  await listWorkloads({ unused: "30d" }, context);
  assert.deepEqual(
    out.slice(1).map((line) => line.split(" ")[0]),
    ["edge-1", "edge-3"],
  );
  out.length = 0;
  await listWorkloads({ unused: "30d" }, { ...context, json: true });
  assert.equal(JSON.parse(out[0] ?? "").length, 2);
  out.length = 0;
  await listWorkloads({ unused: "3650d" }, context);
  assert.deepEqual([out.length, hints.pop()], [0, "All were seen within 3650d."]);
  await assert.rejects(listWorkloads({ unused: "a while" }, context), { code: "config-invalid" });
});

test("showWorkload() says who disabled it and why, and that its key may be in two hands", async () => {
  const { context, out, authority } = ground();
  const { register, store } = authority;
  const { token } = await authority.invite("edge-1");
  await authority.enrolment.redeem(readJoinToken(token).secret, newKey());
  const document = await store.get("workloads", "edge-1");
  const suspicion = { atMs: authority.clock.now(), address: "203.0.113.9" };
  await store.commit([
    { collection: "workloads", id: "edge-1", body: { ...document?.body, suspicion } },
  ]);
  assert.equal(await disableWorkload("edge-1", { reason: "stolen" }, context), 0);
  const text = out.join("\n");
  assert.match(text, /state +disabled/);
  assert.match(text, /disabled +2026-06-01T12:00:00Z by ops\nbecause +stolen/);
  assert.match(text, /suspicion .*203\.0\.113\.9.*re-enrol --now edge-1/);
  out.length = 0;
  await listWorkloads({}, context);
  assert.match(out[1] ?? "", /disabled, SUSPICION/);
  out.length = 0;
  assert.equal(await enableWorkload("edge-1", context), 0);
  assert.match(out.join("\n"), /state +enrolled/);
  assert.equal(await removeWorkload("edge-1", context), 0);
  assert.equal(await register.get("edge-1"), undefined);
});

test("reenrolWorkload() gives a new token; with now it ends the key at once", async () => {
  const { context, out, authority } = ground();
  const { token } = await authority.invite("edge-1");
  await authority.enrolment.redeem(readJoinToken(token).secret, newKey());
  await reenrolWorkload("edge-1", {}, context);
  assert.equal((await authority.register.get("edge-1"))?.state, "enrolled");
  await reenrolWorkload("edge-1", { now: true }, context);
  assert.equal((await authority.register.get("edge-1"))?.state, "invited");
  assert.equal(out.length, 2);
  assert.notEqual(out[0], out[1]);
});

test("agoText() speaks in the largest unit that fits", () => {
  const minute = 60_000;
  for (const [ms, text] of [
    [-5, "just now"],
    [59_999, "just now"],
    [minute, "1 min ago"],
    [59 * minute, "59 min ago"],
    [60 * minute, "1 h ago"],
    [47 * 60 * minute, "47 h ago"],
    [48 * 60 * minute, "2 d ago"],
  ] as const) {
    assert.equal(agoText(ms), text);
  }
});

/** The commands over a register in memory, in place of the admin API. */
function ground() {
  const authority = new FixtureAuthority();
  const { register, clock } = authority;
  const out: string[] = [];
  const hints: string[] = [];
  const by = "ops";
  const context: WorkloadsContext = {
    nowMs: () => clock.now(),
    print: (line) => void out.push(line),
    hint: (line) => void hints.push(line),
    json: false,
    desk: {
      enrol: async (name, options) => done(await register.enrol(name, { ...options, by })),
      reenrol: async (name, { now }) => done(await register.reenrol(name, { now, by })),
      get: async (name) => done<Workload>((await register.get(name)) ?? { refused: "absent" }),
      async *list(options) {
        for (let after: string | undefined; ;) {
          const { workloads, next } = await register.list({ ...options, after, limit: 2 });
          yield* workloads;
          if (next === undefined) return;
          after = next;
        }
      },
      disable: async (name, { reason }) => done(await register.disable(name, { by, reason })),
      enable: async (name) => done(await register.enable(name, { by })),
      remove: async (name) => void done(await register.remove(name, { by })),
    },
  };
  return { authority, context, out, hints };
}

function done<T extends object>(result: T | WorkloadRefusal): T {
  if ("refused" in result) throw new SallyportError("enrolment-failed", result.refused);
  return result;
}
