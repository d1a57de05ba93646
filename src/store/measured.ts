/** A store with its figures: how long each verb takes, and how often it fails, by error code. */
import { SallyportError } from "../model/errors.ts";
import type { OpenStore, StoreDeps } from "./store-deps.ts";

/** Verbs by what they are called in `Store`; the labels are from this list only. */
const VERBS = ["epoch", "get", "list", "changes", "now", "commit", "purge"] as const;
type Verb = (typeof VERBS)[number];

/** Seconds; a commit on a local disk takes milliseconds, the bound of everything is five seconds. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5] as const;

export function measured(
  store: OpenStore,
  { clock, metrics }: Pick<StoreDeps, "clock" | "metrics">,
): OpenStore {
  const seconds = metrics.histogram(
    "sallyport_store_seconds",
    "Duration of the store's verbs, failed ones included.",
    { buckets: BUCKETS, labels: ["verb"] },
  );
  const failures = metrics.counter(
    "sallyport_store_failures_total",
    "Verbs of the store that failed, by the code of the error.",
    ["verb", "code"],
  );
  let inFlight = 0;
  metrics.sampled(
    "sallyport_store_in_flight",
    "Verbs of the store that have not ended: they run, or wait for a connection or for a lock.",
    () => inFlight,
  );
  const durations = new Map(VERBS.map((verb) => [verb, seconds.with(verb)]));
  const timed = async <T>(verb: Verb, run: () => Promise<T>): Promise<T> => {
    const started = clock.monotonic();
    inFlight += 1;
    try {
      return await run();
    } catch (error) {
      if (error instanceof SallyportError) failures.with(verb, error.code).inc();
      throw error;
    } finally {
      inFlight -= 1;
      durations.get(verb)?.observe((clock.monotonic() - started) / 1000);
    }
  };
  return {
    epoch: () => timed("epoch", () => store.epoch()),
    get: (collection, id) => timed("get", () => store.get(collection, id)),
    list: (collection, options) => timed("list", () => store.list(collection, options)),
    changes: (since, limit) => timed("changes", () => store.changes(since, limit)),
    now: () => timed("now", () => store.now()),
    commit: (writes) => timed("commit", () => store.commit(writes)),
    purge: (keepRemovalsMs) => timed("purge", () => store.purge(keepRemovalsMs)),
    watch: (changed) => store.watch(changed),
    figures: () => store.figures(),
    renewEpoch: () => store.renewEpoch(),
    close: () => store.close(),
  };
}
