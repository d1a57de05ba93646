/** `sallyport store backup FILE`: a whole copy of a SQLite store, while it is in use. */
import { backupSqlite } from "../store/sqlite-backup.ts";
import { readSqlitePath } from "./store-config.ts";

/** Throws ConfigError, SallyportError. */
export async function storeBackup(config: string, file: string): Promise<number> {
  const path = await readSqlitePath(config, "pg_dump, or what your Postgres is backed up with");
  const { epoch, number, schema } = backupSqlite(path, file);
  console.log(`${file}: number ${number} of epoch ${epoch}, schema ${schema}`);
  return 0;
}
