/**
 * A process to be killed: writes decisions, seals and compresses them, and says on stdout which ones are
 * durable. Used by audit-sealing-crash.test.ts.
 */
import { permit } from "./audit-kit.ts";
import { openKeptLog } from "./kept-log.ts";

const [, , folder = "", durability = ""] = process.argv;
const { audit } = await openKeptLog(folder, {
  durability: durability === "strict" ? "strict" : "batched",
  // Small and soon, so that there is always a file that is begun, sealed or compressed.
  segment: "64KiB",
  compressAfter: "1s",
});

async function work(worker: number): Promise<void> {
  for (let index = 0; ; index++) {
    const requestId = `${process.pid}-${worker}-${index}`;
    if (audit.decision(permit({ requestId, timeMs: Date.now() })) !== "recorded") continue;
    await (audit.durable() ?? new Promise((resolve) => setTimeout(resolve, 1)));
    process.stdout.write(`${requestId}\n`);
  }
}

await Promise.all(Array.from({ length: 4 }, (_, worker) => work(worker)));
