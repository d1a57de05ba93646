/** The memory of a process as tests of identities have it: time stands still until they turn it. */
import { createLocalMemory, type LocalMemory } from "../../src/memory/local-memory.ts";
import type { ManualClock } from "../../src/platform/clock.ts";
import { ManualTimers } from "../../src/platform/timers.ts";

export function testMemory(clock: ManualClock): LocalMemory {
  return createLocalMemory({ clock, timers: new ManualTimers() });
}
