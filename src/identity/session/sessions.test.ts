import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { type Jar, NO_TOKENS, NOW_MS, SessionGround } from "../../../test/session-ground.ts";
import { isFailure } from "../../model/facts.ts";
import { sessionScope } from "./session-scope.ts";
import { createSessionSealer } from "./session-seal.ts";

const MINUTE = 60_000;
const COOKIE = "__Host-sallyport-people";
const SCOPE = sessionScope({
  name: "people",
  issuer: "https://login.example.com",
  client: { id: "console" },
});

test("sessions() knows by its cookie whom a login began it for", async () => {
  const ground = new SessionGround();
  const browser = await ground.login({
    sub: "ada",
    roles: ["Reader"],
    acr: "gold",
    amr: ["pwd", "otp"],
    auth_time: NOW_MS / 1000 - 60,
  });
  const facts = await ground.facts(browser);
  assert.equal(facts.principal.subject, "ada");
  assert.deepEqual(facts.principal.roles, ["people/Reader"]);
  assert.equal(facts.kind, "oidc");
  assert.equal(facts.audience, undefined);
  assert.equal(facts.clientId, "console");
  assert.equal(facts.acr, "gold");
  assert.deepEqual(facts.amr, ["pwd", "otp"]);
  assert.equal(facts.authenticatedAt, NOW_MS / 1000 - 60);
  assert.equal(facts.issuedAt, NOW_MS / 1000);
  assert.equal(facts.expiresAt, NOW_MS / 1000 + 30 * 60);
});

test("sessions() sets a cookie that only https, this host and no script can have", async () => {
  const ground = new SessionGround();
  const begun = await ground.sessions.begin(
    { ...NO_TOKENS, claims: { sub: "ada" } },
    { nowMs: NOW_MS },
  );
  assert.ok("setCookies" in begun);
  assert.equal(begun.setCookies.length, 1);
  const [, ...attributes] = (begun.setCookies[0] ?? "").split("; ");
  assert.deepEqual(attributes, ["Max-Age=43200", "Path=/", "HttpOnly", "Secure", "SameSite=Lax"]);
  assert.ok(begun.setCookies[0]?.startsWith(`${COOKIE}=v1.`));
});

test("sessions() names the cookie otherwise where it is insecure, and says strict where asked", async () => {
  const cookie = { insecurePlaintext: true, sameSite: "strict" };
  const ground = new SessionGround({ session: { cookie } });
  const begun = await ground.sessions.begin(
    { ...NO_TOKENS, claims: { sub: "ada" } },
    { nowMs: NOW_MS },
  );
  assert.ok("setCookies" in begun);
  assert.match(begun.setCookies[0] ?? "", /^sallyport-people=v1\./);
  assert.match(begun.setCookies[0] ?? "", /; Path=\/; HttpOnly; SameSite=Strict$/);
});

test("sessions() keeps no token and no claim where anybody could read them", async () => {
  for (const store of ["cookie", "memory"]) {
    const ground = new SessionGround({ session: { store } });
    const browser = await ground.login(
      { sub: "CANARY-subject", secret_note: "CANARY-note" },
      { refreshToken: "CANARY-refresh", idToken: "CANARY-id" },
    );
    const text = browser.header() ?? "";
    const decoded = text.replace(/[A-Za-z0-9_-]{8,}/g, (part) =>
      Buffer.from(part, "base64url").toString("latin1"),
    );
    assert.doesNotMatch(text + decoded, /CANARY/);
  }
});

test("sessions() reads the cookie of another process that has the key, and of none other", async () => {
  const key = randomBytes(32);
  const one = new SessionGround({ keys: [key] });
  const browser = await one.login({ sub: "ada" });
  const other = new SessionGround({ keys: [randomBytes(32), key], shared: one.shared });
  assert.equal(await other.subject(browser), "ada");
  const stranger = new SessionGround({ keys: [randomBytes(32)], shared: one.shared });
  assert.equal(await stranger.reason(browser), "session-expired");
});

test("sessions() seals under the first key: rotation by reload, with overlap", async () => {
  const [old, next] = [randomBytes(32), randomBytes(32)];
  const clock = new SessionGround().clock;
  const before = new SessionGround({ keys: [old], clock });
  const during = new SessionGround({ keys: [next, old], clock, shared: before.shared });
  const after = new SessionGround({ keys: [next], clock, shared: before.shared });
  const browser = await before.login({ sub: "ada" });
  assert.equal(await during.subject(browser), "ada");
  // Renewed under the new key.
  clock.advance(10 * MINUTE);
  assert.equal(await during.subject(browser), "ada");
  assert.equal(await after.subject(browser), "ada");
});

test("sessions() go on when the same person is logged out at another provider or client", async () => {
  const ground = new SessionGround({ keys: [key] });
  const browser = await ground.login({ sub: "ada" }, { sid: "s" });
  for (const elsewhere of [{ issuer: "https://staging.example.com" }, { clientId: "reports" }]) {
    const others = new SessionGround({ keys: [key], shared: ground.shared, ...elsewhere });
    await others.sessions.endBySubject("ada", NOW_MS);
    await others.sessions.endBySid("s", NOW_MS);
  }
  const replica = new SessionGround({ keys: [key], shared: ground.shared });
  assert.equal(await replica.subject(browser), "ada");
});

interface Hostile {
  readonly name: string;
  readonly change: (jar: Jar, ground: SessionGround) => void | Promise<void>;
  readonly reason: string;
  readonly detail: RegExp;
  readonly session?: object;
  /** Makes the session large, so that it goes in parts. */
  readonly large?: boolean;
  /** Whether the browser keeps the cookie. */
  readonly keeps?: boolean;
}

const key = randomBytes(32);
const otherKey = randomBytes(32);
/** Of a claim: two of them take three cookies. */
const LARGE = "x".repeat(4000);

const HOSTILE: readonly Hostile[] = [
  ...["v1", "key id", "nonce", "text", "tag"].map((part, index): Hostile => {
    const isKey = part === "key id";
    const isForm = part === "v1";
    return {
      name: `its ${part} was changed`,
      change: (jar) => edit(jar, (text) => flip(text, [1, 5, 22, 60, text.length - 4][index] ?? 0)),
      reason: isKey ? "session-expired" : "invalid-session",
      detail: isKey ? /key that is not known/ : isForm ? /form/ : /changed/,
    };
  }),
  {
    name: "it was cut short",
    change: (jar) => edit(jar, (text) => text.slice(0, -8)),
    reason: "invalid-session",
    detail: /changed|form/,
  },
  {
    name: "it is too short to be sealed",
    change: (jar) => edit(jar, (text) => text.slice(0, 40)),
    reason: "invalid-session",
    detail: /form/,
  },
  {
    name: "it is in another spelling of base64url",
    change: (jar) => edit(jar, (text) => `${text}=`),
    reason: "invalid-session",
    detail: /form/,
  },
  {
    name: "it is empty",
    change: (jar) => edit(jar, () => ""),
    reason: "invalid-session",
    detail: /form/,
  },
  {
    name: "it is sealed under a foreign key",
    change: (jar) => edit(jar, () => createSessionSealer([otherKey], PURPOSE).seal("{}")),
    reason: "session-expired",
    detail: /key that is not known/,
  },
  {
    name: "it is sealed for another authenticator under the same key",
    change: async (jar) => {
      const others = new SessionGround({ keys: [key], name: "partners" });
      const theirs = await others.login({ sub: "eve" });
      edit(jar, () => theirs.cookies.get("__Host-sallyport-partners") ?? "");
    },
    reason: "invalid-session",
    detail: /sealed for something else/,
  },
  ...(
    [
      ["at another provider", { issuer: "https://staging.example.com" }],
      ["as another client of the provider", { clientId: "reports" }],
    ] as const
  ).flatMap(([place, elsewhere]) =>
    ["cookie", "memory"].map((store): Hostile => ({
      name: `it was begun ${place} under the same key and name (${store})`,
      session: { store },
      change: async (jar, { shared }) => {
        const others = new SessionGround({ keys: [key], session: { store }, shared, ...elsewhere });
        const theirs = await others.login({ sub: "eve" }, { refreshToken: "theirs" });
        edit(jar, () => theirs.cookies.get(COOKIE) ?? "");
      },
      reason: "invalid-session",
      detail: /sealed for something else/,
    })),
  ),
  {
    name: "it is sealed for another kind of store under the same key",
    change: async (jar) => {
      const others = new SessionGround({ keys: [key], session: { store: "memory" } });
      const theirs = await others.login({ sub: "eve" });
      edit(jar, () => theirs.cookies.get(COOKIE) ?? "");
    },
    reason: "invalid-session",
    detail: /sealed for something else/,
  },
  {
    name: "what is sealed is no session",
    change: (jar) => edit(jar, () => createSessionSealer([key], PURPOSE).seal('{"i":"1"}')),
    reason: "invalid-session",
    detail: /form/,
  },
  {
    name: "it stands there twice",
    change: (jar) => {
      const text = jar.cookies.get(COOKIE) ?? "";
      jar.header = () => `${COOKIE}=${text}; ${COOKIE}=${text}`;
    },
    reason: "invalid-session",
    detail: /twice/,
  },
  {
    name: "a part is missing",
    large: true,
    change: (jar) => void jar.cookies.delete(`${COOKIE}.a2`),
    reason: "invalid-session",
    detail: /parts/,
  },
  {
    name: "two parts are exchanged",
    large: true,
    change: (jar) => {
      const [first = "", second = ""] = [1, 2].map((part) => jar.cookies.get(`${COOKIE}.a${part}`));
      jar.cookies.set(`${COOKIE}.a1`, second).set(`${COOKIE}.a2`, first);
    },
    reason: "invalid-session",
    detail: /parts/,
  },
  {
    name: "a part is of another session",
    large: true,
    change: async (jar, ground) => {
      const other = await ground.login({ sub: "eve", note: [LARGE, LARGE] });
      jar.cookies.set(`${COOKIE}.a2`, other.cookies.get(`${COOKIE}.a2`) ?? "");
    },
    reason: "invalid-session",
    detail: /parts/,
  },
  {
    name: "a part is of another session and says that it is of this one",
    large: true,
    change: async (jar, ground) => {
      const other = await ground.login({ sub: "eve", note: [LARGE, LARGE] });
      const [count, mark] = (jar.cookies.get(`${COOKIE}.a1`) ?? "").split(".");
      const [, , ...text] = (other.cookies.get(`${COOKIE}.a2`) ?? "").split(".");
      jar.cookies.set(`${COOKIE}.a2`, `${count}.${mark}.${text.join(".")}`);
    },
    reason: "invalid-session",
    detail: /parts/,
  },
  {
    name: "a part says that there are more",
    large: true,
    change: (jar) => {
      for (const [name, value] of jar.cookies) jar.cookies.set(name, value.replace(/^./, "9"));
    },
    reason: "invalid-session",
    detail: /parts/,
  },
  {
    name: "it was idle for too long",
    change: (_, { clock }) => clock.advance(30 * MINUTE),
    reason: "session-expired",
    detail: /idle/,
  },
  {
    name: "it is past its absolute lifetime",
    session: { idle: "1h", absolute: "1h" },
    change: async (jar, ground) => {
      for (let count = 0; count < 3; count++) {
        ground.clock.advance(20 * MINUTE);
        if (count < 2) await ground.subject(jar);
      }
    },
    reason: "session-expired",
    detail: /absolute/,
  },
  {
    name: "it was ended by a logout, and somebody has a copy",
    change: async (jar, ground) => void (await ground.sessions.end(ground.request(jar), NOW_MS)),
    reason: "session-expired",
    detail: /logout/,
  },
  {
    name: "its provider has ended its session",
    change: (_, { sessions }) => sessions.endBySid("provider-sid", NOW_MS),
    reason: "session-expired",
    detail: /provider/,
  },
  {
    name: "its provider has ended all of the person's",
    change: (_, { sessions }) => sessions.endBySubject("ada", NOW_MS),
    reason: "session-expired",
    detail: /provider/,
  },
  {
    name: "it is gone from the memory that it was kept in",
    session: { store: "memory" },
    change: (jar, { shared }) => {
      const id = createSessionSealer([key], `session memory ${SCOPE}`).open(
        jar.cookies.get(COOKIE) ?? "",
      );
      assert.ok("plain" in id);
      return shared.remove("session-content", `${SCOPE}:${id.plain}`);
    },
    reason: "session-expired",
    detail: /not in the memory/,
  },
  {
    name: "it is from the future",
    change: (_, { clock }) => clock.advance(-6 * MINUTE),
    reason: "session-expired",
    detail: /future/,
  },
];

const PURPOSE = `session cookie ${SCOPE}`;

for (const row of HOSTILE) {
  // What was known before must not hide it, and neither must knowing it.
  for (const known of [false, true]) {
    const fresh = /future|memory/.test(row.name);
    if (fresh && known) continue;
    test(`sessions() refuses a session: ${row.name}${known ? " (known before)" : ""}`, async () => {
      const options = {
        keys: [key],
        ...(row.session === undefined ? {} : { session: row.session }),
        principal: { attributes: { note: { claim: "note", type: "strings", default: [] } } },
      };
      const ground = new SessionGround(options);
      const note = row.large === true ? { note: [LARGE, LARGE] } : {};
      const browser = await ground.login({ sub: "ada", ...note }, { sid: "provider-sid" });
      if (known) await ground.subject(browser);
      await row.change(browser, ground);
      const judge = known
        ? ground
        : new SessionGround({ ...options, shared: ground.shared, clock: ground.clock });
      const answer = await judge.sessions.verify(judge.request(browser), judge.clock.now());
      assert.ok(answer !== undefined && isFailure(answer.result));
      assert.equal(answer.result.failure, row.reason);
      const ended = /logout|provider/.test(String(row.detail));
      assert.match(answer.result.detail, ended ? /logout|provider/ : row.detail);
      // The browser can begin anew.
      assert.ok(answer.setCookies.length > 0);
      assert.ok(answer.setCookies.every((line) => line.includes("=; Max-Age=0; Path=/")));
    });
  }
}

function edit(jar: Jar, change: (text: string) => string): void {
  jar.cookies.set(COOKIE, change(jar.cookies.get(COOKIE) ?? ""));
}

function flip(text: string, at: number): string {
  const changed = text[at] === "1" ? "2" : text[at] === "0" ? "1" : text[at] === "a" ? "b" : "a";
  return text.slice(0, at) + changed + text.slice(at + 1);
}
