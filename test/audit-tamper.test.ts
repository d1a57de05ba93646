/**
 * Somebody changes, drops, swaps, doubles, adds and cuts off records, and hopes that nobody sees it. Each of
 * several hundred tries has to be found, with its place; the log as it was written has to pass.
 *
 * SALLYPORT_TAMPER_RECORDS=1000000 makes the large log as large as that (the build machine does, on one runtime).
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readVkey } from "../src/audit/tree/note.ts";
import type { VerifyReport } from "../src/audit/tree/verify/report.ts";
import { verifyLog } from "../src/audit/tree/verify/verify-log.ts";
import { auditVerify } from "../src/cli/audit-verify.ts";
import { temporaryFolder } from "./audit-kit.ts";
import { leavesOf, linesOf, removeFile, seededRandom, tamper, TAMPERINGS } from "./tampering.ts";
import { generateLog } from "./tree-log.ts";

const LARGE = Number(process.env["SALLYPORT_TAMPER_RECORDS"] ?? 30_000);

test("each of several hundred ways to tamper with a log is found, with its place", async (t) => {
  const folder = join(await temporaryFolder(t), "audit");
  const { segments } = await generateLog(folder, { records: 1200, perSegment: 250, every: 90 });
  const keys = [readVkey(readFileSync(join(folder, "tree/checkpoint.pub"), "utf8"))];
  const leaves = leavesOf(folder);
  const random = seededRandom(20_261_127);
  const whole = await verifyLog({ folder, keys });
  assert.deepEqual([whole.faultCount, whole.records, whole.unsealed.records], [0, 1200, 0]);
  for (let round = 0; round < 70; round++) {
    for (const [what, make] of Object.entries(TAMPERINGS)) {
      const segment = segments[random(segments.length)] ?? "";
      const path = join(folder, segment);
      const ground = { lines: linesOf(path), leaves: leaves.get(segment) ?? [], random };
      const tampering = make(ground);
      const restore = tamper(path, tampering);
      const report = await verifyLog({ folder, keys });
      restore();
      const said = `${what}, round ${round}, ${segment}: ${JSON.stringify(report.faults)}`;
      const [first] = report.faults;
      assert.ok(first !== undefined && tampering.expected(first), said);
      assert.equal(first.segment, segment, said);
      assert.ok(report.faultCount <= tampering.most, said);
    }
  }
  for (const segment of segments) {
    const restore = removeFile(join(folder, segment));
    const { faults } = await verifyLog({ folder, keys });
    restore();
    const [first, ...more] = faults;
    assert.deepEqual(more, []);
    assert.deepEqual(
      [first?.kind, first?.segment, first?.leaf, first?.records],
      ["missing", segment, leaves.get(segment)?.[0], leaves.get(segment)?.length],
    );
  }
  assert.equal((await verifyLog({ folder, keys })).faultCount, 0);
});

const LONG = { timeout: 900_000 };

test(
  `a log of ${LARGE} records passes as it is, and each change of it is found by the command`,
  LONG,
  async (t) => {
    const folder = join(await temporaryFolder(t), "audit");
    const perSegment = Math.ceil(LARGE / 10);
    const { segments } = await generateLog(folder, {
      records: LARGE,
      perSegment,
      every: perSegment / 5,
    });
    const key = [readFileSync(join(folder, "tree/checkpoint.pub"), "utf8").trim()];
    const leaves = leavesOf(folder);
    const verify = async (): Promise<{ code: number; report: VerifyReport }> => {
      let text = "";
      const options = { config: "", key, checkpoint: [], witness: [], format: "json" as const };
      const write = (piece: string): void => void (text += piece);
      const code = await auditVerify(folder, options, { write, hint: () => undefined });
      return { code, report: JSON.parse(text) as VerifyReport };
    };
    const whole = await verify();
    assert.deepEqual([whole.code, whole.report.faultCount, whole.report.records], [0, 0, LARGE]);
    const random = seededRandom(9);
    for (let round = 0; round < 4; round++) {
      for (const [what, make] of Object.entries(TAMPERINGS)) {
        const segment = segments[random(segments.length)] ?? "";
        const path = join(folder, segment);
        const ground = { lines: linesOf(path), leaves: leaves.get(segment) ?? [], random };
        const tampering = make(ground);
        const restore = tamper(path, tampering);
        const { code, report } = await verify();
        restore();
        const said = `${what}, round ${round}, ${segment}: ${JSON.stringify(report.faults)}`;
        assert.equal(code, 1, said);
        const [first] = report.faults;
        assert.ok(
          first !== undefined && tampering.expected(first) && first.segment === segment,
          said,
        );
      }
    }
    assert.equal((await verify()).code, 0);
  },
);
