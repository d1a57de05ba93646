/** `sallyport audit export`: all records of a time, as they are or as CSV. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { open, rename, rm } from "node:fs/promises";
import { type Exported, exportLog, type ExportOptions } from "../audit/search/export-log.ts";
import type { FilterInput } from "../audit/search/read-filter.ts";
import { SallyportError } from "../model/errors.ts";
import { systemClock } from "../platform/clock.ts";
import { counted } from "./counted.ts";
import {
  filterOf,
  folderOf,
  hasKeyless,
  HIDDEN_SUBJECTS,
  type LogOptions,
  type Said,
} from "./audit-search.ts";

export interface AuditExportOptions extends LogOptions, FilterInput {
  readonly format: "jsonl" | "csv";
  /** A file; standard output when left out. */
  readonly output?: string | undefined;
}

/** 0: all of it; 1: lines were left out that are no records. Throws SallyportError and ConfigError. */
export async function auditExport(options: AuditExportOptions, said: Said): Promise<number> {
  const folder = folderOf(options);
  const asked = {
    filter: await filterOf(options, folder, systemClock.now()),
    format: options.format,
  };
  const { output } = options;
  const done =
    output === undefined
      ? await exportLog(folder, { ...asked, write: toStdout })
      : await intoFile(output, (write) => exportLog(folder, { ...asked, write }));
  said.hint(`${counted(done.records, "record")} of ${counted(done.files, "file")} exported`);
  if (done.hidesSubjects && hasKeyless(options, asked.filter)) said.hint(HIDDEN_SUBJECTS);
  if (done.faults > 0) said.hint(`lines that are no records, and were left out: ${done.faults}`);
  return done.faults === 0 ? 0 : 1;
}

async function toStdout(text: string): Promise<void> {
  try {
    if (!process.stdout.write(text)) await once(process.stdout, "drain");
  } catch (error) {
    const message = "standard output was closed before all of it was written";
    throw new SallyportError("io-failed", message, { cause: error });
  }
}

/** Written beside and renamed: what has the name is whole. Its owner's own, as the log is. */
async function intoFile(
  path: string,
  run: (write: ExportOptions["write"]) => Promise<Exported>,
): Promise<Exported> {
  const draft = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const file = await open(draft, "wx", 0o600);
    let done: Exported;
    try {
      done = await run((text) => file.appendFile(text));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    return done;
  } catch (error) {
    await rm(draft, { force: true });
    if (error instanceof SallyportError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new SallyportError("io-failed", `${path} cannot be written (${code})`, { cause: error });
  }
}
