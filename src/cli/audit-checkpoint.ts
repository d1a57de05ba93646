/** `sallyport audit checkpoint`: a signed checkpoint of the log, for somebody to keep who is not its operator. */
import { join, resolve } from "node:path";
import { parseCheckpointLine, rawLines } from "../audit/tree/checkpoint-lines.ts";
import { TREE_FILES, TREE_FOLDER } from "../audit/tree/tree-files.ts";
import { ConfigError, SallyportError } from "../model/errors.ts";
import { auditFolderOf } from "./audit-folder.ts";
import type { Said } from "./audit-verify.ts";

export interface CheckpointCommandOptions {
  readonly config: string;
  readonly audit?: string | undefined;
  /** Records under it; the last one when left out. */
  readonly size?: string | undefined;
}

/** 1: there is none of that size. Throws SallyportError where the file does not read, and ConfigError. */
export function auditCheckpoint(options: CheckpointCommandOptions, { write, hint }: Said): number {
  const { audit, config, size } = options;
  if (size !== undefined && !/^(0|[1-9]\d{0,14})$/.test(size)) {
    throw new ConfigError([{ message: `--size: a number of records, not "${size}"` }]);
  }
  const folder = audit === undefined ? auditFolderOf(config) : resolve(audit);
  const { note, before, after } = find(folder, size === undefined ? undefined : Number(size));
  if (note !== undefined) {
    write(note);
    return 0;
  }
  const near = [before, after].filter((one) => one !== undefined);
  const where =
    near.length === 0 ? "nothing is sealed" : `there are those of ${near.join(" and ")}`;
  const which = size === undefined ? "" : ` of ${size} records`;
  hint(`there is no checkpoint${which} in ${folder}; ${where}`);
  return 1;
}

interface Found {
  note?: string;
  /** Sizes of the last one before, and of the first one after. */
  before?: number;
  after?: number;
}

function find(folder: string, wanted: number | undefined): Found {
  const path = join(folder, TREE_FOLDER, TREE_FILES.checkpoints);
  const found: Found = {};
  for (const { text, torn, number } of rawLines(path)) {
    if (torn) break;
    const { note, size } = parsed(text, path, number);
    if (wanted === undefined || size === wanted) found.note = note;
    else if (size < wanted) found.before = size;
    else {
      found.after = size;
      break;
    }
  }
  return found;
}

function parsed(text: string, path: string, number: number) {
  try {
    return parseCheckpointLine(text);
  } catch (error) {
    const message = `${path} has a line ${number} that does not read; see \`sallyport audit verify\``;
    throw new SallyportError("audit-failed", message, { cause: error });
  }
}
