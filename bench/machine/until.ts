/** Waits until something that has no event of its own is so: another program accepting connections. */
import { setTimeout as pause } from "node:timers/promises";
import type { Program } from "./site.ts";

const POLL_MS = 25;
const DEADLINE_MS = 20_000;

/** Resolves once `isSo` is true; a check that throws counts as not yet. Rejects if the program dies or time is up. */
export async function until(
  what: string,
  program: Program,
  isSo: () => Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  let cause: unknown;
  while (performance.now() < deadline) {
    program.assertAlive();
    try {
      if (await isSo()) return;
    } catch (error) {
      cause = error;
    }
    await pause(POLL_MS);
  }
  const output = program.output().slice(-2000);
  throw new Error(`waited in vain until ${what}; ${program.name} printed:\n${output}`, { cause });
}
