import assert from "node:assert/strict";
import {
  appendFileSync,
  chmodSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import type { DecisionRecord } from "../../model/records.ts";
import { NOW_MS, strangerDenial } from "../../../test/audit-kit.ts";
import {
  found,
  idOf,
  linesOf,
  logFolder,
  request,
  search,
  segmentName,
  writeSegment,
} from "../../../test/search-ground.ts";
import { placeText } from "./place-text.ts";

const principal = (subject: string): DecisionRecord["principal"] => ({
  kind: "user",
  authenticator: "corp",
  subject,
  roles: [],
  groups: [],
  attributes: {},
});

test("searchLog() finds by each filter, the newest first", async (context) => {
  const folder = logFolder(context);
  writeSegment(folder, segmentName(0), [
    ...request(1, { principal: principal("alice") }),
    ...request(2, { route: "orders", service: "shop", clientAddress: "2001:db8::7" }),
    strangerDenial({ decisionId: idOf(3), timeMs: NOW_MS + 3000, peerAddress: "198.51.100.9" }),
    {
      timeMs: NOW_MS + 4000,
      event: "new-network",
      detail: "a network",
      principal: "corp/alice",
      address: "203.0.113.0/24",
    },
  ]);
  const ids = async (asked: Parameters<typeof search>[1]) => found(await search(folder, asked));
  assert.deepEqual(await ids({}), ["new-network", idOf(3), idOf(2), idOf(1)]);
  assert.deepEqual(await ids({ principal: ["corp/alice"] }), ["new-network", idOf(1)]);
  assert.deepEqual(await ids({ principal: ['User::"corp/alice"'], decision: "permit" }), [idOf(1)]);
  assert.deepEqual(await ids({ route: ["orders"] }), [idOf(2)]);
  assert.deepEqual(await ids({ service: ["shop", "none"] }), [idOf(2)]);
  assert.deepEqual(await ids({ decision: "deny" }), [idOf(3)]);
  assert.deepEqual(await ids({ reason: ["missing-credential"] }), [idOf(3)]);
  assert.deepEqual(await ids({ event: ["new-network"] }), ["new-network"]);
  assert.deepEqual(await ids({ address: ["2001:db8::/32"] }), [idOf(2)]);
  assert.deepEqual(await ids({ address: ["198.51.100.9"] }), [idOf(3)]);
  assert.deepEqual(await ids({ address: ["203.0.113.0/24"] }), ["new-network"]);
  const second = (of: number) => new Date(NOW_MS + of * 1000).toISOString();
  assert.deepEqual(await ids({ from: second(2), to: second(3) }), [idOf(2)]);
  assert.deepEqual(await ids({ principal: ["corp/nobody"] }), []);
  // With what became of the request.
  const both = await search(folder, { id: [idOf(1).toLowerCase()] });
  assert.deepEqual(
    both.records.map(({ record }) => record.type),
    ["completion", "decision"],
  );
  assert.equal(statSync(join(folder, "index/index.db")).mode & 0o777, 0o600);
});

test("searchLog() pages through records of one moment in several files, each once", async (context) => {
  const folder = logFolder(context);
  const at = (second: number) => request(second, { timeMs: NOW_MS })[0];
  writeSegment(folder, segmentName(0, "1"), [at(1), at(2), at(3)]);
  writeSegment(folder, segmentName(0, "2"), [at(4), at(5)]);
  const seen: string[] = [];
  let before: string | undefined;
  do {
    const page = await search(folder, { limit: 2, ...(before === undefined ? {} : { before }) });
    seen.push(...found(page));
    const last = page.records.at(-1);
    before = page.more && last !== undefined ? placeText(last) : undefined;
  } while (before !== undefined);
  assert.deepEqual(seen, [idOf(5), idOf(4), idOf(3), idOf(2), idOf(1)]);
  assert.deepEqual(found(await search(folder, { before: idOf(3) })), [idOf(2), idOf(1)]);
  assert.deepEqual(found(await search(folder, { before: new Date(NOW_MS).toISOString() })), []);
  await assert.rejects(
    search(folder, { before: idOf(9) }),
    /--before: no decision .* is in the log/,
  );
});

test("searchLog() reads only what came since, and takes no torn line", async (context) => {
  const folder = logFolder(context);
  const name = segmentName(0);
  writeSegment(folder, name, request(1));
  assert.equal((await search(folder)).built.records, 2);
  const [decision] = request(2);
  const line = linesOf([decision]);
  appendFileSync(join(folder, name), line.subarray(0, 40));
  assert.deepEqual(found(await search(folder)), [idOf(1)]);
  appendFileSync(join(folder, name), line.subarray(40));
  const result = await search(folder);
  assert.equal(result.built.records, 1);
  assert.deepEqual(found(result), [idOf(2), idOf(1)]);
  appendFileSync(join(folder, name), "no record\n");
  assert.equal((await search(folder)).built.faults, 1);
  assert.equal((await search(folder)).built.faults, 0);
});

test("searchLog() reads compressed segments, and those compressed since", async (context) => {
  const folder = logFolder(context);
  writeSegment(folder, segmentName(0), [...request(1), ...request(2)]);
  writeSegment(folder, segmentName(1), request(3), { packed: true });
  assert.deepEqual(found(await search(folder)), [idOf(3), idOf(2), idOf(1)]);
  const plain = join(folder, segmentName(0));
  writeFileSync(`${plain}.gz`, gzipSync(readFileSync(plain)));
  rmSync(plain);
  const again = await search(folder);
  assert.deepEqual([again.built.records, again.built.dropped], [0, []]);
  assert.deepEqual(found(again), [idOf(3), idOf(2), idOf(1)]);
  assert.equal(
    again.records[1]?.line,
    linesOf([request(2)[0]])
      .toString("utf8")
      .trim(),
  );
});

test("searchLog() builds anew what the segments contradict", async (context) => {
  const folder = logFolder(context);
  const name = segmentName(0);
  const path = join(folder, name);
  writeSegment(folder, name, [...request(1), ...request(2)]);
  writeSegment(folder, segmentName(1), request(3));
  await search(folder);
  // Cut off.
  truncateSync(path, linesOf(request(1)).length);
  assert.deepEqual(found(await search(folder)), [idOf(3), idOf(1)]);
  // Another one of the same length.
  writeFileSync(path, linesOf(request(4)));
  assert.deepEqual(found(await search(folder)), [idOf(4), idOf(3)]);
  // Another and longer one.
  writeFileSync(path, linesOf([...request(5), ...request(6)]));
  assert.deepEqual(found(await search(folder)), [idOf(6), idOf(5), idOf(3)]);
  // Gone.
  rmSync(path);
  const gone = await search(folder);
  assert.deepEqual(gone.built.dropped, [name]);
  assert.deepEqual(found(gone), [idOf(3)]);
});

test("searchLog() builds anew an index of another version, and a damaged one", async (context) => {
  const folder = logFolder(context);
  writeSegment(folder, segmentName(0), request(1));
  await search(folder);
  const path = join(folder, "index/index.db");
  const database = new DatabaseSync(path);
  database.exec("PRAGMA user_version = 99");
  database.close();
  assert.equal((await search(folder)).built.records, 2);
  writeFileSync(path, "this is no database".repeat(100));
  assert.equal((await search(folder)).built.records, 2);
  const columns = new DatabaseSync(path);
  columns.exec("UPDATE columns SET bytes = x'00'");
  columns.close();
  const result = await search(folder);
  assert.equal(result.built.records, 2);
  assert.deepEqual(found(result), [idOf(1)]);
});

test("searchLog() gives many records in many blocks in their order", async (context) => {
  const folder = logFolder(context);
  const all = Array.from({ length: 20_000 }, (_, second) => request(second)[0]);
  writeSegment(folder, segmentName(0), all);
  // Found in steps, as a log that is written is.
  const newest = await search(folder, { limit: 3 });
  assert.deepEqual(found(newest), [idOf(19_999), idOf(19_998), idOf(19_997)]);
  const [first] = (await search(folder, { id: [idOf(7)] })).records;
  assert.equal(first?.timeMs, NOW_MS + 7000);
  const old = await search(folder, { to: new Date(NOW_MS + 5000).toISOString(), limit: 2 });
  assert.deepEqual(found(old), [idOf(4), idOf(3)]);
});

test("searchLog() refuses a folder without a log, and one that others can reach", async (context) => {
  const folder = logFolder(context);
  await assert.rejects(search(folder), /holds no audit-/);
  writeSegment(folder, segmentName(0), request(1));
  await search(folder);
  chmodSync(join(folder, "index"), 0o755);
  await assert.rejects(search(folder), /folder of others/);
  renameSync(join(folder, "index"), join(folder, "other"));
  await search(folder);
  assert.ok(readdirSync(join(folder, "index")).includes("index.db"));
});
