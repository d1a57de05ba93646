/**
 * `sallyport check` on the folder of the audit log and the book of usage: what a start would refuse of them.
 * Nothing is made, changed or locked: a running proxy may have them. What only another user can look at is
 * no problem of the configuration, and is told as left out.
 */
import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import { inspectAuditFolder } from "../audit/folder.ts";
import { inspectTree } from "../audit/tree/inspect-tree.ts";
import type { Config } from "../config/schema.ts";
import { inspectUsage, usageFile } from "../limits/usage/usage-database.ts";
import { type Problem, SallyportError } from "../model/errors.ts";

export interface PlaceFindings {
  readonly problems: readonly Problem[];
  /** What was left out, and why. */
  readonly leftOut?: string | undefined;
}

/** `config` undefined: it did not load. */
export async function checkPlaces(
  file: string,
  config: Pick<Config, "audit" | "usage"> | undefined,
): Promise<PlaceFindings> {
  if (config === undefined) return { problems: [] };
  const { audit, usage } = config;
  const problems: Problem[] = [];
  const leftOut: string[] = [];
  const look = async (run: () => void | Promise<void>): Promise<boolean> => {
    try {
      await run();
      return true;
    } catch (error) {
      if (!(error instanceof SallyportError)) throw error;
      if (isForbidden(error)) leftOut.push(error.message);
      else problems.push({ file, message: error.message });
      return false;
    }
  };
  const entered = await look(async () => {
    if (!(await inspectAuditFolder(audit.path))) refuseUnmakeable("audit", audit.path);
  });
  // What lies in a folder that is refused is for the next look.
  if (entered) await look(() => inspectTree(audit.path, audit.checkpoints));
  if (usage !== undefined) {
    const book = usageFile(usage, audit.path);
    await look(() => {
      if (!inspectUsage(book)) refuseUnmakeable("usage", dirname(book));
    });
  }
  if (leftOut.length === 0) return { problems };
  const why = [...new Set(leftOut)].join("; ");
  return { problems, leftOut: `what this user may not: ${why}; check as the user that runs it` };
}

/** Of a folder that is not there: the next one above it that is has to take it. */
function refuseUnmakeable(name: string, path: string): void {
  let above = path;
  while (statSync(above, { throwIfNoEntry: false }) === undefined) above = dirname(above);
  try {
    if (!statSync(above).isDirectory()) throw codeError("ENOTDIR");
    accessSync(above, constants.W_OK | constants.X_OK);
  } catch (cause) {
    const code = String((cause as NodeJS.ErrnoException).code);
    const message = `${name}: ${path} cannot be made in ${above} (${code})`;
    throw new SallyportError("io-failed", message, { cause });
  }
}

function codeError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function isForbidden({ cause }: SallyportError): boolean {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return code === "EACCES" || code === "EPERM";
}
