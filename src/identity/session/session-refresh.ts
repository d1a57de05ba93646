/**
 * Refreshes a session once, however many requests of it come, in whichever process: who claims it asks the
 * provider, and all others wait for what it publishes. A refresh token that is used twice may end the
 * session at the provider (RFC 9700 section 4.14), and a new one that nobody keeps is lost, so the answer is
 * published before anything else is done with it.
 */
import type { Clock, Log, Timers } from "../../model/ports.ts";
import type { SharedMemory } from "../../model/shared-memory.ts";
import type { SessionContent } from "./session-content.ts";
import type { RefreshOutcome, SessionProvider, SessionTokens } from "./session-provider.ts";
import type { SessionStore } from "./session-store.ts";

export type Refreshed =
  /** Newer than what was given; `published` by others or by us. */
  | { readonly content: SessionContent }
  | { readonly ended: string }
  | { readonly unavailable: string };

export interface SessionRefresherDeps {
  readonly name: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly shared: SharedMemory;
  readonly store: SessionStore;
  readonly provider: SessionProvider;
  /** The session with what a refresh brought, or why it cannot be. */
  readonly merge: (content: SessionContent, tokens: SessionTokens) => Refreshed;
  /** How long what is published has to be found, in milliseconds. */
  readonly ttl: (content: SessionContent) => number;
}

const LIMITS = {
  /** A claim outlives every request to a provider (a minute at most), and ends with a process that died over it. */
  claimMs: 90_000,
  /** Between two looks at what another process may have published. */
  waitMs: 50,
  /** For as long as another process is waited for: 20 seconds. */
  waits: 400,
  /** How long a failure is told to those who wait. */
  failureMs: 3000,
} as const;

const SPACE = "session-refresh";

/** Never rejects. */
export function createSessionRefresher(
  deps: SessionRefresherDeps,
): (content: SessionContent) => Promise<Refreshed> {
  const { name, shared, store, provider, log } = deps;

  return async (content) => {
    const { id, generation, refreshToken, claims } = content;
    const { sub: subject, nonce } = claims;
    if (refreshToken === undefined || typeof subject !== "string") {
      return { unavailable: "there is nothing to refresh it with" };
    }
    const key = `${name}:${id}:${generation}`;
    try {
      const done = await newer(content);
      if (done !== undefined) return { content: done };
      if (!(await shared.claim(SPACE, key, LIMITS.claimMs)))
        return await othersRefresh(content, key);
      // Another may have refreshed between the first look and the claim, where its own claim has ended.
      const meanwhile = await newer(content);
      if (meanwhile !== undefined) return { content: meanwhile };
    } catch (error) {
      return { unavailable: asError(error).message };
    }
    const outcome = await ask(refreshToken, {
      subject,
      nonce: typeof nonce === "string" ? nonce : undefined,
    });
    if (outcome.outcome === "refreshed") return await publish(content, outcome.tokens);
    await tellFailure(key, outcome);
    return outcome.outcome === "ended"
      ? { ended: outcome.detail }
      : { unavailable: outcome.detail };
  };

  async function newer(content: SessionContent): Promise<SessionContent | undefined> {
    const newest = await store.newest(content.id);
    return newest !== undefined && newest.generation > content.generation ? newest : undefined;
  }

  async function ask(
    refreshToken: string,
    of: { readonly subject: string; readonly nonce: string | undefined },
  ): Promise<RefreshOutcome> {
    try {
      return await provider.refresh(refreshToken, of);
    } catch (error) {
      log.error("a session could not be refreshed", { authenticator: name, error: asError(error) });
      return { outcome: "unavailable", detail: "the refresh failed" };
    }
  }

  async function publish(content: SessionContent, tokens: SessionTokens): Promise<Refreshed> {
    const merged = deps.merge(content, tokens);
    if (!("content" in merged)) return merged;
    try {
      await store.publish(merged.content, deps.ttl(merged.content));
    } catch (error) {
      // This process has it, and gives it to the browser; only others cannot find it.
      log.error("a refreshed session could not be told to others", {
        authenticator: name,
        error: asError(error),
      });
    }
    return merged;
  }

  async function othersRefresh(content: SessionContent, key: string): Promise<Refreshed> {
    for (let waits = 0; waits < LIMITS.waits; waits++) {
      await new Promise<void>((resolve) => deps.timers.after(LIMITS.waitMs, resolve));
      const done = await newer(content);
      if (done !== undefined) return { content: done };
      const failed = await shared.get(SPACE, failureOf(key));
      if (failed === "ended") return { ended: "another process was told that it has ended" };
      if (failed !== undefined) break;
    }
    return { unavailable: "another process has not refreshed it" };
  }

  /** To those who wait. After a failure that may pass, the next one may try. */
  async function tellFailure(key: string, { outcome }: RefreshOutcome): Promise<void> {
    try {
      await shared.put(SPACE, failureOf(key), outcome, LIMITS.failureMs);
      if (outcome === "unavailable") await shared.remove(SPACE, key);
    } catch {
      // The claim ends by itself, and those who wait do not wait for ever.
    }
  }
}

function failureOf(key: string): string {
  return `${key}:failed`;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
