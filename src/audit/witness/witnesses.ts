/**
 * Gives each checkpoint of the log to its witnesses at once, keeps what they answer, and says so loudly when
 * one of them holds another log. Never keeps anybody waiting: sealing and traffic go on while all of them
 * are dead.
 */
import { SallyportError } from "../../model/errors.ts";
import type { EventLog } from "../../model/events.ts";
import type { Clock, Log, Metrics, Timers } from "../../model/ports.ts";
import { exchange } from "../../platform/bounded-exchange.ts";
import { Delivery } from "./delivery.ts";
import { createObjectStoreWitness } from "./object-store-witness.ts";
import { createTlogWitness } from "./tlog-witness.ts";
import { createWebhookWitness } from "./webhook-witness.ts";
import { openWitnessJournal, type WitnessJournal } from "./witness-journal.ts";
import type { WitnessOptions } from "./witness-options.ts";
import type {
  Checkpoint,
  CheckpointSource,
  Witness,
  WitnessAnswer,
  WitnessDeps,
} from "./witness.ts";

const LIMITS = {
  /** Milliseconds of the last try when the process ends: less than supervisors wait before they kill. */
  close: 3000,
} as const;

export interface WitnessesDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly events: EventLog;
  readonly random: () => number;
  /** For tests; the network when left out. */
  readonly exchange?: WitnessDeps["exchange"];
}

export interface Witnesses {
  /**
   * From now on. What has not been witnessed of the newest checkpoint goes out first. Throws SallyportError
   * `audit-failed` where a witness has seen more than there is: what it saw was on disk before it was told.
   */
  start(source: CheckpointSource): void;
  /** A new checkpoint. */
  offer(checkpoint: Checkpoint): void;
  /** One last try for what waits, bounded. */
  close(): Promise<void>;
}

/** `folder`: of the tree. Rejects with SallyportError `audit-failed` where what came back cannot be read. */
export async function createWitnesses(
  options: readonly WitnessOptions[],
  folder: string,
  deps: WitnessesDeps,
): Promise<Witnesses> {
  const journal = await openedJournal(folder);
  let source: CheckpointSource | undefined;
  const asked: WitnessDeps = {
    exchange: deps.exchange ?? exchange,
    consistency(from, to) {
      if (source === undefined) throw new TypeError("not started");
      return source.consistency(from, to);
    },
  };
  const note = reporter(journal, deps);
  const deliveries = options.map((each) => {
    const witness = createWitness(each, asked);
    return new Delivery(witness, journal.sizes.get(each.name) ?? 0, {
      ...deps,
      answered: note(witness),
    });
  });
  registerMetrics(deliveries, deps.metrics);
  const offer = (checkpoint: Checkpoint): void => {
    if (source === undefined) return;
    for (const delivery of deliveries) delivery.offer(checkpoint);
  };
  return {
    start(given) {
      source = given;
      const newest = given.newest();
      refuseShorter(journal, newest?.size ?? 0, folder);
      if (newest !== undefined) offer(newest);
    },
    offer,
    async close() {
      await Promise.all(deliveries.map((delivery) => delivery.close(LIMITS.close)));
      await journal.settled();
    },
  };
}

function createWitness(options: WitnessOptions, deps: WitnessDeps): Witness {
  if (options.type === "tlog-witness") return createTlogWitness(options, deps);
  if (options.type === "webhook") return createWebhookWitness(options, deps);
  return createObjectStoreWitness(options, deps);
}

/** Journal, log, metric and alarm of each answer. */
function reporter(
  journal: WitnessJournal,
  { clock, log, metrics, events }: WitnessesDeps,
): (witness: Witness) => (checkpoint: Checkpoint, answer: WitnessAnswer) => void {
  const failures = metrics.counter(
    "sallyport_audit_witness_failures_total",
    "Tries to have a checkpoint witnessed that failed, by witness and how (`unreachable`, `refused`, `forked`).",
    ["witness", "outcome"],
  );
  return ({ name, place, type }) => {
    let last: WitnessAnswer["outcome"] = "witnessed";
    return ({ size }, answer) => {
      const changed = answer.outcome !== last;
      last = answer.outcome;
      if (answer.outcome === "witnessed") {
        if (changed) log.info("the witness takes checkpoints again", { witness: name, size });
        const { status, cosignatures } = answer;
        const time = new Date(clock.now()).toISOString();
        const kept = cosignatures.length === 0 ? {} : { cosignatures };
        journal.append({ ...kept, name, place, size, status, time, type }).catch((error: Error) => {
          log.warn("what a witness answered could not be kept", { witness: name, error });
        });
        return;
      }
      failures.with(name, answer.outcome).inc();
      const fields = { witness: name, size, detail: answer.detail };
      if (answer.outcome === "forked") {
        log.error("a witness holds another log than this one", fields);
        if (!changed) return;
        const figures = { size, witness: name };
        events.event({ timeMs: clock.now(), event: "forked-log", detail: answer.detail, figures });
      } else if (changed) {
        log.warn("a witness does not take checkpoints", { ...fields, outcome: answer.outcome });
      }
    };
  };
}

function registerMetrics(deliveries: readonly Delivery[], metrics: Metrics): void {
  const each = (name: string, help: string, read: (of: Delivery) => number | undefined): void =>
    metrics.sampledEach(name, help, {
      labels: ["witness"],
      read: () =>
        deliveries.flatMap((delivery) => {
          const value = read(delivery);
          return value === undefined ? [] : [{ labels: [delivery.name], value }];
        }),
    });
  each(
    "sallyport_audit_witnessed_records",
    "Records under the last checkpoint that the witness took.",
    ({ witnessed }) => witnessed,
  );
  each(
    "sallyport_audit_witness_lag_records",
    "Records under the newest checkpoint that the witness has not seen.",
    ({ lag }) => lag,
  );
  each(
    "sallyport_audit_witness_success_age_seconds",
    "Since the witness last took a checkpoint; absent before the first since the start.",
    ({ secondsSinceSuccess }) => secondsSinceSuccess,
  );
}

/** Going on would seal what is left as if it had been all there was. */
function refuseShorter({ sizes }: WitnessJournal, size: number, folder: string): void {
  for (const [name, seen] of sizes) {
    if (seen <= size) continue;
    throw new SallyportError(
      "audit-failed",
      `audit: ${folder} has checkpoints up to ${size} records, and the witness ${name} has seen ${seen}; put the folder back from a copy, or begin a new one beside it`,
    );
  }
}

async function openedJournal(folder: string): Promise<WitnessJournal> {
  try {
    return await openWitnessJournal(folder);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unreadable";
    const message = `the answers of witnesses in ${folder} cannot be read (${code}); let this user read them`;
    throw new SallyportError("audit-failed", message, { cause });
  }
}
