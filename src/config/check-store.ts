/**
 * The store of an authority and the key that it is sealed under: that the URL says what it means, that
 * the key can be read by us and by nobody else, and that no password is written where others read.
 */
import { resolve } from "node:path";
import { isKeeper, type KeySource } from "../authority/authority-options.ts";
import { ConfigError, SallyportError } from "../model/errors.ts";
import { readKey } from "../platform/key-source.ts";
import { systemTimers } from "../platform/timers.ts";
import { lookAtSqliteFile } from "../store/sqlite-file.ts";
import { readPostgresUrl } from "../store/postgres-options.ts";
import { parseStoreUrl } from "../store/store-url.ts";
import type { Draft } from "./draft.ts";
import type { Expansion } from "./expand.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import { type Path, pathKey } from "../wire/document/place.ts";
import { resolveStore } from "./resolve-paths.ts";

interface StoreSubject {
  readonly draft: Draft;
  readonly expansion: Expansion;
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const STORE: Path = ["authority", "store"];
const KEY: Path = ["authority", "keyEncryptionKey"];

export async function checkStore(subject: StoreSubject): Promise<PathProblem[]> {
  const { authority } = subject.draft;
  if (!isKeeper(authority)) return [];
  const { store, keyEncryptionKey } = authority;
  const keys: { readonly source: KeySource; readonly path: Path }[] = [
    { source: keyEncryptionKey, path: KEY },
    ...keyEncryptionKey.previous.map((source, index) => ({
      source,
      path: [...KEY, "previous", index],
    })),
  ];
  const faults = await Promise.all(keys.map((key) => keyProblems(key, subject)));
  return [...storeProblems(store, subject.folder), ...faults.flat()];
}

function storeProblems(store: string, folder: string): PathProblem[] {
  try {
    const location = parseStoreUrl(store);
    if (location.engine === "postgres") readPostgresUrl(new URL(resolveStore(store, folder)));
    else lookAtSqliteFile(resolve(folder, location.path));
    return [];
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.problems.map(({ message, remedy }) => ({ path: STORE, message, remedy }));
    }
    if (!(error instanceof SallyportError)) throw error;
    const remedy = store.startsWith("sqlite:")
      ? "a file of mode 0600, in a folder that only this user can write to"
      : "a file that can be read";
    return [{ path: STORE, message: error.message, remedy }];
  }
}

/** A command is not run: it may ask another machine, and have an effect there. */
async function keyProblems(
  { source, path }: { readonly source: KeySource; readonly path: Path },
  { folder, env }: StoreSubject,
): Promise<PathProblem[]> {
  if ("command" in source) return [];
  const place = "file" in source ? { file: resolve(folder, source.file) } : source;
  try {
    const key = await readKey(place, { env, timers: systemTimers });
    key.fill(0);
    return [];
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    const { message } = error;
    const said =
      "file" in source && "file" in place ? message.replaceAll(place.file, source.file) : message;
    const at = [...path, "file" in source ? "file" : "env"];
    return [{ path: at, message: said, remedy: "a key that only this process can read" }];
  }
}

/** A password in the file is in every copy of it. */
export function checkStoreWarnings({ draft, expansion }: StoreSubject): PathProblem[] {
  const { authority } = draft;
  if (!isKeeper(authority) || authority.store.startsWith("sqlite:")) return [];
  const written = expansion.written.get(pathKey(STORE)) ?? authority.store;
  const password = /^[a-z]+:\/\/[^/@:]*:([^/@]+)@/.exec(written)?.[1];
  if (password === undefined || password.includes("${")) return [];
  const message = "the password of the store is written in the configuration";
  return [{ path: STORE, message, remedy: "${env:NAME} or ${file:path} in its place" }];
}
