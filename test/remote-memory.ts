/** A memory that others share: it answers later, and where it is told to, not at all. */
import { SallyportError } from "../src/model/errors.ts";
import type { SharedMemory } from "../src/model/shared-memory.ts";

export interface RemoteFaults {
  /** A verb that fails, or all of them. */
  readonly refuses?: keyof SharedMemory | "all" | (() => boolean);
}

export function remoteMemory(inner: SharedMemory, { refuses }: RemoteFaults = {}): SharedMemory {
  async function run<T>(verb: keyof SharedMemory, work: () => T | Promise<T>): Promise<T> {
    await new Promise((resolve) => setImmediate(resolve));
    const refused =
      typeof refuses === "function" ? refuses() : refuses === verb || refuses === "all";
    if (refused) throw new SallyportError("memory-unavailable", "nobody answers");
    return await work();
  }
  return {
    get since() {
      return inner.since;
    },
    agree: (space, key, value, ttlMs) => run("agree", () => inner.agree(space, key, value, ttlMs)),
    claim: (space, key, ttlMs) => run("claim", () => inner.claim(space, key, ttlMs)),
    get: (space, key) => run("get", () => inner.get(space, key)),
    put: (space, key, value, ttlMs) => run("put", () => inner.put(space, key, value, ttlMs)),
    remove: (space, key) => run("remove", () => inner.remove(space, key)),
  };
}
