/**
 * The memory that a process shares: near (its own, or its supervisor's) until the configuration, which is
 * read later, names another. It is switched at most once, before anything is served.
 */
import type { SharedMemory } from "../model/shared-memory.ts";

export class SwitchedMemory implements SharedMemory {
  #to: SharedMemory;

  constructor(near: SharedMemory) {
    this.#to = near;
  }

  use(memory: SharedMemory): void {
    this.#to = memory;
  }

  get since(): number {
    return this.#to.since;
  }

  claim(space: string, key: string, ttlMs: number): boolean | Promise<boolean> {
    return this.#to.claim(space, key, ttlMs);
  }

  agree(space: string, key: string, value: string, ttlMs: number): string | Promise<string> {
    return this.#to.agree(space, key, value, ttlMs);
  }

  get(space: string, key: string): string | undefined | Promise<string | undefined> {
    return this.#to.get(space, key);
  }

  put(space: string, key: string, value: string, ttlMs: number): void | Promise<void> {
    return this.#to.put(space, key, value, ttlMs);
  }

  remove(space: string, key: string): void | Promise<void> {
    return this.#to.remove(space, key);
  }
}
