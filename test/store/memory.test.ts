/** The contract on the store in memory, so that tests which stand on it mean something. */
import { systemClock } from "../../src/platform/clock.ts";
import { testStoreContract } from "./contract.ts";
import { createMemoryStore } from "./memory.ts";

testStoreContract("memory", () => {
  const store = createMemoryStore(systemClock);
  return Promise.resolve({ open: () => Promise.resolve(store.open()) });
});
