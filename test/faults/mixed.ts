/** Exchanges that fail in one way or another, each at once: what waits for a timeout is elsewhere. */
import { requestBytes } from "../e2e/stage.ts";
import { RogueCaller } from "./rogue-caller.ts";
import type { FaultName } from "./rogue-service.ts";

const SERVICES: readonly FaultName[] = [
  "fine",
  "closes-at-once",
  "resets-at-once",
  "closes-in-head",
  "closes-in-body",
  "closes-in-chunks",
  "garbage",
  "floods-interim",
  "two-answers",
  "bent-chunks",
  "endless-head",
];

/** Some callers wait for the end, some leave when they have sent, some break their request. */
const CALLERS: readonly ((caller: RogueCaller, path: string) => Promise<void>)[] = [
  async (caller, path) => {
    caller.send(requestBytes(path, ["Connection: close"]));
    await caller.closed();
  },
  async (caller, path) => {
    caller.send(requestBytes(path, ["Connection: close"]));
    await caller.closed();
  },
  async (caller, path) => {
    caller.send(requestBytes(path, ["X-Filler: ".padEnd(2000, "f")]));
    await new Promise(setImmediate);
    caller.leave("reset");
  },
  async (caller, path) => {
    caller.send(
      `POST ${path} HTTP/1.1\r\nHost: api.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\nzz\r\n`,
    );
    await caller.closed();
  },
];

/** Number `index` of a mix in which every fault of a service meets every kind of caller. */
export async function mixedExchange(proxy: string, index: number): Promise<void> {
  const caller = await RogueCaller.open(proxy);
  const service = SERVICES[index % SERVICES.length] ?? "fine";
  const play = CALLERS[index % CALLERS.length];
  await play?.(caller, index % 50 === 7 ? `/refusing/${index}` : `/fault/${service}/${index}`);
}
