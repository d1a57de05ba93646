/** The tables of `usage.db`, and where the file lies. */
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import {
  inspectSideDatabase,
  openSideDatabase,
  readSideDatabase,
  type SideDatabaseOptions,
} from "../../platform/side-database.ts";

const FILE = "usage.db";
const FOLDER = "usage";

/** `SALU`. */
const APPLICATION_ID = 0x53414c55;
const VERSION = 1;

/**
 * `usage`: sums of an hour (its beginning, in seconds). `segments`: bytes of each file of the log that are
 * in the sums. `open`: requests that were counted and have not ended, whose bytes are still to come.
 * `told`: what was said of a principal's quota in a period.
 */
const TABLES = `
  CREATE TABLE principals (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
  );
  CREATE TABLE usage (
    hour INTEGER NOT NULL,
    principal INTEGER NOT NULL,
    plan TEXT NOT NULL,
    service TEXT NOT NULL,
    route TEXT NOT NULL,
    operation TEXT NOT NULL,
    requests INTEGER NOT NULL,
    denied INTEGER NOT NULL,
    bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    PRIMARY KEY (hour, principal, plan, service, route, operation)
  ) WITHOUT ROWID;
  CREATE INDEX usage_of_principal ON usage (principal, hour);
  CREATE TABLE segments (
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    ended INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE open (
    decision TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    principal TEXT NOT NULL,
    plan TEXT NOT NULL,
    service TEXT NOT NULL,
    route TEXT NOT NULL,
    operation TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE told (
    event TEXT NOT NULL,
    principal TEXT NOT NULL,
    period TEXT NOT NULL,
    start INTEGER NOT NULL,
    PRIMARY KEY (event, principal, period, start)
  ) WITHOUT ROWID;
`;

/** Where it lies: `path` of the options, or beside the log. */
export function usageFile(
  options: { readonly path?: string | undefined },
  auditFolder: string,
): string {
  return join(options.path ?? join(auditFolder, FOLDER), FILE);
}

/** Throws SallyportError `store-failed`. */
export function openUsage(path: string): DatabaseSync {
  return openSideDatabase(optionsOf(path));
}

/** Throws SallyportError `store-failed`. */
export function readUsage(path: string): DatabaseSync {
  return readSideDatabase(optionsOf(path));
}

/** What `openUsage` would refuse, without a connection. False where there is none yet. Throws SallyportError `store-failed`. */
export function inspectUsage(path: string): boolean {
  return inspectSideDatabase(optionsOf(path));
}

function optionsOf(path: string): SideDatabaseOptions {
  return {
    name: "usage",
    path,
    applicationId: APPLICATION_ID,
    version: VERSION,
    tables: TABLES,
    remedy: "sallyport usage rebuild makes it of the log",
  };
}
