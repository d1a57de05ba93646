/** Sessions as another replica with the same key would have given them to a browser, at a time that the test chooses. */
import assert from "node:assert/strict";
import { oidcOptionsSchema } from "../../src/identity/oidc-options.ts";
import type { SessionTokens } from "../../src/identity/session/session-provider.ts";
import { createSessions } from "../../src/identity/session/sessions.ts";
import { createLocalMemory } from "../../src/memory/local-memory.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { systemTimers } from "../../src/platform/timers.ts";
import { recordedLog, recordedMetrics } from "../ports.ts";
import { Jar, NO_TOKENS } from "../session-ground.ts";

export interface SealedSession {
  readonly key: Uint8Array;
  readonly subject: string;
  /** Name of the authenticator; `people` when left out. */
  readonly name?: string;
  /** Of the provider, as the proxy that shall take it names it. */
  readonly issuer?: string;
  /** How long ago the person logged in. */
  readonly agoMs?: number;
  readonly tokens?: Partial<SessionTokens>;
}

export async function sealSession(given: SealedSession): Promise<Jar> {
  const {
    key,
    subject,
    name = "people",
    issuer = "http://127.0.0.1:9",
    agoMs = 0,
    tokens = {},
  } = given;
  const options = oidcOptionsSchema.parse({
    type: "oidc",
    issuer,
    client: { id: "console", secret: "client-secret" },
    principal: { kind: "user" },
  });
  const sessions = createSessions(
    { ...options, name },
    {
      clock: systemClock,
      timers: systemTimers,
      log: recordedLog(),
      metrics: recordedMetrics(),
      shared: createLocalMemory({ clock: systemClock, timers: systemTimers }),
      keys: [key],
      provider: undefined,
    },
  );
  const begun = await sessions.begin(
    { ...NO_TOKENS, ...tokens, claims: { sub: subject } },
    { nowMs: Date.now() - agoMs },
  );
  sessions.close();
  assert.ok("setCookies" in begun, "a session that can be begun");
  const jar = new Jar();
  jar.take(begun.setCookies);
  return jar;
}
