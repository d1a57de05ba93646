/** Sessions on a ground where everything around them is turned by the test: clock, timers, memory, provider, browser. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { oidcOptionsSchema } from "../src/identity/oidc-options.ts";
import type {
  RefreshOutcome,
  SessionProvider,
  SessionTokens,
} from "../src/identity/session/session-provider.ts";
import { createSessions, type Sessions } from "../src/identity/session/sessions.ts";
import { createLocalMemory } from "../src/memory/local-memory.ts";
import { type CredentialFacts, isFailure } from "../src/model/facts.ts";
import type { RequestHead } from "../src/model/http.ts";
import type { JsonObject } from "../src/model/json.ts";
import type { RevocationTarget } from "../src/model/revocation.ts";
import type { SharedMemory } from "../src/model/shared-memory.ts";
import type { SessionAnswer } from "../src/model/verifiers.ts";
import { ManualClock } from "../src/platform/clock.ts";
import { ManualTimers } from "../src/platform/timers.ts";
import { recordedLog, recordedMetrics } from "./ports.ts";

export const NOW_MS = 1_800_000_000_000;

/** The cookies of one browser, as far as lines of ours go. */
export class Jar {
  readonly cookies: Map<string, string>;

  constructor(cookies: Iterable<[string, string]> = []) {
    this.cookies = new Map(cookies);
  }

  take(lines: readonly string[]): void {
    for (const line of lines) {
      const [pair = "", ...attributes] = line.split("; ");
      const at = pair.indexOf("=");
      const name = pair.slice(0, at);
      if (attributes.includes("Max-Age=0")) this.cookies.delete(name);
      else this.cookies.set(name, pair.slice(at + 1));
    }
  }

  header(): string | undefined {
    if (this.cookies.size === 0) return undefined;
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  }

  copy(): Jar {
    return new Jar(this.cookies);
  }
}

export interface GroundOptions {
  readonly keys?: readonly Uint8Array[];
  readonly shared?: SharedMemory;
  readonly clock?: ManualClock;
  readonly name?: string;
  readonly issuer?: string;
  readonly clientId?: string;
  readonly session?: object;
  readonly principal?: object;
  /** Answers of the provider; without it sessions are not refreshed. */
  readonly refresh?: (
    refreshToken: string,
    of: Parameters<SessionProvider["refresh"]>[1],
  ) => Promise<RefreshOutcome>;
}

export class SessionGround {
  readonly clock: ManualClock;
  readonly timers = new ManualTimers();
  readonly log = recordedLog();
  readonly metrics = recordedMetrics();
  readonly shared: SharedMemory;
  readonly sessions: Sessions;
  /** Refresh tokens that the provider was shown. */
  readonly refreshes: string[] = [];
  readonly revoked: RevocationTarget[] = [];

  constructor(options: GroundOptions = {}) {
    this.clock = options.clock ?? new ManualClock(NOW_MS);
    this.shared = options.shared ?? localMemory(this.clock);
    const { refresh } = options;
    const provider: SessionProvider | undefined = refresh && {
      refresh: (token, of) => {
        this.refreshes.push(token);
        return refresh(token, of);
      },
    };
    const parsed = oidcOptionsSchema.parse({
      type: "oidc",
      issuer: options.issuer ?? "https://login.example.com",
      client: { id: options.clientId ?? "console", secret: "client-secret" },
      principal: { kind: "user", roles: { claim: "roles" }, ...options.principal },
      session: options.session ?? {},
    });
    this.sessions = createSessions(
      { ...parsed, name: options.name ?? "people" },
      {
        clock: this.clock,
        timers: this.timers,
        log: this.log,
        metrics: this.metrics,
        shared: this.shared,
        keys: options.keys ?? [randomBytes(32)],
        provider,
        revoke: async (target) => {
          this.revoked.push(target);
        },
      },
    );
  }

  async login(
    claims: JsonObject,
    tokens: Partial<SessionTokens> = {},
    jar = new Jar(),
  ): Promise<Jar> {
    const begun = await this.sessions.begin(
      { ...NO_TOKENS, ...tokens, claims },
      { nowMs: this.clock.now(), request: this.request(jar) },
    );
    assert.ok("setCookies" in begun, "a session that can be begun");
    jar.take(begun.setCookies);
    return jar;
  }

  request(jar: Jar): { readonly head: RequestHead } {
    return requestOf(jar.header());
  }

  /** What the gate would hear; the browser takes what comes with it. */
  async ask(jar: Jar, stream = false): Promise<SessionAnswer | undefined> {
    const answer = await this.sessions.verify(this.request(jar), this.clock.now(), stream);
    jar.take(answer?.setCookies ?? []);
    return answer;
  }

  async facts(jar: Jar): Promise<CredentialFacts> {
    const answer = await this.ask(jar);
    assert.ok(answer !== undefined, "a session");
    assert.ok(!isFailure(answer.result), "a session that is good");
    return answer.result;
  }

  async subject(jar: Jar): Promise<string> {
    return (await this.facts(jar)).principal.subject;
  }

  /** The reason for which it is refused. */
  async reason(jar: Jar): Promise<string | undefined> {
    const answer = await this.ask(jar);
    return answer !== undefined && isFailure(answer.result) ? answer.result.failure : undefined;
  }

  /** Lets what waits for timers and promises go on. */
  async turn(times = 1): Promise<void> {
    for (let count = 0; count < times; count++) {
      this.timers.runAll();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** The memory of one process. */
export function localMemory(clock: ManualClock) {
  return createLocalMemory({ clock, timers: new ManualTimers() });
}

export const NO_TOKENS: SessionTokens = {
  claims: undefined,
  idToken: undefined,
  sid: undefined,
  refreshToken: undefined,
  expiresAt: undefined,
};

/** A GET with that Cookie field. */
export function requestOf(cookie: string | undefined): { readonly head: RequestHead } {
  return {
    head: {
      method: "GET",
      target: "/",
      version: "1.1",
      minorVersion: 1,
      fields: cookie === undefined ? [] : ["cookie", cookie],
      host: "app.example.com",
      authorization: undefined,
      authorizationCount: 0,
      bodyKind: "none",
      contentLength: 0,
      keepAlive: true,
      expectContinue: false,
      connectionOptions: undefined,
      upgrade: undefined,
    },
  };
}
