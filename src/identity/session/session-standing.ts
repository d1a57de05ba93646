/**
 * What workers (with Redis: replicas) tell each other about sessions: which have ended, when each was used last,
 * which of its cookies a browser has come with. Asked when a process sees a cookie for the first time.
 *
 * What ends while a process knows the session is heard too: each end is written into a log of the second
 * in which it came, and who shares that memory with others reads the last seconds twice a second. That is a
 * handful of questions a second, however many sessions there are. Where the memory cannot be reached for
 * longer than a bound, nothing that is known counts.
 */
import { hash } from "node:crypto";
import { SallyportError } from "../../model/errors.ts";
import type { Clock, Log, Timers } from "../../model/ports.ts";
import type { SharedMemory } from "../../model/shared-memory.ts";
import type { SessionContent } from "./session-content.ts";
import { settleAll } from "./session-settle.ts";

/** What others know of a session. */
export interface Standing {
  readonly ended: boolean;
  /** When it was used last, as far as others have said. */
  readonly usedMs: number;
  /** Of a cookie that a browser has come with, the newest, and when that was first. */
  readonly seen: { readonly generation: number; readonly atMs: number } | undefined;
}

/** What has ended: one session, all of a session of the provider's, or all of a person until a moment. */
export type SessionEnd =
  | { readonly by: "id"; readonly id: string }
  | { readonly by: "sid"; readonly sid: string }
  | { readonly by: "subject"; readonly subject: string };

export interface SessionStanding {
  of(content: SessionContent): Standing | Promise<Standing>;
  /**
   * Why a login that was issued then begins no session: the logout came first. The provider's session is over for
   * good; of a person's logins those are that were issued until the cut-off.
   */
  overBefore(content: SessionContent, issuedMs: number): Promise<string | undefined>;
  used(id: string, usedMs: number, ttlMs: number): Promise<void>;
  seen(id: string, seen: { generation: number; atMs: number }, ttlMs: number): Promise<void>;
  /** Rejects where nobody else will hear of it. */
  end(end: SessionEnd, nowMs: number, ttlMs: number): Promise<void>;
  /** Whether what this process knows of sessions may still be believed. */
  hears(): boolean;
  close(): void;
}

export interface SessionStandingDeps {
  /** Of the authenticator, for the log. */
  readonly name: string;
  /** Whose sessions: the same `sub` at another provider is another person. */
  readonly scope: string;
  readonly shared: SharedMemory;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Told of what others have ended. `untilMs`: sessions that began later are not meant. */
  readonly ended: (digest: string, untilMs: number) => void;
}

const LIMITS = {
  /** Between two looks at the log: an end is in force everywhere within a second. */
  pollMs: 500,
  /** Seconds of the log that are read: clocks of replicas may differ by so much. */
  seconds: 4,
  /** How long the log keeps a line: twice what anybody reads. */
  logMs: 20_000,
  /** Ends within one second that can be told; a logout beyond them fails, and can be repeated. */
  lines: 5000,
  /** Without a successful look for so long, nothing that is known counts. */
  deafMs: 10_000,
} as const;

const SPACES = { ended: "session-ended", used: "session-used", seen: "session-seen" } as const;
const LOG = "session-ended-log";

export function createSessionStanding(deps: SessionStandingDeps): SessionStanding {
  return new SharedStanding(deps);
}

/** What stands for an end in the memory: names of people and of the provider's sessions do not. */
export function endDigest(end: SessionEnd): string {
  if (end.by === "id") return `id:${end.id}`;
  const name = end.by === "sid" ? end.sid : end.subject;
  return `${end.by}:${hash("sha256", name, "base64url")}`;
}

/** All by which a session may be ended. */
export function endDigests({ id, sid, claims }: SessionContent): readonly string[] {
  const digests = [endDigest({ by: "id", id })];
  if (sid !== undefined) digests.push(endDigest({ by: "sid", sid }));
  const subject = claims["sub"];
  if (typeof subject === "string") digests.push(endDigest({ by: "subject", subject }));
  return digests;
}

class SharedStanding implements SessionStanding {
  readonly #deps: SessionStandingDeps;
  readonly #prefix: string;
  /** Lines of the log that were read, with the second that they are of. */
  #read = new Map<string, number>();
  #heardAt: number;
  /** The last line that this process wrote. */
  #written = { second: 0, line: 0 };
  /** Whether anything was asked that had to be waited for: then there are others. */
  #remote = false;
  #polling = false;
  #cancel: () => void = () => undefined;
  #closed = false;

  constructor(deps: SessionStandingDeps) {
    this.#deps = deps;
    this.#prefix = `${deps.scope}:`;
    this.#heardAt = deps.clock.monotonic();
  }

  of(content: SessionContent): Standing | Promise<Standing> {
    const { id, beganMs } = content;
    const { shared } = this.#deps;
    const key = this.#prefix + id;
    const answer = settleAll(
      [
        shared.get(SPACES.used, key),
        shared.get(SPACES.seen, key),
        ...endDigests(content).map((digest) => shared.get(SPACES.ended, this.#prefix + digest)),
      ],
      ([used, seen, ...untils]): Standing => ({
        ended: untils.some((until) => until !== undefined && beganMs <= Number(until)),
        usedMs: Number(used ?? 0),
        seen: readSeen(seen),
      }),
    );
    if (answer instanceof Promise) this.#listen();
    return answer;
  }

  async overBefore({ sid, claims }: SessionContent, issuedMs: number): Promise<string | undefined> {
    const untilOf = async (end: SessionEnd): Promise<string | undefined> =>
      this.#deps.shared.get(SPACES.ended, this.#prefix + endDigest(end));
    if (sid !== undefined && (await untilOf({ by: "sid", sid })) !== undefined) {
      return "the provider has ended its session (sid) already";
    }
    const subject = claims["sub"];
    if (typeof subject !== "string") return undefined;
    const until = await untilOf({ by: "subject", subject });
    if (until === undefined || issuedMs > Number(until)) return undefined;
    return "the provider has logged the person out since the login";
  }

  async used(id: string, usedMs: number, ttlMs: number): Promise<void> {
    await this.#deps.shared.put(SPACES.used, this.#prefix + id, String(usedMs), ttlMs);
  }

  async seen(
    id: string,
    { generation, atMs }: { generation: number; atMs: number },
    ttlMs: number,
  ): Promise<void> {
    await this.#deps.shared.put(SPACES.seen, this.#prefix + id, `${generation}.${atMs}`, ttlMs);
  }

  async end(end: SessionEnd, nowMs: number, ttlMs: number): Promise<void> {
    const { shared } = this.#deps;
    const digest = endDigest(end);
    // An id is never given again; others who share a name may log in again later.
    const until = end.by === "id" ? Number.MAX_SAFE_INTEGER : nowMs;
    await shared.put(SPACES.ended, this.#prefix + digest, String(until), ttlMs);
    const second = Math.floor(nowMs / 1000);
    // What this process has found taken stays taken; others may have taken more.
    let line = this.#written.second === second ? this.#written.line + 1 : 0;
    for (; line < LIMITS.lines; line++) {
      const key = this.#lineKey(second, line);
      if (!(await shared.claim(LOG, `${key}:claim`, LIMITS.logMs))) continue;
      this.#written = { second, line };
      await shared.put(LOG, key, `${until} ${digest}`, LIMITS.logMs);
      return;
    }
    throw new SallyportError("memory-full", "more sessions ended in a second than can be told");
  }

  hears(): boolean {
    if (!this.#remote) return true;
    return this.#deps.clock.monotonic() - this.#heardAt <= LIMITS.deafMs;
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  /** From the first answer that had to be waited for on: nobody else writes into the memory of one process. */
  #listen(): void {
    this.#remote = true;
    if (this.#polling || this.#closed) return;
    this.#polling = true;
    this.#heardAt = this.#deps.clock.monotonic();
    this.#pollLater();
  }

  #pollLater(): void {
    if (this.#closed) return;
    this.#cancel = this.#deps.timers.after(LIMITS.pollMs, () => {
      void this.#poll().finally(() => this.#pollLater());
    });
  }

  async #poll(): Promise<void> {
    const { clock, log } = this.#deps;
    const started = clock.monotonic();
    const now = Math.floor(clock.now() / 1000);
    try {
      const seconds = Array.from({ length: LIMITS.seconds + 2 }, (_, back) => now + 1 - back);
      await Promise.all(seconds.map((second) => this.#readSecond(second)));
      this.#heardAt = started;
    } catch (error) {
      log.warn("ends of sessions cannot be heard of", {
        authenticator: this.#deps.name,
        error: error instanceof Error ? error : new Error(String(error)),
      });
    }
    for (const [key, second] of this.#read) {
      if (second < now - LIMITS.logMs / 1000) this.#read.delete(key);
    }
  }

  async #readSecond(second: number): Promise<void> {
    const { shared, ended } = this.#deps;
    for (let line = 0; line < LIMITS.lines; line++) {
      const key = this.#lineKey(second, line);
      if (this.#read.has(key)) continue;
      const text = await shared.get(LOG, key);
      if (text === undefined) return;
      this.#read.set(key, second);
      const space = text.indexOf(" ");
      ended(text.slice(space + 1), Number(text.slice(0, space)));
    }
  }

  #lineKey(second: number, line: number): string {
    return `${this.#prefix}${second}.${line}`;
  }
}

function readSeen(text: string | undefined): Standing["seen"] {
  const [generation, atMs] = (text ?? "").split(".").map(Number);
  return generation === undefined || atMs === undefined ? undefined : { generation, atMs };
}
