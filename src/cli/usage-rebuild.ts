/**
 * `sallyport usage rebuild`: makes the book of usage anew of the audit log, beside the one that is there,
 * and puts it in its place once it is whole. Refuses while somebody writes the log, and where the log
 * does not go back as far as the book: what it would lose exists nowhere else.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { takeKeepingLock } from "../app/keeping/keeping-lock.ts";
import { createFollower } from "../audit/follow/follower.ts";
import { segmentsAmong } from "../audit/segment-names.ts";
import { createUsageConsumer } from "../limits/usage/usage-consumer.ts";
import { readUsage, usageFile } from "../limits/usage/usage-database.ts";
import { hourText } from "../limits/usage/periods.ts";
import { SallyportError } from "../model/errors.ts";
import type { Log } from "../model/ports.ts";
import { systemClock } from "../platform/clock.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { counted } from "./counted.ts";
import type { Said } from "./usage.ts";
import { type UsagePlace, usagePlaceOf } from "./usage-config.ts";

export interface RebuildOptions {
  readonly config: string;
  /** Whether hours that the log does not have any more may be lost. */
  readonly loseOlder: boolean;
}

/** Always 0. Throws ConfigError and SallyportError; then the book is as it was. */
export async function usageRebuild(options: RebuildOptions, said: Said): Promise<number> {
  const place = usagePlaceOf(options.config);
  // Whoever keeps the log keeps the book, and would go on writing the one that is replaced.
  const lock = takeKeepingLock(place.auditFolder);
  if (lock === undefined) refuse("a proxy keeps this log; stop it first");
  const folder = besideOf(place.file);
  try {
    const files = await makeAnew(place, folder, said);
    const made = usageFile({ path: folder }, place.auditFolder);
    if (!options.loseOlder) refuseLoss(firstHour(place.file, said), firstHour(made, said));
    replace(made, place.file);
    said.write(`${place.file}: made of ${counted(files, "file")} of the log\n`);
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
    lock.release();
  }
}

function besideOf(file: string): string {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  return mkdtempSync(join(dirname(file), ".rebuild-"));
}

/** How many files it was made of. */
async function makeAnew(
  { auditFolder, options }: UsagePlace,
  folder: string,
  said: Said,
): Promise<number> {
  const log = loudLog(said);
  const deps = { clock: systemClock, log, metrics: createMetrics() };
  const consumer = createUsageConsumer({ ...options, path: folder }, auditFolder, {
    ...deps,
    events: { event: () => undefined },
  });
  const segments = segmentsAmong(readdirSync(auditFolder));
  const follower = createFollower({ folder: auditFolder, consumers: [consumer] }, deps);
  let more = true;
  while (more) {
    more = await follower.look();
    await follower.commit();
  }
  const seen = new Set(follower.seen().map(({ segment }) => segment));
  await follower.close();
  const unseen = segments.find(({ segment }) => !seen.has(segment));
  if (unseen !== undefined) refuse(`${unseen.file} is still written, or cannot be read`);
  return segments.length;
}

/** Of two books, their first hours. */
function refuseLoss(before: number | undefined, after: number | undefined): void {
  if (before === undefined || (after !== undefined && after <= before)) return;
  const since = after === undefined ? "nothing" : `usage from ${hourText(after)} on`;
  refuse(
    `the book begins with ${hourText(before)} and the log has ${since}; --lose-older if that may be lost`,
  );
}

/** Of its beginning, milliseconds since the epoch; undefined where there is none that can be read. */
function firstHour(file: string, said: Said): number | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const database = readUsage(file);
    try {
      const hour = database.prepare("SELECT min(hour) AS hour FROM usage").get()?.["hour"];
      return hour === null || hour === undefined ? undefined : Number(hour) * 1000;
    } finally {
      database.close();
    }
  } catch (error) {
    said.hint(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

/** What SQLite keeps beside the old file must not be taken for the new one's. */
function replace(made: string, file: string): void {
  for (const suffix of ["-wal", "-shm", "-journal"]) rmSync(file + suffix, { force: true });
  renameSync(made, file);
}

function refuse(what: string): never {
  throw new SallyportError("store-failed", `usage: ${what}`);
}

function loudLog({ hint }: Said): Log {
  const nothing = (): void => undefined;
  return { debug: nothing, info: nothing, warn: hint, error: hint };
}
