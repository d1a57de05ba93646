/**
 * The streams that are open: upgraded connections, and responses that go on and on. Each keeps the
 * permit that let it in, and is decided about again whenever that may have changed: a new snapshot
 * is in force, its identity has expired, the key that vouched for its credential is gone, the
 * certificate of its connection does not stand any more. A denial is recorded and closes it.
 *
 * Nothing is registered when a request begins. Twice a second, and at once on a new snapshot, all
 * that is in flight is gone through, in slices, so that a plain request costs nothing.
 */
import { type Denial, isDenial, type Permit } from "../gate/decision.ts";
import type { Gate } from "../gate/gate.ts";
import type { GateSnapshot } from "../gate/snapshot.ts";
import type { Deadlines, Expirable } from "../http/deadlines.ts";
import type { Clock, Log, Metrics, Timers } from "../model/ports.ts";
import type { Reason } from "../model/reason.ts";
import type { StreamKind } from "./forward-route.ts";
import { Forwarding } from "./forwarding.ts";

const LIMITS = {
  /** Between two looks at all that is in flight: an expiry is noticed within a second. */
  sweepMs: 500,
  /** Requests wait no longer than this while many streams are decided about. */
  sliceMs: 5,
} as const;

export interface Streams {
  /** To be called when a new snapshot is in force: every open stream is decided about again. */
  redecide(): void;
  /** A stream has ended. */
  ended(kind: StreamKind, end: "complete" | Reason): void;
  /** Looks no more. */
  close(): void;
}

export interface StreamsDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly deadlines: Deadlines;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly gate: Pick<Gate, "decideAgain">;
  /** The snapshot in force now. */
  readonly snapshot: () => GateSnapshot;
}

export function createStreams(deps: StreamsDeps): Streams {
  return new OpenStreams(deps);
}

class OpenStreams implements Streams {
  readonly #deps: StreamsDeps;
  readonly #open;
  readonly #closed;
  readonly #decided;
  #cancel: () => void;
  #over = false;

  constructor(deps: StreamsDeps) {
    this.#deps = deps;
    const { metrics } = deps;
    this.#open = metrics.gauge(
      "sallyport_open_streams",
      "Upgraded connections, and responses that count as streams, as of the last half second.",
      ["kind"],
    );
    this.#closed = metrics.counter("sallyport_streams_closed", "Streams that have ended, by why.", [
      "kind",
      "reason",
    ]);
    this.#decided = metrics.counter(
      "sallyport_stream_decisions",
      "Decisions about open streams: by a new snapshot, or because an identity or a key has lapsed.",
      ["decision"],
    );
    this.#cancel = deps.timers.after(LIMITS.sweepMs, () => this.#sweep());
  }

  redecide(): void {
    if (this.#over) return;
    this.#cancel();
    this.#sweep();
  }

  ended(kind: StreamKind, end: "complete" | Reason): void {
    this.#closed.with(kind, end).inc();
  }

  close(): void {
    this.#over = true;
    this.#cancel();
  }

  #sweep(): void {
    this.#slice({
      rest: this.#deps.deadlines.registered(),
      open: { upgrade: 0, response: 0 },
    });
  }

  #slice(pass: Pass): void {
    const { clock, timers, snapshot } = this.#deps;
    const started = clock.monotonic();
    const gate = snapshot();
    const nowMs = clock.now();
    for (;;) {
      const next = pass.rest.next();
      if (next.done === true) break;
      if (next.value.owner instanceof Forwarding) {
        this.#guarded(next.value.owner, { pass, gate, nowMs, started });
        if (clock.monotonic() - started >= LIMITS.sliceMs) {
          this.#cancel = timers.after(0, () => this.#slice(pass));
          return;
        }
      }
    }
    this.#open.with("upgrade").set(pass.open.upgrade);
    this.#open.with("response").set(pass.open.response);
    this.#cancel = timers.after(LIMITS.sweepMs, () => this.#sweep());
  }

  /** One that cannot be decided about is denied, and does not keep the others from being looked at. */
  #guarded(forwarding: Forwarding, at: Look): void {
    try {
      this.#look(forwarding, at);
    } catch (error) {
      this.#deps.log.error("an open stream could not be decided about and is closed", {
        stream: forwarding.permit.decisionId,
        error: error instanceof Error ? error : new Error(String(error)),
      });
      forwarding.close("internal-error", "deciding again failed");
    }
  }

  #look(forwarding: Forwarding, at: Look): void {
    const kind = forwarding.kind(at.started);
    if (kind === undefined) return;
    at.pass.open[kind] += 1;
    if (!forwarding.deciding && isStale(forwarding.standing, at)) this.#decide(forwarding, at.gate);
  }

  #decide(forwarding: Forwarding, snapshot: GateSnapshot): void {
    const { permit, standing } = forwarding;
    const stream = { decisionId: permit.decisionId, service: permit.route.service };
    const outcome = this.#deps.gate.decideAgain(standing, { stream, snapshot });
    if (!(outcome instanceof Promise)) {
      this.#settle(forwarding, outcome);
      return;
    }
    // A key has to be fetched. Another snapshot that comes meanwhile is seen by the next sweep.
    forwarding.deciding = true;
    void this.#settleLater(forwarding, outcome);
  }

  async #settleLater(forwarding: Forwarding, outcome: Promise<Permit | Denial>): Promise<void> {
    const settled = await outcome;
    forwarding.deciding = false;
    this.#settle(forwarding, settled);
  }

  #settle(forwarding: Forwarding, outcome: Permit | Denial): void {
    this.#decided.with(isDenial(outcome) ? "deny" : "permit").inc();
    if (!isDenial(outcome)) {
      forwarding.standing = outcome;
      return;
    }
    this.#deps.log.info("an open stream was denied and is closed", {
      stream: forwarding.permit.decisionId,
      decision: outcome.decisionId,
      route: forwarding.permit.route.name,
      reason: outcome.denied,
    });
    forwarding.close(outcome.denied, "decided again");
  }
}

/** One way through all that is in flight. */
interface Pass {
  readonly rest: IterableIterator<Expirable>;
  readonly open: Record<StreamKind, number>;
}

interface Look {
  readonly pass: Pass;
  readonly gate: GateSnapshot;
  readonly nowMs: number;
  readonly started: number;
}

/** Whether the permit may not hold any more. */
function isStale({ snapshot, facts, request }: Permit, at: Look): boolean {
  if (snapshot !== at.gate) return true;
  if (request.peer.tls?.refusal(at.nowMs) !== undefined) return true;
  if (facts === undefined) return false;
  return !facts.valid() || at.nowMs / 1000 >= facts.expiresAt + facts.clockSkew;
}
