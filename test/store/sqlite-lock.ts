/** A process that takes SQLite's write lock of a file, says so, and holds it until stdin ends. */
import { DatabaseSync } from "node:sqlite";

const database = new DatabaseSync(process.argv[2] ?? "", { timeout: 10_000 });
database.exec("BEGIN IMMEDIATE");
process.stdout.write("locked\n");
process.stdin.resume().once("end", () => {
  database.exec("ROLLBACK");
  database.close();
});
