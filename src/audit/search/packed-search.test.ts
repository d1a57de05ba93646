/** A log whose segments are all compressed, each of several members: what is found is what is there. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { DecisionRecord } from "../../model/records.ts";
import { NOW_MS } from "../../../test/audit-kit.ts";
import {
  type Asked,
  found,
  idOf,
  linesOf,
  logFolder,
  request,
  search,
  segmentName,
  writeSegment,
} from "../../../test/search-ground.ts";
import { compressSegment } from "../archive/compress.ts";
import { packEnd } from "../packed-segment.ts";
import { IndexDamaged } from "./block.ts";

const REQUESTS = 7500;
const SEGMENTS = 3;

/** The `second`th request: every one of its texts comes back at another rate. */
function decision(second: number): DecisionRecord {
  return request(second, {
    principal: {
      kind: "user",
      authenticator: "corp",
      subject: `person-${second % 500}`,
      roles: [],
      groups: [],
      attributes: {},
    },
    route: `route-${second % 41}`,
    ...(second % 97 === 0 ? { decision: "deny" as const, reason: "no-permit" as const } : {}),
  })[0];
}

interface Question {
  readonly asked: Asked;
  readonly is: (second: number) => boolean;
}

const time = (second: number): string => new Date(NOW_MS + second * 1000).toISOString();

const QUESTIONS: Readonly<Record<string, Question>> = {
  "a decision id": { asked: { id: [idOf(4711)] }, is: (second) => second === 4711 },
  "a principal": {
    asked: { principal: ["corp/person-77"] },
    is: (second) => second % 500 === 77,
  },
  "a route": { asked: { route: ["route-7"], limit: 300 }, is: (second) => second % 41 === 7 },
  "a reason": { asked: { reason: ["no-permit"] }, is: (second) => second % 97 === 0 },
  "a time": {
    asked: { from: time(2490), to: time(2510) },
    is: (second) => second >= 2490 && second < 2510,
  },
  "a principal on a route": {
    asked: { principal: ["corp/person-0"], route: ["route-0"] },
    is: (second) => second % 500 === 0 && second % 41 === 0,
  },
  "somebody who is not there": { asked: { principal: ["corp/nobody"] }, is: () => false },
};

async function rightAnswers(folder: string, when: string): Promise<void> {
  for (const [what, { asked, is }] of Object.entries(QUESTIONS)) {
    const seconds = Array.from({ length: REQUESTS }, (_, second) => second).filter(is);
    const result = await search(folder, { limit: 1000, ...asked });
    const decisions = result.records.filter(({ record }) => record.type === "decision");
    assert.deepEqual(
      found({ ...result, records: decisions }),
      seconds.map(idOf).toReversed(),
      `${what}, ${when}`,
    );
    for (const [index, { line }] of decisions.entries()) {
      const second = seconds.at(-1 - index) ?? -1;
      assert.equal(`${line}\n`, linesOf([decision(second)]).toString("utf8"), `${what}, ${when}`);
    }
  }
}

test("searchLog() finds the right records in compressed segments, with an index and without", async (context) => {
  const folder = logFolder(context);
  const names = Array.from({ length: SEGMENTS }, (_, index) => segmentName(index));
  for (const [index, name] of names.entries()) {
    const first = (index * REQUESTS) / SEGMENTS;
    const seconds = Array.from({ length: REQUESTS / SEGMENTS }, (_, second) => first + second);
    writeSegment(
      folder,
      name,
      seconds.flatMap((second) => [decision(second), request(second)[1]]),
    );
  }
  await rightAnswers(folder, "not compressed");
  for (const name of names) {
    assert.ok(statSync(join(folder, name)).size > 2 << 20, "of several members");
    await compressSegment(folder, name);
  }
  await rightAnswers(folder, "compressed since the index was built");
  assert.equal((await search(folder)).built.records, 0, "and not read again");
  rmSync(join(folder, "index"), { recursive: true });
  await rightAnswers(folder, "without an index");
  const files = readdirSync(folder).filter((name) => name !== "index");
  assert.deepEqual(
    files,
    names.map((name) => `${name}.gz`),
  );
});

test("searchLog() names the compressed segment that is damaged, and takes nothing for its records", async (context) => {
  const folder = logFolder(context);
  const name = segmentName(0);
  const seconds = Array.from({ length: 4000 }, (_, second) => second);
  writeSegment(folder, name, seconds.map(decision));
  await compressSegment(folder, name);
  await search(folder);
  const path = join(folder, `${name}.gz`);
  const { mtime, atime } = statSync(path);
  const whole = readFileSync(path);
  const bytes = Buffer.from(whole);
  bytes[300] = (bytes[300] ?? 0) ^ 0x55;
  writeFileSync(path, bytes);
  utimesSync(path, atime, mtime);
  const asked = { id: [idOf(5)] };
  await assert.rejects(search(folder, asked), (error: Error) => {
    assert.ok(!(error instanceof IndexDamaged));
    assert.match(
      error.message,
      /audit-20261124T040506\.123Z-1\.jsonl\.gz cannot be read \(damaged at byte 0\); put it back from a copy, or look in a copy/,
    );
    return true;
  });
  // What lies in another member can be read.
  assert.deepEqual(found(await search(folder, { id: [idOf(3999)] })), [idOf(3999)]);
  // Cut between two members, where any gzip finds nothing wrong.
  const members = whole.readUInt32LE(whole.length - 14);
  writeFileSync(path, whole.subarray(0, -packEnd([]).length - 8 * members));
  await assert.rejects(search(folder, asked), /cannot be read \(cut or changed/);
});
