/**
 * Advisory: a compressed file of a megabyte that holds a gigabyte, planted in the folder of the log under the
 * name of a segment. Whoever inflates it to its end hashes or parses hundreds of millions of lines. Every reader
 * has to stop, and to say at which file.
 */
import assert from "node:assert/strict";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { findDecision } from "../src/audit/find-decision.ts";
import { createFollower } from "../src/audit/follow/follower.ts";
import { type MemberSizes, packEnd, packMember } from "../src/audit/packed-segment.ts";
import { readLines } from "../src/audit/read-log.ts";
import { EVERYTHING } from "../src/audit/search/filter.ts";
import { exportLog } from "../src/audit/search/export-log.ts";
import { readVkey } from "../src/audit/tree/note.ts";
import { verifyLog } from "../src/audit/tree/verify/verify-log.ts";
import { SallyportError } from "../src/model/errors.ts";
import { systemClock } from "../src/platform/clock.ts";
import { keepingLog, temporaryFolder } from "./audit-kit.ts";
import { search } from "./search-ground.ts";
import { createMetrics, KeepingConsumer } from "./segment-kit.ts";
import { generateLog } from "./tree-log.ts";

const PLANTED = "audit-20261124T040506.999Z-99.jsonl";
const MEMBERS = 64;
/** One of 64 that come to a gigabyte. */
const PIECE = 16 << 20;

const RECORD = `{"decisionId":"01KAT9T5KV0000000000000000","durationMs":6.438,"end":"complete","requestBytes":0,"responseBytes":1834,"status":200,"time":"2026-11-24T04:05:06.130Z","type":"completion","v":1}\n`;
const FILLED: Readonly<Record<string, string>> = {
  "line feeds": "\n",
  records: RECORD,
  zeros: "\0",
};

/** As any gzip writes it: members one after the other. */
function foreign(text: string): Buffer {
  const member = gzipSync(Buffer.alloc(PIECE, text), { level: 9 });
  return Buffer.concat(Array.from({ length: MEMBERS }, () => member));
}

/** As the archive writes it. */
async function own(text: string): Promise<Buffer> {
  const member = await packMember(Buffer.alloc(PIECE, text));
  const sizes: MemberSizes = { packed: member.length, plain: PIECE };
  const members = Array.from({ length: MEMBERS }, () => member);
  return Buffer.concat([...members, packEnd(members.map(() => sizes))]);
}

async function log(context: TestContext) {
  const folder = await temporaryFolder(context);
  const { segments } = await generateLog(folder, { records: 4000, perSegment: 1000, every: 1000 });
  const vkey = readFileSync(join(folder, "tree/checkpoint.pub"), "utf8");
  const verified = () => verifyLog({ folder, keys: [readVkey(vkey)] });
  return { folder, first: segments[0] ?? "", verified };
}

/** The message with which it is refused; fails where it is not. */
async function refusal(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
  } catch (error) {
    assert.ok(error instanceof SallyportError, String(error));
    return error.message;
  }
  return assert.fail("it was read to its end");
}

async function readAll(file: string): Promise<number> {
  let lines = 0;
  for await (const batch of readLines(file)) lines += batch.lines.length;
  return lines;
}

const NAMED = new RegExp(`${PLANTED.replaceAll(".", "\\.")}.*none of ours`);

for (const [what, text] of Object.entries(FILLED)) {
  // The archive packs for speed: lines that are all the same come to a twentieth, which is no bomb.
  for (const form of what === "records" ? (["foreign"] as const) : (["foreign", "own"] as const)) {
    test(`a gigabyte of ${what} in a ${form} gzip file keeps no reader`, async (context) => {
      const { folder, verified } = await log(context);
      const file = join(folder, `${PLANTED}.gz`);
      writeFileSync(file, form === "own" ? await own(text) : foreign(text));
      assert.ok(statSync(file).size < 12 << 20);

      const { faults } = await verified();
      const [fault] = faults;
      assert.deepEqual([faults.length, fault?.kind, fault?.segment], [1, "unreadable", PLANTED]);

      const write = () => Promise.resolve();
      for (const run of [
        () => search(folder),
        () => exportLog(folder, { filter: EVERYTHING, format: "jsonl", write }),
        () => readAll(file),
        () => findDecision(folder, "01KAT9T5KV0000000000000009"),
      ]) {
        assert.match(await refusal(run), NAMED);
      }
    });
  }
}

test("what follows a planted gzip file is sealed and counted all the same", async (context) => {
  const { folder, first } = await log(context);
  writeFileSync(join(folder, `${PLANTED}.gz`), foreign("\n"));
  const said = keepingLog();
  const consumer = new KeepingConsumer("one");
  const deps = { clock: systemClock, log: said, metrics: createMetrics() };
  const follower = createFollower({ folder, consumers: [consumer] }, deps);
  context.after(() => follower.close());
  while (await follower.look());
  const fault = said.events.find(({ level }) => level === "error");
  assert.match(String(fault?.fields["file"]), /999Z-99\.jsonl\.gz$/);
  assert.match(String(fault?.fields["error"]), /none of ours/);
  assert.equal(consumer.taken.get(PLANTED), undefined);
  assert.equal(consumer.taken.get(first), readFileSync(join(folder, first), "utf8"));
});

test("verify reads no more of a compressed file than is sealed of it, and some", async (context) => {
  const { folder, first, verified } = await log(context);
  const plain = readFileSync(join(folder, first));
  const file = join(folder, `${first}.gz`);
  // Few enough bytes that any file may hold them, and more lines than come between two copies.
  for (const sealed of [plain, Buffer.from("")]) {
    rmSync(join(folder, first), { force: true });
    const more = Buffer.alloc(15 << 20, `{"is":"a line like another"}\n`);
    writeFileSync(file, Buffer.concat([gzipSync(sealed), gzipSync(more)]));
    assert.ok(gunzipSync(readFileSync(file)).length >= 15 << 20);
    const { faults } = await verified();
    const fault = faults.find(({ segment }) => segment === first);
    assert.equal(fault?.kind, "unreadable");
    assert.match(fault.detail, /goes on far behind what is sealed of it/);
  }
});
