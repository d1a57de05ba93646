/** The audit log on real disks that are full or read-only: small file systems, mounted for the test. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { SallyportError } from "../src/model/errors.ts";
import { completion, openLog, permit, readRecords, until } from "./audit-kit.ts";

test("a full disk refuses traffic, loses no record, and recovers when there is room", async (context) => {
  const disk = await mountSmallDisk(context);
  if (disk === undefined) return;
  const { log, folder, events, metrics } = await openLog(
    context,
    {},
    { folder: join(disk, "audit") },
  );
  await writeFile(join(disk, "ballast"), Buffer.alloc(384 * 1024));
  let recorded = 0;
  // More than fits beside the ballast, less than fits without it.
  while (log.writable() && recorded < 250) {
    if (log.decision(permit({ requestId: `r${recorded}` })) === "recorded") recorded += 1;
  }
  await until("the disk to be full", () => !log.writable());
  assert.equal(log.decision(permit()), "refused");
  log.completion(completion());
  assert.ok(
    events.some(
      ({ level, fields }) =>
        level === "error" &&
        fields["error"] instanceof SallyportError &&
        /ENOSPC/.test(fields["error"].message),
    ),
  );
  assert.match(metrics.render().body, /^sallyport_audit_errors_total [1-9]/m);
  await rm(join(disk, "ballast"));
  await until("recovery", () => log.writable());
  assert.equal(log.decision(permit({ requestId: `r${recorded}` })), "recorded");
  await log.close();
  const records = await readRecords(folder);
  const ids = records.flatMap((record) => (record.type === "decision" ? [record.requestId] : []));
  assert.deepEqual(
    ids,
    Array.from({ length: recorded + 1 }, (_, index) => `r${index}`),
  );
  assert.equal(records.filter((record) => record.type === "completion").length, 1);
});

test("a reserve that the disk does not have gives up denials first", async (context) => {
  const disk = await mountSmallDisk(context);
  if (disk === undefined) return;
  // 512 KiB of disk: below the reserve, above the half of it.
  const { log } = await openLog(context, { reserve: "768KiB" }, { folder: join(disk, "audit") });
  assert.equal(log.decision(permit({ principal: undefined, decision: "deny" })), "summarised");
  assert.equal(log.decision(permit({ decision: "deny" })), "recorded");
  assert.equal(log.decision(permit()), "recorded");
});

test("createAuditLog() rejects with audit-failed when the disk is read-only", async (context) => {
  const disk = await mountSmallDisk(context);
  if (disk === undefined) return;
  const folder = join(disk, "audit");
  await mkdir(folder, { mode: 0o700 });
  remount(disk, "ro");
  await assert.rejects(openLog(context, {}, { folder }), (error) => {
    assert.ok(error instanceof SallyportError);
    assert.equal(error.code, "audit-failed");
    assert.match(error.message, /EROFS/);
    return true;
  });
});

/** A file system of 512 KiB in memory; undefined, said in the test's output, where none can be mounted. */
async function mountSmallDisk(context: TestContext): Promise<string | undefined> {
  const disk = await mkdtemp(join(tmpdir(), "sallyport-disk-"));
  const options = "size=512k,mode=0700";
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", disk]);
  if (mounted.status !== 0) {
    await rmdir(disk);
    context.diagnostic("skipped: mounting a small file system takes root");
    return undefined;
  }
  context.after(async () => {
    spawnSync("umount", ["--lazy", disk]);
    await rmdir(disk);
  });
  return disk;
}

function remount(disk: string, how: "ro"): void {
  const result = spawnSync("mount", ["-o", `remount,${how}`, disk]);
  assert.equal(result.status, 0);
}
