/** When sessions end, and when something is due of them. Pure: of options, contents and the time. */
import type { SessionContent } from "./session-content.ts";
import type { SessionOptions } from "./session-options.ts";
import type { SessionTokens } from "./session-provider.ts";

const LIMITS = {
  /** A cookie is written anew when this part of the idle time has passed: four times in it, not with every request. */
  renewals: 4,
  /** How long a former cookie is good once the browser has come with a newer one: requests were under way. */
  graceMs: 120_000,
  /** What a clock of another replica may be ahead. A session from later than that is none of ours. */
  aheadMs: 300_000,
  /** What an access token lasts whose provider does not say. */
  unsaidMs: 300_000,
} as const;

type Use = Pick<SessionContent, "usedMs">;
type Begin = Pick<SessionContent, "beganMs">;
type Access = Pick<SessionContent, "accessExpiresMs" | "refreshMs">;

export class SessionTimes {
  readonly #options: SessionOptions;
  readonly #refreshes: boolean;

  /** `refreshes`: whether there is a provider to ask. */
  constructor(options: SessionOptions, refreshes: boolean) {
    this.#options = options;
    this.#refreshes = refreshes;
  }

  idleEnd({ usedMs }: Use): number {
    return usedMs + this.#options.idle;
  }

  absoluteEnd({ beganMs }: Begin): number {
    return beganMs + this.#options.absolute;
  }

  end(content: Use & Begin): number {
    return Math.min(this.idleEnd(content), this.absoluteEnd(content));
  }

  renewal({ usedMs }: Use): number {
    return usedMs + this.#options.idle / LIMITS.renewals;
  }

  isFromFuture({ beganMs, usedMs }: Use & Begin, nowMs: number): boolean {
    return Math.max(beganMs, usedMs) - nowMs > LIMITS.aheadMs;
  }

  /** `seen`: the newest cookie that the browser has come with, and since when. */
  isFormer(
    generation: number,
    seen: { readonly generation: number; readonly atMs: number },
    nowMs: number,
  ): boolean {
    return generation < seen.generation && nowMs >= seen.atMs + LIMITS.graceMs;
  }

  /** Of what a login or a refresh brought. */
  ofTokens(
    { expiresAt, refreshToken }: Pick<SessionTokens, "expiresAt" | "refreshToken">,
    nowMs: number,
  ): Access {
    if (refreshToken === undefined) return { accessExpiresMs: undefined, refreshMs: undefined };
    const accessExpiresMs =
      expiresAt === undefined ? nowMs + LIMITS.unsaidMs : Math.floor(expiresAt * 1000);
    // Of tokens that last hardly longer than that: half of their life, or they would be refreshed all the time.
    const left = Math.max(0, accessExpiresMs - nowMs);
    const refreshMs = accessExpiresMs - Math.min(this.#options.refreshAhead, Math.floor(left / 2));
    return { accessExpiresMs, refreshMs };
  }

  /** `now`: what it says is past its time, so the request waits. `ahead`: the request goes on meanwhile. */
  refreshDue({ accessExpiresMs, refreshMs }: Access, nowMs: number): "now" | "ahead" | undefined {
    if (!this.#refreshes || refreshMs === undefined || nowMs < refreshMs) return undefined;
    return accessExpiresMs !== undefined && nowMs >= accessExpiresMs ? "now" : "ahead";
  }

  /** Whether it has not been refreshed for longer than an outage of the provider may last. */
  isOutOfDate({ accessExpiresMs }: Access, nowMs: number): boolean {
    return nowMs >= this.#outageEnd(accessExpiresMs);
  }

  /** Until then nothing is due: no renewal, no refresh, no end. `retryAtMs`: when a refresh may be tried again. */
  quietUntil(content: SessionContent, retryAtMs: number, nowMs: number): number {
    const { accessExpiresMs, refreshMs } = content;
    const refresh =
      !this.#refreshes || refreshMs === undefined
        ? Number.POSITIVE_INFINITY
        : Math.max(refreshMs, retryAtMs, nowMs + 1);
    const outage = this.#refreshes ? this.#outageEnd(accessExpiresMs) : Number.POSITIVE_INFINITY;
    return Math.min(this.renewal(content), this.end(content), refresh, outage);
  }

  #outageEnd(accessExpiresMs: number | undefined): number {
    return accessExpiresMs === undefined
      ? Number.POSITIVE_INFINITY
      : accessExpiresMs + this.#options.outage;
  }
}
