/**
 * A writer whose every step can be repeated: step k writes a document of its own that must be absent,
 * and moves a head from k-1 to k. Whatever became of a commit that got no answer, the head says it.
 */
import type { Store } from "../../src/model/store.ts";
import { SallyportError } from "../../src/model/errors.ts";

export interface Chain {
  /** Steps that are known to be kept. */
  readonly steps: number;
  /** How often the store could not be reached. */
  readonly interruptions: number;
}

/** Takes steps until `enough`; waits out what is unavailable. Rejects on everything else. */
export async function runChain(
  store: Store,
  name: string,
  enough: (chain: Chain) => boolean,
): Promise<Chain> {
  let interruptions = 0;
  let steps = 0;
  while (!enough({ steps, interruptions })) {
    try {
      steps = await step(store, name);
    } catch (error) {
      if (!(error instanceof SallyportError) || error.code !== "store-unavailable") throw error;
      interruptions += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  return { steps, interruptions };
}

/** Goes by what is kept, and by nothing that it remembers. Resolves to the steps kept. */
async function step(store: Store, name: string): Promise<number> {
  const head = await store.get("facts", name);
  const next = Number(head?.body?.["value"] ?? 0) + 1;
  const commit = await store.commit([
    { collection: "facts", id: name, body: { value: next }, expect: head?.number ?? "absent" },
    { collection: "bundles", id: `${name}-${next}`, body: { value: next }, expect: "absent" },
  ]);
  if (commit.conflict !== undefined) throw new Error("somebody else took this step");
  return next;
}
