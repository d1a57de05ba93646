/**
 * One process at a time adds to a tree: two would each sign a log of their own, and no witness could
 * tell which is right. Whoever adds has its name in `lock`; that of a process that is gone does not count.
 */
import { readFileSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { codeOf } from "../files.ts";
import { createWhole, readTreeFile, TREE_FILES, treeError } from "./tree-files.ts";

const LIMITS = {
  /** Times that a lock of the dead is put aside before somebody else is taken to be faster. */
  tries: 8,
} as const;

/** Returns what gives it back. Throws SallyportError `audit-failed` while another process has it. */
export function lockTree(folder: string): () => void {
  const path = join(folder, TREE_FILES.lock);
  const own = `${process.pid} ${startOf(process.pid)}\n`;
  for (let tried = 0; tried < LIMITS.tries; tried++) {
    if (createWhole(path, own)) return () => unlock(path, own);
    const holder = readTreeFile(path);
    if (holder === undefined) continue;
    const [, pid = "", start = ""] = /^(\d+) (\d+)\n$/.exec(holder) ?? [];
    if (isAlive(Number(pid), start)) {
      throw treeError(path, `says that process ${pid} seals this log; end that one first`);
    }
    unlock(path, holder);
  }
  throw treeError(path, "is taken by others again and again");
}

function unlock(path: string, own: string): void {
  try {
    if (readTreeFile(path) === own) unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

function isAlive(pid: number, start: string): boolean {
  if (!Number.isSafeInteger(pid) || pid < 1) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (codeOf(error) !== "EPERM") return false;
  }
  // In containers a new process often has the number of the one before: its start tells them apart.
  const started = startOf(pid);
  return started === start || started === "0";
}

/** When a process began, in ticks since the machine did; `0` where the system does not say. */
function startOf(pid: number): string {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8")
      .replaceAll(/\D/g, "")
      .slice(0, 8);
    // Behind the name, which is in brackets and can hold anything: the 20th of the other fields.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return `${boot}${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "0"}`;
  } catch {
    return "0";
  }
}
