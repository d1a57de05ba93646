/** Only what is kept about the log is on a disk that is full or read-only. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { SallyportError } from "../src/model/errors.ts";
import { permit, until } from "./audit-kit.ts";
import { linesOf, openKeptLog, verified } from "./kept-log.ts";

interface Ground {
  readonly folder: string;
  /** On a file system of its own. */
  readonly tree: string;
}

/** Undefined, said in the output, where none can be mounted. */
function ground(context: TestContext, options: string): Ground | undefined {
  const home = mkdtempSync(join(tmpdir(), "sallyport-audit-"));
  const folder = join(home, "audit");
  const tree = join(folder, "tree");
  mkdirSync(tree, { recursive: true, mode: 0o700 });
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `${options},mode=0700`, "tmpfs", tree]);
  context.after(() => {
    spawnSync("umount", ["--lazy", tree]);
    rmSync(home, { recursive: true, force: true });
  });
  if (mounted.status === 0) return { folder, tree };
  context.diagnostic("skipped: mounting a small file system takes root");
  return undefined;
}

test("a tree that has no room is an alarm and holds nobody up; sealing catches up", async (context) => {
  const found = ground(context, "size=256k");
  if (found === undefined) return;
  const { folder, tree } = found;
  const { audit, keeping, lines, close } = await openKeptLog(folder, {});
  const ballast = join(tree, "ballast");
  assert.throws(() => writeFileSync(ballast, Buffer.alloc(512 * 1024)), { code: "ENOSPC" });
  let written = 0;
  // What fits into the last page of a file still does.
  await until("the alarm", () => {
    if (audit.decision(permit({ requestId: `r${written}` })) === "recorded") written += 1;
    return keeping.trouble === "failing: tree";
  });
  assert.equal(keeping.state, "running");
  assert.ok(audit.writable());
  assert.ok(lines.some(({ level, fields }) => level === "error" && fields["consumer"] === "tree"));
  assert.equal(audit.decision(permit({ requestId: "meanwhile" })), "recorded");
  rmSync(ballast);
  await until("recovery", () => keeping.trouble === undefined);
  await close();
  const { faults, records } = await verified(folder);
  assert.deepEqual(faults, []);
  assert.equal(records, written + 1);
  assert.equal(linesOf(folder).length, records);
});

test("a tree that cannot be written keeps the process from starting, with its place", async (context) => {
  const found = ground(context, "ro");
  if (found === undefined) return;
  await assert.rejects(openKeptLog(found.folder, {}), (error) => {
    assert.ok(error instanceof SallyportError);
    assert.equal(error.code, "audit-failed");
    assert.match(error.message, /tree.*EROFS/);
    return true;
  });
});
