/**
 * Usage and quotas of proxies that are killed and started again: the book says what the log says, a
 * quota goes on where it was, and what is said of it is said once.
 */
import { strict as assert } from "node:assert";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { after } from "node:test";
import { fileURLToPath } from "node:url";
import { sumOfLog } from "../usage-kit.ts";
import { startRecordingService } from "./recording-service.ts";
import { until } from "./stage.ts";
import { AUDIENCE, createTestIssuer, ISSUER } from "./test-issuer.ts";

const sallyport = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));
const runtime = process.versions["bun"] === undefined ? "node" : "bun";
const env = { ...process.env, SALLYPORT_RUNTIME: runtime };

const issuer = createTestIssuer();
const service = await startRecordingService();
after(() => service.close());

/** A folder with a proxy whose callers may ask 40 times in a month. */
function folderOf(more = "", audit = ""): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-usage-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "policies"));
  writeFileSync(join(folder, "jwks.json"), JSON.stringify(issuer.jwks), { mode: 0o600 });
  const policy = `@id("all") permit (principal is Sallyport::User, action, resource);\n`;
  writeFileSync(join(folder, "policies", "all.cedar"), policy);
  writeFileSync(
    join(folder, "sallyport.yaml"),
    `version: 1
listeners: [{ name: edge, address: "127.0.0.1:0" }]
admin: { address: "127.0.0.1:0", socket: admin.sock }
authenticators:
  test: { type: jwt, issuer: ${ISSUER}, jwks: file:jwks.json, audience: [${AUDIENCE}], algorithms: [ES256], principal: { kind: user } }
services: { recorder: { endpoints: ["http://${service.address}"] } }
routes: [{ name: all, path: "/*", service: recorder, authenticate: [test], cost: 1.5 }]
policies: { enforce: [policies] }
audit: { path: audit, checkpoints: { every: 1s }${audit} }
usage: { plans: { small: { quota: { requests: 40, per: month }, warnAt: 50% } }, plan: { default: small } }
${more}
`,
    { mode: 0o600 },
  );
  return folder;
}

interface Running {
  readonly child: ChildProcess;
  readonly address: string;
}

async function start(folder: string): Promise<Running> {
  const child = spawn(sallyport, ["run", "-c", "sallyport.yaml"], {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  process.once("exit", () => child.kill("SIGKILL"));
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const addressIn = (): string => /\bedge\b.*?(127\.0\.0\.1:[1-9]\d*)/.exec(text)?.[1] ?? "";
  await until(() => addressIn() !== "" || child.exitCode !== null);
  assert.equal(child.exitCode, null, text);
  return { child, address: addressIn() };
}

async function end({ child }: Running, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
}

async function ask({ address }: Running, sub: string, times: number): Promise<number[]> {
  const statuses: number[] = [];
  const headers = { authorization: `Bearer ${issuer.token({ sub })}`, host: "api.example" };
  for (let index = 0; index < times; index++) {
    const answer = await fetch(`http://${address}/x`, { headers });
    await answer.arrayBuffer();
    statuses.push(answer.status);
  }
  return statuses;
}

function recordsOf(folder: string): Record<string, unknown>[] {
  return readdirSync(join(folder, "audit"))
    .filter((name) => name.endsWith(".jsonl"))
    .flatMap((name) =>
      readFileSync(join(folder, "audit", name), "utf8")
        .split("\n")
        .slice(0, -1),
    )
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const countOf = (folder: string, event: string): number =>
  recordsOf(folder).filter((record) => record["event"] === event).length;

/** As the command line says it; sums of the log beside it. */
function compare(folder: string): void {
  const by = "principal,plan,service,route,operation,hour";
  const args = ["usage", "report", "--from", "2020-01", "--by", by, "--format", "json"];
  const { stdout, stderr } = spawnSync(sallyport, args, { cwd: folder, env, encoding: "utf8" });
  const counted = stdout.split("\n").slice(0, -1);
  const expected = sumOfLog(join(folder, "audit"));
  assert.equal(counted.length, expected.size, stderr);
  for (const line of counted) {
    const row = JSON.parse(line) as Record<string, string | number>;
    const key = by.split(",").map((name) => row[name]);
    const { requests, bytesIn, bytesOut, cost } = row;
    assert.deepEqual({ requests, bytesIn, bytesOut, cost }, expected.get(key.join(" ")));
  }
}

test("a proxy that is killed goes on with usage and quotas where the log is", async () => {
  const folder = folderOf();
  const killed = await start(folder);
  assert.deepEqual(new Set(await ask(killed, "ann", 25)), new Set([200]));
  assert.deepEqual(new Set(await ask(killed, "bob", 5)), new Set([200]));
  await until(() => recordsOf(folder).filter(({ type }) => type === "completion").length === 30);
  await end(killed, "SIGKILL");
  const again = await start(folder);
  // What the book did not have yet is read again while requests come in.
  await until(() => recordsOf(folder).some(({ event }) => event === "quota-warning"));
  const statuses = await ask(again, "ann", 20);
  assert.deepEqual(statuses, [...Array<number>(15).fill(200), ...Array<number>(5).fill(429)]);
  await until(() => countOf(folder, "quota-exceeded") > 0);
  await end(again, "SIGTERM");
  compare(folder);
  const last = await start(folder);
  assert.deepEqual(await ask(last, "ann", 1), [429]);
  await end(last, "SIGTERM");
  compare(folder);
  assert.equal(countOf(folder, "quota-warning"), 1);
  assert.equal(countOf(folder, "quota-exceeded"), 1);
});

for (const [workers, signal] of [
  [1, "SIGKILL"],
  [2, "SIGTERM"],
] as const) {
  test(`a quota goes on after a restart where the log does not say whose it is (workers: ${workers})`, async () => {
    const folder = folderOf(`workers: ${workers}`, ", redact: [principal.subject]");
    const killed = await start(folder);
    assert.deepEqual(new Set(await ask(killed, "ann", 25)), new Set([200]));
    await until(() => recordsOf(folder).filter(({ type }) => type === "completion").length === 25);
    assert.ok(!JSON.stringify(recordsOf(folder)).includes("ann"));
    await end(killed, signal);
    const again = await start(folder);
    if (signal === "SIGKILL") {
      await until(() => recordsOf(folder).some(({ event }) => event === "quota-warning"));
    }
    assert.deepEqual(new Set(await ask(again, "ann", 10)), new Set([200]));
    await end(again, "SIGTERM");
    const last = await start(folder);
    const left = (await ask(last, "ann", 20)).filter((status) => status === 200).length;
    // Each worker may let through what is left until it hears of the other.
    assert.ok(left >= 5 && left <= 5 * workers, `${left}`);
    assert.deepEqual(await ask(last, "bob", 1), [200]);
    await until(() => countOf(folder, "quota-exceeded") > 0);
    await end(last, "SIGTERM");
    assert.equal(countOf(folder, "quota-exceeded"), 1);
  });
}

test("the supervisor's thread keeps the book of all workers", async () => {
  const folder = folderOf("workers: 2");
  const first = await start(folder);
  await Promise.all(["ann", "bob", "cid"].map((sub) => ask(first, sub, 10)));
  await end(first, "SIGTERM");
  compare(folder);
  const second = await start(folder);
  const statuses = await ask(second, "ann", 80);
  const permitted = statuses.filter((status) => status === 200).length;
  // Each worker may let through what is left until it hears of the other.
  assert.ok(permitted >= 30 && permitted <= 60, `${permitted} beside the ten before`);
  await end(second, "SIGTERM");
  compare(folder);
});
