/** `sallyport store restore FILE`: a backup in the place of a SQLite store, under a new epoch. */
import { systemClock } from "../platform/clock.ts";
import { restoreSqlite } from "../store/sqlite-restore.ts";
import { readSqlitePath } from "./store-config.ts";

/** What a restore means for what was decided after the backup was made. */
const LEFT_TO_DO = [
  "what was revoked after the backup was made has to be revoked again",
  "keys that an emergency ended after it are back: sallyport keys rotate all --emergency, once it runs",
  "the key of the feed is replaced by itself when the authority starts",
];

/** Throws ConfigError, SallyportError. */
export async function storeRestore(
  config: string,
  file: string,
  { replace }: { readonly replace: boolean },
): Promise<number> {
  const remedy = "restore it with Postgres' own tools, then sallyport store new-epoch";
  const path = await readSqlitePath(config, remedy);
  const nowMs = systemClock.now();
  const { epoch, number, schema, setAside } = restoreSqlite(file, path, { replace, nowMs });
  console.log(`${path}: number ${number}, now of epoch ${epoch}, schema ${schema}`);
  if (setAside !== undefined) console.log(`what was there is ${setAside}`);
  for (const line of LEFT_TO_DO) console.log(line);
  return 0;
}
