/**
 * `sallyport check` on the store of an authority: whether the key-encryption key opens what is there. Only
 * a SQLite store that exists is asked: a check connects nowhere, and makes nothing. A key that a command
 * prints is not asked for, since the command may ask another machine and have an effect there.
 */
import { existsSync } from "node:fs";
import type { KeeperOptions } from "../authority/authority-options.ts";
import { readSealer } from "../app/authority/sealer.ts";
import { type Problem, SallyportError } from "../model/errors.ts";
import { systemTimers } from "../platform/timers.ts";
import { findUnopened } from "../store/inspect-sealed.ts";
import { parseStoreUrl } from "../store/store-url.ts";
import { withStore } from "./store-config.ts";

export interface StoreFindings {
  readonly problems: readonly Problem[];
  /** What was left out, and why. */
  readonly leftOut?: string | undefined;
}

export async function checkStoreContents(
  file: string,
  keeper: KeeperOptions,
): Promise<StoreFindings> {
  const { previous, ...current } = keeper.keyEncryptionKey;
  const location = parseStoreUrl(keeper.store);
  if (location.engine !== "sqlite") {
    return { problems: [], leftOut: "whether the store can be reached, and its key opens it" };
  }
  if (!existsSync(location.path)) return { problems: [] };
  if ([current, ...previous].some((source) => "command" in source)) {
    const leftOut = "whether the key-encryption key opens the store: a command prints it";
    return { problems: [], leftOut };
  }
  try {
    const sealer = await readSealer(keeper.keyEncryptionKey, { timers: systemTimers });
    const unopened = await withStore(keeper, (store) => findUnopened(store, sealer));
    const remedy = "the key that the store was sealed with, first or under previous";
    return { problems: unopened.map((message) => ({ file, message, remedy })) };
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    return unread(file, error);
  }
}

/** What waits for an upgrade or for another process is no fault of the configuration. */
function unread(file: string, { code, message }: SallyportError): StoreFindings {
  if (code === "store-unavailable" || / sallyport run (upgrades|makes) /.test(message)) {
    return { problems: [], leftOut: `whether the key-encryption key opens the store: ${message}` };
  }
  return { problems: [{ file, message, remedy: "another store, or a backup: docs/store.md" }] };
}
