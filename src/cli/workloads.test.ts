import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { desks } from "../../test/admin/desks.ts";
import { adminStage } from "../../test/admin/stage.ts";
import { newKey } from "../../test/authority/enrolment-ground.ts";
import { readJoinToken } from "../authority/enrolment/enrolment-token.ts";
import { proofKeyOf } from "../authority/enrolment/enrolment-proof.ts";
import type { WorkloadKind } from "../model/workloads.ts";
import { systemClock } from "../platform/clock.ts";
import { connectAdmin } from "./admin-connect.ts";
import { main } from "./main.ts";
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

const DAY = 86_400_000;
const MTLS = { method: "mtls" } as const;

test("enrolWorkload() prints the token alone to standard output, once, and what to do with it beside", async (t) => {
  const { context, out, hints } = await ground(t);
  assert.equal(await enrolWorkload("edge-1", { kind: "proxy", ...MTLS }, context), 0);
  assert.match(out.join(""), /^sallyport_join_[\w-]+\n$/);
  const token = readJoinToken(out[0] ?? "");
  assert.deepEqual([token.name, token.kind, token.method], ["edge-1", "proxy", "mtls"]);
  const text = hints.join("\n");
  assert.match(text, /edge-1 \(proxy, mtls\) once, until 20/);
  assert.match(text, /^ {2}sallyport enrol -c sallyport\.yaml --token -$/m);
  assert.ok(!text.includes(token.secret));
  out.length = 0;
  await showWorkload("edge-1", context);
  await listWorkloads({}, context);
  assert.ok(!out.join("").includes(token.secret));
});

test("enrolWorkload() refuses a name that is taken and a proxy without a certificate", async (t) => {
  const { context } = await ground(t);
  const workload = { kind: "workload", ...MTLS } as const;
  await enrolWorkload("billing", workload, context);
  await assert.rejects(enrolWorkload("billing", workload, context), {
    code: "admin-call-failed",
    message: /workloads re-enrol billing`/,
  });
  const proxy = { kind: "proxy", method: "private-key-jwt" } as const;
  await assert.rejects(enrolWorkload("edge-1", proxy, context), { message: /enrols with mtls/ });
});

test("enrolWorkload() says that a proxy will serve nothing where no group names it", async (t) => {
  const { context, hints, out } = await ground(t);
  const listBundles = (parts: object[]) => () =>
    Promise.resolve({ value: { bundles: [{ inForce: true, parts }] }, etag: undefined });
  const groups = [
    { proxies: "edge-*", services: ["billing"] },
    { proxies: "whole-*" },
    { proxies: "*", services: [] },
  ];
  const client = Object.assign(Object.create(context.client) as object, context.client, {
    listBundles: listBundles(groups),
  });
  const given = { ...context, client } as WorkloadsContext;
  await enrolWorkload("edge-1", { kind: "proxy", ...MTLS }, given);
  await enrolWorkload("whole-1", { kind: "proxy", ...MTLS }, given);
  await enrolWorkload("egde-2", { kind: "workload", ...MTLS }, given);
  assert.doesNotMatch(hints.join("\n"), /serve nothing/);
  await enrolWorkload("egde-1", { kind: "proxy", ...MTLS }, given);
  assert.match(hints.at(-1) ?? "", /gives egde-1 a service: it will serve nothing/);
  assert.equal(out.length, 4);
});

test("enrolWorkload() is refused where the authority serves no machines", async (t) => {
  const given = await desks(t);
  const plain = await adminStage(t);
  const status = async () => ({ ...(await plain.deps.process.status()), serves: undefined });
  const process = { ...plain.deps.process, status };
  const stage = await adminStage(t, { desks: { ...given, process } });
  const { context } = await ground(t);
  const client = connectAdmin({ config: "sallyport.yaml", admin: stage.socket });
  await assert.rejects(
    enrolWorkload("edge-1", { kind: "proxy", ...MTLS }, { ...context, client }),
    { message: /configure authority\.serve/ },
  );
  assert.equal(await given.workloads.get("edge-1"), undefined);
});

test("every command refuses a name that is none before it asks, and ends with 1 where nobody has it", async (t) => {
  const { context, hints } = await ground(t);
  const unasked: WorkloadsContext = { ...context, client: {} as WorkloadsContext["client"] };
  const commands: readonly ((name: string, given: WorkloadsContext) => Promise<number>)[] = [
    (name, given) => reenrolWorkload(name, { now: false }, given),
    (name, given) => showWorkload(name, given),
    (name, given) => disableWorkload(name, {}, given),
    (name, given) => enableWorkload(name, given),
    (name, given) => removeWorkload(name, given),
  ];
  const wrong = { code: "config-invalid", message: /not a name of a machine/ };
  for (const command of commands) {
    await assert.rejects(async () => command("../x", unasked), wrong);
    assert.equal(await command("nobody", context), 1);
  }
  await assert.rejects(enrolWorkload("../x", { kind: "proxy", ...MTLS }, unasked), wrong);
  assert.equal(hints.length, commands.length);
});

test("listWorkloads() shows a table, what was not used, and JSON", async (t) => {
  const { context, out, hints, enrol, workloads } = await ground(t);
  assert.equal(await listWorkloads({}, context), 0);
  assert.deepEqual([out.length, hints.pop()], [0, "No machine is known."]);
  for (const name of ["edge-1", "edge-2"]) await enrol(name, "proxy");
  await enrolWorkload("edge-3", { kind: "workload", ...MTLS }, context);
  await workloads.disable("edge-3", { by: "ops" });
  out.length = 0;
  const later = { ...context, nowMs: () => Date.now() + 31 * DAY + 3_600_000 };
  await listWorkloads({}, later);
  const lines = out.join("").split("\n");
  assert.equal(lines[0], "NAME    KIND      METHOD  STATE     UNTIL                     LAST SEEN");
  assert.match(lines[1] ?? "", /^edge-1 {2}proxy {5}mtls {4}enrolled {2}20\S+Z {2}31d 1h ago$/);
  assert.match(lines[3] ?? "", /^edge-3 {2}workload {2}mtls {4}disabled {2}- {25}never$/);
  out.length = 0;
  await listWorkloads({ unused: "30d" }, { ...later, json: true });
  const names = out
    .join("")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).name);
  assert.deepEqual(names, ["edge-1", "edge-2", "edge-3"]);
  out.length = 0;
  await listWorkloads({ unused: "3650d" }, context);
  assert.deepEqual([out.length, hints.pop()], [0, "All were seen within 3650d."]);
  await assert.rejects(listWorkloads({ unused: "a while" }, context), { code: "config-invalid" });
});

test("showWorkload() says who disabled it and why, and that its key may be in two hands", async (t) => {
  const { context, out, enrol, store, workloads } = await ground(t);
  await enrol("edge-1", "proxy");
  const document = await store.get("workloads", "edge-1");
  const suspicion = { atMs: Date.now(), address: "203.0.113.9" };
  await store.commit([
    { collection: "workloads", id: "edge-1", body: { ...document?.body, suspicion } },
  ]);
  assert.equal(await disableWorkload("edge-1", { reason: "stolen" }, context), 0);
  const text = out.join("");
  assert.match(text, /^state +disabled$/m);
  assert.match(text, /^disabled +20\S+ by local\/1000\nbecause +stolen$/m);
  assert.match(text, /^suspicion .*203\.0\.113\.9.*re-enrol --now edge-1$/m);
  out.length = 0;
  await listWorkloads({}, context);
  assert.match(out.join(""), /disabled, SUSPICION/);
  out.length = 0;
  assert.equal(await enableWorkload("edge-1", context), 0);
  assert.match(out.join(""), /^state +enrolled$/m);
  assert.equal(await removeWorkload("edge-1", context), 0);
  assert.equal(await workloads.get("edge-1"), undefined);
});

test("reenrolWorkload() gives a new token; with now it ends the key at once", async (t) => {
  const { context, out, enrol, workloads } = await ground(t);
  await enrol("edge-1", "proxy");
  await reenrolWorkload("edge-1", { now: false }, context);
  assert.equal((await workloads.get("edge-1"))?.state, "enrolled");
  await reenrolWorkload("edge-1", { now: true }, { ...context, json: true });
  assert.equal((await workloads.get("edge-1"))?.state, "invited");
  const [first, second] = [out[0]?.trim(), JSON.parse(out[1] ?? "").token];
  assert.notEqual(first, second);
});

test("main() has each of the commands, over the socket", async (t) => {
  const { socket, workloads } = await ground(t);
  const run = (...args: string[]): Promise<number> =>
    main(["workloads", ...args, "--admin", socket]);
  assert.equal(await run("enrol", "edge-1", "--kind", "proxy"), 0);
  assert.equal((await workloads.get("edge-1"))?.kind, "proxy");
  assert.equal(await run("enrol", "billing", "--method", "private-key-jwt"), 0);
  assert.equal((await workloads.get("billing"))?.method, "private-key-jwt");
  assert.equal(await run("enrol", "x", "--kind", "robot"), 2);
  assert.equal(await run("list", "--unused", "30d", "--json"), 0);
  assert.equal(await run("show", "edge-1"), 0);
  assert.equal(await run("re-enrol", "edge-1", "--now"), 0);
  assert.equal(await run("disable", "edge-1", "--reason", "moved"), 0);
  assert.equal((await workloads.get("edge-1"))?.disabled?.reason, "moved");
  assert.equal(await run("enable", "edge-1"), 0);
  assert.equal(await run("remove", "edge-1"), 0);
  assert.equal(await run("show", "edge-1"), 1);
});

/** The commands over the admin API's socket, with a register in memory behind it. */
async function ground(t: TestContext) {
  const given = await desks(t);
  const { workloads, store } = given;
  const stage = await adminStage(t, { desks: given });
  const out: string[] = [];
  const hints: string[] = [];
  const context: WorkloadsContext = {
    client: connectAdmin({ config: "sallyport.yaml", admin: stage.socket }),
    nowMs: () => systemClock.now(),
    write: (text) => void out.push(text),
    hint: (line) => void hints.push(line),
    json: false,
  };
  return {
    context,
    out,
    hints,
    workloads,
    store,
    socket: stage.socket,
    /** As if it had redeemed its token. */
    enrol: async (name: string, kind: WorkloadKind): Promise<void> => {
      const invited = await workloads.enrol(name, { kind, ...MTLS, by: "ops" });
      assert.ok("token" in invited);
      const { jwk, thumbprint } = proofKeyOf(newKey().privateKey);
      const document = await store.get("workloads", name);
      const atMs = Date.now();
      const key = { thumbprint, jwk, registeredMs: atMs, notAfterMs: atMs + DAY, certificates: [] };
      await store.commit([{ collection: "workloads", id: name, body: { ...document?.body, key } }]);
    },
  };
}
