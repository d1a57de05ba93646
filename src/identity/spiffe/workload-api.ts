/**
 * A client of the SPIFFE Workload API: our own X.509-SVID and the bundles of trust domains from the
 * agent of this machine, each by an endless stream that is opened when somebody wants it first.
 *
 * Each message replaces what was there, whole or not at all; one that cannot be used leaves it. The
 * last good SVID serves until it expires, and then there is none. Bundles have no expiry: the last
 * ones serve while the agent is away, which is said in the log, by metrics and by readiness.
 */
import { parseSpiffeId } from "../../crypto/spiffe-id.ts";
import { SallyportError } from "../../model/errors.ts";
import type { Clock, Counter, Log, Metrics, Timers } from "../../model/ports.ts";
import type { GrpcClient } from "../../platform/grpc-client.ts";
import {
  type BundlesResponse,
  EMPTY_REQUEST,
  readJwtBundlesResponse,
  readX509BundlesResponse,
  readX509SvidResponse,
} from "../../wire/workload-api-messages.ts";
import { type BundlePart, sameAuthorities, type TrustBundle } from "./trust-bundle.ts";
import type { WorkloadApiOptions } from "./workload-api-options.ts";
import { readJwtHalf, readX509Half } from "./workload-bundle.ts";
import type { WorkloadPart, WorkloadSource, WorkloadSvid } from "./workload-source.ts";
import { type StreamOutcome, WorkloadStream } from "./workload-stream.ts";
import { chooseSvid } from "./workload-svid.ts";

const LIMITS = {
  /** Timers count to 2^31 ms; an SVID may live for longer. */
  timerMs: 2 ** 31 - 1,
  /** When this share of its life is over and no new one has come, the stream is opened anew. Agents renew at half. */
  renewAfter: 0.75,
  /** At least so long between two of these. */
  renewMs: 10_000,
} as const;

const METHODS: Readonly<Record<WorkloadPart, string>> = {
  svid: "/SpiffeWorkloadAPI/FetchX509SVID",
  "x509-bundles": "/SpiffeWorkloadAPI/FetchX509Bundles",
  "jwt-bundles": "/SpiffeWorkloadAPI/FetchJWTBundles",
};

export interface WorkloadApiDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** The connection to the agent; closed with this. */
  readonly client: GrpcClient;
}

export function createWorkloadApi(
  options: WorkloadApiOptions,
  deps: WorkloadApiDeps,
): WorkloadSource {
  return new WorkloadApi(options, deps);
}

class WorkloadApi implements WorkloadSource {
  readonly #options: WorkloadApiOptions;
  readonly #deps: WorkloadApiDeps;
  readonly #streams = new Map<WorkloadPart, WorkloadStream>();
  readonly #watchers = new Set<(part: WorkloadPart) => void>();
  /** What was last said of each part, so that each change is said once. */
  readonly #said = new Map<WorkloadPart, string>();
  readonly #updatedMs = new Map<WorkloadPart, number>();
  readonly #updates: ReturnType<Metrics["counter"]>;
  #svid: WorkloadSvid | undefined;
  readonly #bundles: Record<BundlePart, ReadonlyMap<string, TrustBundle>> = {
    "x509-bundles": new Map(),
    "jwt-bundles": new Map(),
  };
  #callOff: () => void = () => undefined;

  constructor(options: WorkloadApiOptions, deps: WorkloadApiDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#updates = deps.metrics.counter(
      "sallyport_workload_api_updates_total",
      "Messages of the SPIFFE agent, by what they are about and outcome: applied, unchanged, refused.",
      ["part", "outcome"],
    );
    this.#registerMetrics(deps.metrics);
  }

  svid(): WorkloadSvid | undefined {
    return this.#svid;
  }

  bundle(part: BundlePart, trustDomain: string): TrustBundle | undefined {
    return this.#bundles[part].get(trustDomain);
  }

  async want(part: WorkloadPart): Promise<void> {
    let stream = this.#streams.get(part);
    if (stream === undefined) {
      stream = this.#openStream(part);
      this.#streams.set(part, stream);
    }
    await stream.tried;
  }

  watch(changed: (part: WorkloadPart) => void): () => void {
    const one = (part: WorkloadPart): void => changed(part);
    this.#watchers.add(one);
    return () => {
      this.#watchers.delete(one);
    };
  }

  standing(): Partial<Record<WorkloadPart, string>> {
    return Object.fromEntries(
      [...this.#streams.keys()].map((part) => [part, this.#standingOf(part)]),
    );
  }

  close(): void {
    this.#callOff();
    this.#watchers.clear();
    for (const stream of this.#streams.values()) stream.close();
    this.#deps.client.close();
  }

  #openStream(part: WorkloadPart): WorkloadStream {
    const { clock, timers, random, client } = this.#deps;
    const counters = new Map<StreamOutcome, Counter>(
      (["applied", "unchanged", "refused"] as const).map((outcome) => [
        outcome,
        this.#updates.with(part, outcome),
      ]),
    );
    return new WorkloadStream({
      clock,
      timers,
      random,
      open: (handlers) => client.stream(METHODS[part], EMPTY_REQUEST, handlers),
      take: (bytes) => this.#take(part, bytes),
      counted: (outcome) => counters.get(outcome)?.inc(),
      changed: () => this.#streamChanged(part),
    });
  }

  /** All of a message is read before any of it counts. */
  #take(part: WorkloadPart, bytes: Buffer): void {
    switch (part) {
      case "svid":
        this.#takeSvid(bytes);
        break;
      case "x509-bundles":
        this.#bundles[part] = this.#usable(part, readX509BundlesResponse(bytes), readX509Half);
        break;
      case "jwt-bundles":
        this.#bundles[part] = this.#usable(part, readJwtBundlesResponse(bytes), readJwtHalf);
        break;
    }
    this.#updatedMs.set(part, this.#deps.clock.now());
    this.#tell(part);
  }

  /**
   * By the names of trust domains. One whose bundle cannot be used is left out, so that nobody of it is
   * believed: were the whole refused, a partner's broken bundle would stop the rotation of all others.
   */
  #usable(
    part: BundlePart,
    bundles: BundlesResponse,
    read: (bytes: Buffer, trustDomain: string) => TrustBundle,
  ): ReadonlyMap<string, TrustBundle> {
    const before = this.#bundles[part];
    const made = new Map<string, TrustBundle>();
    for (const [id, bytes] of bundles) {
      const named = parseSpiffeId(id);
      if (named === undefined || named.path !== "") {
        throw fault("a bundle for what is no trust domain");
      }
      const { trustDomain } = named;
      try {
        const next = read(bytes, trustDomain);
        const known = before.get(trustDomain);
        // The same reference, so that what was verified by it need not be verified again.
        made.set(trustDomain, known !== undefined && sameAuthorities(known, next) ? known : next);
      } catch (error) {
        if (!(error instanceof SallyportError)) throw error;
        const fields = { part, trustDomain, fault: error.message };
        this.#deps.log.error(
          "workload API: a bundle cannot be used; nobody of it is let in",
          fields,
        );
      }
    }
    return made;
  }

  #takeSvid(bytes: Buffer): void {
    const now = this.#deps.clock.now();
    this.#svid = chooseSvid(readX509SvidResponse(bytes), this.#options.id, now);
    const { spiffeId, notAfter, thumbprint } = this.#svid;
    this.#deps.log.info("workload API: an X.509-SVID is in force", {
      spiffeId,
      notAfter: new Date(notAfter).toISOString(),
      thumbprint,
    });
    this.#planForSvid();
  }

  /** The end of the SVID, and before it the question where the next one is. */
  #planForSvid(): void {
    this.#callOff();
    const svid = this.#svid;
    if (svid === undefined) return;
    const now = this.#deps.clock.now();
    const { notBefore, notAfter } = svid;
    if (now >= notAfter) {
      this.#svid = undefined;
      this.#deps.log.error("workload API: our X.509-SVID has expired, and no other has come", {
        spiffeId: svid.spiffeId,
      });
      this.#tell("svid");
      return;
    }
    const due = notBefore + (notAfter - notBefore) * LIMITS.renewAfter;
    const again = Math.max(LIMITS.renewMs, (notAfter - now) / 4);
    const wait = due > now ? due - now : again;
    this.#callOff = this.#deps.timers.after(Math.min(wait, notAfter - now, LIMITS.timerMs), () => {
      if (this.#deps.clock.now() >= due) this.#streams.get("svid")?.renew();
      this.#planForSvid();
    });
  }

  #tell(part: WorkloadPart): void {
    for (const watcher of this.#watchers) watcher(part);
  }

  /** Each change of how a stream does is one line. */
  #streamChanged(part: WorkloadPart): void {
    const state = this.#streams.get(part)?.state;
    if (state === undefined) return;
    const text = state.is === "failing" || state.is === "ended" ? state.fault : state.is;
    const before = this.#said.get(part);
    if (before === text) return;
    this.#said.set(part, text);
    const { log } = this.#deps;
    const { address } = this.#options;
    if (state.is === "current") {
      for (const [other, stream] of this.#streams) if (other !== part) stream.hurry();
      if (before !== undefined) log.info("workload API: the agent answers again", { part });
    } else if (state.is === "ended") {
      log.error("workload API: the agent refuses us for good; only a restart asks it again", {
        part,
        address,
        fault: text,
      });
    } else {
      log.warn("workload API: not current", { part, address, fault: text });
    }
  }

  #standingOf(part: WorkloadPart): string {
    const state = this.#streams.get(part)?.state;
    const has = this.#has(part);
    if (state?.is === "current" && has !== undefined) return `current: ${has}`;
    const why =
      state === undefined || state.is === "opening"
        ? "the agent has not answered yet"
        : state.is === "current"
          ? "expired"
          : `${state.fault}, since ${new Date(state.sinceMs).toISOString()}`;
    return has === undefined ? `none: ${why}` : `not current (${why}): ${has}`;
  }

  #has(part: WorkloadPart): string | undefined {
    if (part === "svid") {
      if (this.#svid === undefined) return undefined;
      const { spiffeId, notAfter } = this.#svid;
      return `${spiffeId} until ${new Date(notAfter).toISOString()}`;
    }
    return this.#updatedMs.has(part) ? `${this.#bundles[part].size} trust domains` : undefined;
  }

  #registerMetrics(metrics: Metrics): void {
    const each = (value: (part: WorkloadPart) => number) => () =>
      [...this.#streams.keys()].map((part) => ({ labels: [part], value: value(part) }));
    metrics.sampledEach(
      "sallyport_workload_api_current",
      "1 while a stream from the SPIFFE agent is open and has brought what it is about, else 0.",
      {
        labels: ["part"],
        read: each((part) => (this.#streams.get(part)?.state.is === "current" ? 1 : 0)),
      },
    );
    metrics.sampledEach(
      "sallyport_workload_api_updated_timestamp_seconds",
      "When the SPIFFE agent last brought something new; 0: never.",
      { labels: ["part"], read: each((part) => (this.#updatedMs.get(part) ?? 0) / 1000) },
    );
    metrics.sampled(
      "sallyport_workload_svid_not_after_seconds",
      "When our own X.509-SVID expires, in seconds since the epoch; 0: there is none.",
      () => Math.floor((this.#svid?.notAfter ?? 0) / 1000),
    );
  }
}

function fault(detail: string): SallyportError {
  return new SallyportError("workload-api-failed", `the agent sent ${detail}`);
}
