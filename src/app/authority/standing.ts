/**
 * What a process knows from its authority beside its configuration: what is revoked, which API keys
 * there are (in the instruments, since authenticators ask them), which keys sign, whom enrolled machines are known by. One for each process that serves; it outlives reloads.
 */
import { createRevocationList, type RevocationList } from "../../keys/revocation-list.ts";
import type { ApiKeyUse } from "../../model/api-keys.ts";
import type { FeedChange, FeedConsumer, FeedPosition } from "../../model/feed.ts";
import type { PublishedKey } from "../../model/signing.ts";
import type { Instruments } from "../instruments.ts";

/** As `/readyz` shows it. */
export interface StandingDetail {
  /** Undefined before anything was heard. */
  readonly position: FeedPosition | undefined;
  /** Seconds by which it may be behind; null before it was first vouched for. */
  readonly behindSeconds: number | null;
  readonly revocations: number;
  readonly apiKeys: number;
}

export interface Standing extends FeedConsumer {
  readonly revocations: RevocationList;
  keys(): readonly PublishedKey[];
  /** PEM. */
  authorities(): readonly string[];
  /** In one word or so, for the checks of readiness. */
  check(nowMs: number): { readonly fresh: boolean; readonly text: string };
  detail(): StandingDetail;
  close(): void;
}

const LIMITS = {
  /** Between two reports of the API keys that were used. */
  reportMs: 60_000,
} as const;

export interface StandingOptions {
  readonly maxStalenessMs: number;
  /** Takes which API keys were used since it was called last. Must not throw. */
  used(uses: readonly ApiKeyUse[]): void;
}

export function createStanding(
  options: StandingOptions,
  {
    clock,
    timers,
    log,
    metrics,
    apiKeys,
    publishedKeys,
  }: Pick<Instruments, "clock" | "timers" | "log" | "metrics" | "apiKeys" | "publishedKeys">,
): Standing {
  const { maxStalenessMs } = options;
  const revocations = createRevocationList({ maxStalenessMs }, { clock, timers, log, metrics });
  let keys: readonly PublishedKey[] = [];
  /** What it signed counts no more: open streams are decided again. */
  const keysAre = (published: readonly PublishedKey[]): void => {
    keys = published;
    if (publishedKeys.apply(published)) revocations.moved();
  };
  let authorities: readonly string[] = [];
  let position: FeedPosition | undefined;
  let callOff = timers.after(LIMITS.reportMs, report);
  function report(): void {
    callOff = timers.after(LIMITS.reportMs, report);
    tellUses();
  }
  function tellUses(): void {
    const uses = apiKeys.takeUses();
    if (uses.length > 0) options.used(uses);
  }
  const behind = (nowMs: number): number => revocations.staleness(nowMs);
  return {
    revocations,
    apply(change: FeedChange, at, { reset }) {
      revocations.apply(change.revocations, change.lifted, { reset });
      const news = {
        entries: change.apiKeys ?? [],
        gone: change.apiKeysGone ?? [],
        mac: change.apiKeyMac,
      };
      if (apiKeys.apply(news, { reset })) revocations.moved();
      if (change.keys !== undefined) keysAre(change.keys);
      authorities = change.authorities ?? authorities;
      position = at;
    },
    current(at, asOfMs) {
      position = at;
      const moved = apiKeys.heard();
      apiKeys.sweep(clock.now());
      revocations.heard(asOfMs);
      if (moved) revocations.moved();
    },
    keys: () => keys,
    authorities: () => authorities,
    check(nowMs) {
      if (revocations.fresh(nowMs)) return { fresh: true, text: "current" };
      const ms = behind(nowMs);
      const text = Number.isFinite(ms)
        ? `not heard from for ${Math.round(ms / 1000)} s: every request is refused`
        : "not heard from yet: every request is refused";
      return { fresh: false, text };
    },
    detail() {
      const ms = behind(clock.now());
      return {
        position,
        behindSeconds: Number.isFinite(ms) ? Math.max(0, Math.round(ms)) / 1000 : null,
        revocations: revocations.size,
        apiKeys: apiKeys.size,
      };
    },
    close() {
      callOff();
      tellUses();
      revocations.close();
    },
  };
}
