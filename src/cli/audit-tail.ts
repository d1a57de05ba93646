/** `sallyport audit tail`: the last records, and with `--follow` those that come. */
import { setTimeout as delay } from "node:timers/promises";
import type { FilterInput } from "../audit/search/read-filter.ts";
import { recordCells } from "../audit/search/record-text.ts";
import { listSegments } from "../audit/search/segment-reader.ts";
import { LogTail, type TailedRecord } from "../audit/search/tail-log.ts";
import { SallyportError } from "../model/errors.ts";
import { systemClock } from "../platform/clock.ts";
import { filterOf, folderOf, type LogOptions, readLimit, type Said } from "./audit-search.ts";
import { endingSignal } from "./first-signal.ts";
import { plain } from "./table.ts";

const LIMITS = {
  /** Records from before now. */
  records: 10_000,
  /** Milliseconds between two looks at the folder. */
  look: 250,
} as const;

export interface TailOptions extends LogOptions, FilterInput {
  readonly limit: string;
  readonly follow: boolean;
  readonly format: "text" | "jsonl";
}

/** Always 0. With `follow` it ends at the first signal. Throws SallyportError and ConfigError. */
export async function auditTail(options: TailOptions, said: Said): Promise<number> {
  const end = options.follow ? endingSignal() : undefined;
  const folder = folderOf(options);
  const filter = await filterOf(options, folder, systemClock.now());
  const lines = readLimit(options.limit, LIMITS.records);
  const tail = new LogTail(folder, { filter, lines });
  const show = (records: readonly TailedRecord[]): void => {
    const text = options.format === "jsonl" ? jsonLine : textLine;
    if (records.length > 0) said.write(records.map(text).join(""));
  };
  // What is not there yet may come.
  if (end === undefined && (await listSegments(folder)).length === 0) {
    throw new SallyportError("audit-failed", `audit: ${folder} holds no audit-*.jsonl`);
  }
  show(await tail.last());
  if (end === undefined) return 0;
  const over = (): boolean => end.aborted;
  while (!over()) {
    await delay(LIMITS.look, undefined, { signal: end }).catch(() => undefined);
    for await (const records of tail.next()) show(records);
  }
  return 0;
}

function jsonLine({ line }: TailedRecord): string {
  return `${line}\n`;
}

function textLine({ record }: TailedRecord): string {
  return `${recordCells(record).map(plain).join("  ")}\n`;
}
