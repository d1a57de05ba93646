/**
 * A process to be killed or asked to commit: writes steps of a chain into the store that it is given,
 * and says on stdout which ones are kept. Used by tests of SQLite with several processes.
 */
import { openStore } from "../../src/store/open-store.ts";
import { runChain } from "./chain.ts";
import { storeDeps } from "./kit.ts";

const [, , url = "", name = "", most = "0"] = process.argv;
const store = await openStore(url, storeDeps());
let told = 0;
await runChain(store, name, ({ steps }) => {
  if (steps > told) process.stdout.write(`${steps}\n`);
  told = steps;
  return most !== "0" && steps >= Number(most);
});
await store.close();
