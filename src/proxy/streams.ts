/**
 * The streams that are open: upgraded connections, and responses that go on and on. Each keeps the
 * permit that let it in, and is decided about again whenever that may have changed: a new snapshot
 * is in force, its identity has expired, the key that vouched for its credential is gone, the
 * certificate of its connection does not stand any more, its credential was revoked or its service
 * blocked, or nobody knows any more whether they were. A denial is recorded and closes it.
 *
 * Nothing is registered when a request begins. Twice a second, and at once on a new snapshot and on a
 * revocation, all that is in flight is gone through, in slices, so that a plain request costs nothing.
 */
import { type Denial, isDenial, type Permit } from "../gate/decision.ts";
import type { Gate } from "../gate/gate.ts";
import type { GateSnapshot } from "../gate/snapshot.ts";
import type { Deadlines, Expirable } from "../http/deadlines.ts";
import type { Clock, Log, Metrics, Timers } from "../model/ports.ts";
import type { Reason } from "../model/reason.ts";
import type { Revocations } from "../model/revocation.ts";
import type { StreamKind } from "./forward-route.ts";
import { Forwarding } from "./forwarding.ts";

const NONE: readonly never[] = [];

const LIMITS = {
  /** Between two looks at all that is in flight: an expiry is noticed within a second. */
  sweepMs: 500,
  /** Requests wait no longer than this while many streams are decided about. */
  sliceMs: 5,
  /**
   * After a look for revocations, the next one waits for so many times as long as it took: however
   * many revocations come, they take a tenth of the time, and each waits at most for `sweepMs`.
   */
  revokedRest: 9,
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
  readonly revocations: Revocations;
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
  readonly #unwatch: () => void;
  #cancel: () => void;
  /** What goes through all that is in flight now. */
  #pass: Pass | undefined;
  /** A revocation came since the last pass began. */
  #revoked = false;
  /** Monotonic milliseconds before which no pass begins because of a revocation. */
  #restUntil = 0;
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
      "Decisions about open streams: by a new snapshot, after a revocation, or because an identity or a key has lapsed.",
      ["decision"],
    );
    this.#cancel = deps.timers.after(LIMITS.sweepMs, () => this.#sweep());
    this.#unwatch = deps.revocations.watch(() => this.#revocation());
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
    this.#unwatch();
    this.#cancel();
  }

  /** A pass that is under way goes on: begun anew each time, it would never reach its end. */
  #revocation(): void {
    if (this.#revoked || this.#over) return;
    this.#revoked = true;
    if (this.#pass === undefined) this.#wait();
  }

  #wait(): void {
    const { clock, timers } = this.#deps;
    const rest = this.#revoked ? Math.max(0, this.#restUntil - clock.monotonic()) : LIMITS.sweepMs;
    this.#cancel();
    this.#cancel = timers.after(Math.min(rest, LIMITS.sweepMs), () => this.#sweep());
  }

  #sweep(): void {
    this.#revoked = false;
    this.#slice({
      rest: this.#deps.deadlines.registered(),
      open: { upgrade: 0, response: 0 },
      busyMs: 0,
    });
  }

  #slice(pass: Pass): void {
    const { clock, timers, revocations, snapshot } = this.#deps;
    this.#pass = pass;
    const started = clock.monotonic();
    const gate = snapshot();
    const nowMs = clock.now();
    const fresh = revocations.fresh(nowMs);
    for (;;) {
      const next = pass.rest.next();
      if (next.done === true) break;
      if (next.value.owner instanceof Forwarding) {
        this.#guarded(next.value.owner, { pass, gate, nowMs, started, fresh });
        if (clock.monotonic() - started >= LIMITS.sliceMs) {
          pass.busyMs += clock.monotonic() - started;
          this.#cancel = timers.after(0, () => this.#slice(pass));
          return;
        }
      }
    }
    this.#open.with("upgrade").set(pass.open.upgrade);
    this.#open.with("response").set(pass.open.response);
    this.#pass = undefined;
    const ended = clock.monotonic();
    this.#restUntil = ended + LIMITS.revokedRest * (pass.busyMs + ended - started);
    this.#wait();
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
    if (forwarding.deciding) return;
    if (isStale(forwarding.standing, at) || this.#isTakenAway(forwarding, at)) {
      this.#decide(forwarding, at.gate);
    }
  }

  /** A filter: of thousands of streams a revocation is about few, and only those trouble the gate. */
  #isTakenAway(forwarding: Forwarding, { fresh }: Look): boolean {
    if (!fresh) return true;
    const { revocations } = this.#deps;
    const { version } = revocations;
    if (forwarding.cleanAt === version) return false;
    const { facts, good = facts === undefined ? NONE : [facts], route } = forwarding.standing;
    if (revocations.blocksService(route.service)) return true;
    for (const one of good) {
      if (revocations.revokedBy(one, route.service) !== undefined) return true;
    }
    forwarding.cleanAt = version;
    return false;
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
      forwarding.cleanAt = undefined;
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
  /** What its slices took until now, in milliseconds. */
  busyMs: number;
}

interface Look {
  readonly pass: Pass;
  readonly gate: GateSnapshot;
  readonly nowMs: number;
  readonly started: number;
  /** Whether the revocations are recent enough to be believed. */
  readonly fresh: boolean;
}

/** Whether the permit may not hold any more. */
function isStale({ snapshot, facts, request }: Permit, at: Look): boolean {
  if (snapshot !== at.gate) return true;
  if (request.peer.tls?.refusal(at.nowMs) !== undefined) return true;
  if (facts === undefined) return false;
  return !facts.valid() || at.nowMs / 1000 >= facts.expiresAt + facts.clockSkew;
}
