/** The sealer of the log with its witnesses: what it signs they are told at once, and at the end once more. */
import { join } from "node:path";
import type { AuditOptions } from "../../audit/audit-options.ts";
import { createSealer } from "../../audit/tree/sealer.ts";
import type { WitnessesDeps } from "../../audit/witness/witnesses.ts";
import type { RecordConsumer } from "../../model/record-feed.ts";

/** Rejects with SallyportError `audit-failed` or `key-invalid`. */
export async function createWitnessedSealer(
  { path, checkpoints }: Pick<AuditOptions, "path" | "checkpoints">,
  deps: Omit<WitnessesDeps, "random">,
): Promise<RecordConsumer> {
  const { witnesses: options, ...sealing } = checkpoints;
  if (options.length === 0) return await createSealer({ ...sealing, path }, deps);
  // Few logs have any, and they bring the whole of HTTP.
  const { createWitnesses } = await import("../../audit/witness/witnesses.ts");
  const witnesses = await createWitnesses(options, join(path, "tree"), {
    ...deps,
    random: Math.random,
  });
  const sealer = await createSealer(
    { ...sealing, path },
    { ...deps, onCheckpoint: (checkpoint) => witnesses.offer(checkpoint) },
  );
  try {
    witnesses.start({
      newest: () => sealer.last,
      consistency: (from, to) => sealer.consistency(from, to),
    });
  } catch (error) {
    sealer.close();
    throw error;
  }
  return {
    name: sealer.name,
    position: (segment) => sealer.position(segment),
    take: (batch) => sealer.take(batch),
    ended: (end) => sealer.ended?.(end),
    commit: () => sealer.commit(),
    async close() {
      // The last checkpoint goes out too, while proofs can still be made.
      sealer.commit();
      await witnesses.close();
      sealer.close();
    },
  };
}
