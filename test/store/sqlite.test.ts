/** The contract on SQLite. */
import { join } from "node:path";
import { testStoreContract } from "./contract.ts";
import { opener, temporaryFolder } from "./kit.ts";

testStoreContract("sqlite", async (t) => {
  const folder = await temporaryFolder(t);
  return { open: opener(t, `sqlite:${join(folder, "state", "store.db")}`) };
});
