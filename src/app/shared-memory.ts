/** Opens what all proxies hold in common, where the configuration names it. */
import type { Config } from "../config/schema.ts";
import { createRedisMemory, type RedisMemory } from "../memory/redis-memory.ts";
import { readFileBytes } from "../platform/files.ts";
import type { Instruments } from "./instruments.ts";

/** From then on `instruments.shared` is it, and rates can be counted in it. Undefined where none is named; then it stays what is near. */
export function openShared(
  { shared }: Pick<Config, "shared">,
  instruments: Instruments,
): RedisMemory | undefined {
  if (shared === undefined) return undefined;
  const memory = createRedisMemory(shared, { ...instruments, readFile: readFileBytes });
  instruments.shared.use(memory);
  instruments.common.rates = memory.rates;
  return memory;
}
