import assert from "node:assert/strict";
import { test } from "node:test";
import { oidcOptionsSchema } from "../identity/oidc-options.ts";
import { checkSessions, checkSessionsWarnings } from "./check-sessions.ts";
import type { Draft } from "./draft.ts";

const KEEPER = { issuer: "https://sallyport.example", serve: { address: "127.0.0.1:0" } };
const FOLLOWER = { feed: ["https://authority.internal:9443"], identity: "identity" };
const SECURE = { publicOrigin: "https://app.example.com" };

/** As far as these checks look at a draft. */
function draft({
  session = {},
  authority,
  listener = SECURE,
  workers = 1,
  shared,
}: {
  readonly session?: object;
  readonly authority?: object;
  readonly listener?: object;
  readonly workers?: number | "auto";
  readonly shared?: object;
}): Draft {
  const options = oidcOptionsSchema.parse({
    type: "oidc",
    issuer: "https://login.example.com",
    client: { id: "console" },
    principal: { kind: "user" },
    session,
  });
  return {
    authenticators: [{ name: "people", path: ["authenticators", "people"], options }],
    listeners: [{ name: "edge", path: ["listeners", 0], options: listener }],
    authority,
    config: { workers, shared },
    whole: { listeners: true, authenticators: true },
  } as unknown as Draft;
}

const KEYS = { keys: [{ env: "SESSION_KEY" }] };

const CASES: readonly [name: string, given: Parameters<typeof draft>[0], problems: number][] = [
  ["no key in a single process", {}, 0],
  ["no key with two workers", { workers: 2 }, 1],
  ["no key with as many workers as cores", { workers: "auto" }, 1],
  ["a key with two workers", { workers: 2, session: KEYS }, 0],
  ["no key at a proxy that follows", { authority: FOLLOWER }, 1],
  ["no key at an authority that others follow", { authority: KEEPER }, 1],
  ["no key at an authority for itself", { authority: { issuer: KEEPER.issuer } }, 0],
  ["a listener over plain http", { listener: {} }, 1],
  ["a publicOrigin over plain http", { listener: { publicOrigin: "http://app.example.com" } }, 1],
  ["plain http behind what ends TLS", { listener: SECURE }, 0],
  ["a listener over TLS", { listener: { tls: {} } }, 0],
  [
    "plain http where the cookie is made for it",
    { listener: {}, session: { cookie: { insecurePlaintext: true } } },
    0,
  ],
];
for (const [name, given, problems] of CASES) {
  test(`checkSessions() finds ${problems} with ${name}`, () => {
    assert.equal(checkSessions(draft(given)).length, problems);
  });
}

test("checkSessionsWarnings() says what proxies that follow do not tell each other without Redis", () => {
  const said = (given: Parameters<typeof draft>[0]): string =>
    checkSessionsWarnings(draft(given))
      .map(({ message }) => message)
      .join();
  assert.match(said({ authority: FOLLOWER, session: KEYS }), /a logout of "people"/);
  const memory = { ...KEYS, store: "memory" };
  assert.match(said({ authority: FOLLOWER, session: memory }), /sessions of "people"/);
  assert.equal(said({ authority: FOLLOWER, session: KEYS, shared: {} }), "");
  assert.equal(said({ authority: KEEPER, session: KEYS }), "");
});
