/** Login, callback, logout, back-channel logout and who is sent to login: each check by itself, with providers and sessions that say what a test wants. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Denial } from "../gate/decision.ts";
import { createRouter } from "../gate/router.ts";
import type { GateRoute } from "../gate/snapshot.ts";
import type { Exchange, BodyReader } from "../http/exchange.ts";
import type { LoginAuthenticator } from "../identity/provider/login-authenticator.ts";
import { createSessionSealer } from "../identity/session/session-seal.ts";
import type { Fields, RequestHead } from "../model/http.ts";
import type { Principal } from "../model/principal.ts";
import type { Reason } from "../model/reason.ts";
import { METHODS } from "../model/vocabulary.ts";
import { backchannelLogout } from "./login-backchannel.ts";
import type { LoginCall } from "./login-call.ts";
import { callback } from "./login-callback.ts";
import { logout } from "./login-logout.ts";
import { loginRedirect } from "./login-redirect.ts";
import { countRound } from "./login-rounds.ts";
import { loginAddress, startLogin } from "./login-start.ts";
import {
  keepTransaction,
  type LoginTransaction,
  newSecrets,
  TRANSACTION_LIMITS,
} from "./login-transaction.ts";

const NOW = 1_800_000_000_000;
const ORIGIN = "https://app.example";
const KEY = new Uint8Array(32).fill(7);
const ADA = { kind: "user", subject: "ada" } as Principal;

const app = { name: "app", pathParameters: false } as GateRoute;
const other = { name: "other", pathParameters: false } as GateRoute;
const router = createRouter(
  [
    { name: "app", host: undefined, path: "/app/*", methods: undefined, value: app },
    { name: "other", host: undefined, path: "/other/*", methods: undefined, value: other },
  ],
  METHODS,
);

interface Given {
  readonly method: string;
  readonly query: string;
  readonly fields: Fields;
  readonly budgetSpent: boolean;
  /** The state was used already. */
  readonly used: boolean;
  /** What the provider says of the code. */
  readonly redeemed: object;
  /** What sessions say of what it brought. */
  readonly begun: object;
  readonly sameSite: string;
  /** Of each of both sessions at logout: whether there is one. */
  readonly sessions: readonly [people: boolean, partners: boolean];
  readonly endSessionUrl: string | undefined;
  readonly body: string;
  readonly bodyFault: Reason;
  readonly notice: object;
  readonly spentLogout: boolean;
  /** What the provider says of a login that is begun. */
  readonly sent: string | object;
  /** Milliseconds until the address may begin another login. */
  readonly retryMs: number;
  readonly acrValues: readonly string[];
}

const TOKENS = { claims: { sub: "ada", sid: "s1" }, accessToken: "a", expiresAt: 7 };

function ground(given: Partial<Given> = {}) {
  const seen = {
    charged: 0,
    begun: [] as unknown[],
    redeemed: [] as unknown[],
    ended: [] as unknown[],
    asked: [] as unknown[],
  };
  const login = (name: string, has: boolean): LoginAuthenticator =>
    ({
      name,
      label: name,
      options: {
        acrValues: given.acrValues,
        session: { cookie: { insecurePlaintext: false, sameSite: given.sameSite ?? "lax" } },
      },
      transactions: createSessionSealer([KEY], `login ${name}`),
      provider: {
        authorizationUrl: async (request: unknown) => {
          seen.asked.push(request);
          return given.sent ?? "https://login.example/authorize";
        },
        redeem: async (answer: unknown) => {
          seen.redeemed.push(answer);
          return given.redeemed ?? TOKENS;
        },
        endSessionUrl: async () => given.endSessionUrl,
        verifyLogoutToken: async () => given.notice ?? { sid: "s1", subject: "ada" },
      },
      sessions: {
        begin: async (...of: unknown[]) => {
          seen.begun.push(of);
          return given.begun ?? { setCookies: ["session=1"], id: "id", principal: ADA };
        },
        end: async () => ({
          setCookies: [`${name}=; Max-Age=0`],
          session: has ? { principal: ADA, idToken: "hint" } : undefined,
        }),
        endBySid: async (...of: unknown[]) => void seen.ended.push(["sid", ...of]),
        endBySubject: async (...of: unknown[]) => void seen.ended.push(["subject", ...of]),
      },
    }) as unknown as LoginAuthenticator;
  const [people, partners] = given.sessions ?? [true, false];
  const ways = [login("people", people), login("partners", partners)];
  const fields = given.fields ?? [];
  const head = { fields, method: given.method ?? "GET" };
  const call = {
    own: {
      request: {
        host: "app.example",
        authority: "app.example",
        listener: "edge",
        method: given.method ?? "GET",
        query: given.query,
        head,
      },
      timeMs: NOW,
      budgetSpent: given.budgetSpent ?? false,
      charge: () => (seen.charged += 1),
      revoked: () => false,
    },
    exchange: { head, stream: bodyOf(given) },
    gate: { router, origins: new Map([["edge", ORIGIN]]) },
    logins: {
      byName: new Map(ways.map((one) => [one.name, one])),
      byRoute: new Map([[app, ways]]),
    },
    deps: {
      shared: { claim: async () => given.used !== true },
      limits: {
        spentLogout: () => given.spentLogout ?? false,
        begin: () => given.retryMs,
      },
    },
    login: ways[0],
  } as unknown as LoginCall;
  return { call, seen, login: ways[0] as LoginAuthenticator };
}

function bodyOf({ body = "", bodyFault }: Partial<Given>): Exchange["stream"] {
  let reader: BodyReader | undefined;
  return {
    attach: (one: BodyReader) => (reader = one),
    read: () => {
      if (bodyFault !== undefined) return reader?.bodyFault(bodyFault, "no");
      reader?.bodyChunk(Buffer.from(body));
      reader?.bodyEnd(undefined);
    },
  } as unknown as Exchange["stream"];
}

const began: LoginTransaction = {
  ...newSecrets(),
  acrValues: [],
  maxAgeSeconds: undefined,
  redirectUri: `${ORIGIN}/.sallyport/callback/people`,
  returnTo: "/app/x",
  beganMs: NOW - 5000,
};

/** A browser that comes back with its cookie. */
async function back(given: Partial<Given> = {}, transaction = began) {
  const { login } = ground();
  const [line = ""] = keepTransaction(transaction, login, []);
  const fields = ["cookie", line.split(";")[0] ?? ""];
  const query = `code=c&state=${transaction.state}`;
  const made = ground({ fields, query, ...given });
  const outcome = await callback(made.call);
  return { outcome, ...made.seen };
}

test("callback() begins a session with what its own login brought, and goes on", async () => {
  const { outcome, redeemed, begun, charged } = await back();
  assert.equal(outcome.reason, "logged-in");
  assert.equal(outcome.location, "/app/x");
  assert.equal(outcome.principal, ADA);
  assert.equal(outcome.setCookies?.[0], "session=1");
  assert.match(outcome.setCookies?.[1] ?? "", /sallyport-~.*=; Max-Age=0/);
  assert.match(outcome.setCookies?.[2] ?? "", /rounds=1/);
  const [answer] = redeemed as LoginTransaction[];
  assert.deepEqual([answer?.nonce, answer?.codeVerifier], [began.nonce, began.codeVerifier]);
  const [[tokens, moment] = []] = begun as [{ sid: string }, { sentMs: number; nowMs: number }][];
  assert.deepEqual([tokens?.sid, moment?.sentMs, moment?.nowMs], ["s1", NOW - 5000, NOW]);
  assert.equal(charged, 0);
});

test("callback() asks the provider nothing for a login that is not under way, or too often failed", async () => {
  const state = `state=${began.state}`;
  for (const [given, reason] of [
    [{ fields: [] }, "unknown-login"],
    [{ query: "code=c" }, "unknown-login"],
    [{ query: `code=c&${state}&${state}` }, "unknown-login"],
    [{ query: `code=c&state=${newSecrets().state}` }, "unknown-login"],
    [{ budgetSpent: true }, "too-many-failures"],
    [{ used: true }, "unknown-login"],
  ] as const) {
    const { outcome, redeemed, begun } = await back(given);
    assert.equal(outcome.reason, reason);
    assert.deepEqual([redeemed, begun], [[], []]);
    if (reason === "unknown-login") assert.match(outcome.again ?? "", /^\/\.sallyport\/login\?/);
  }
  const late = { ...began, beganMs: NOW - TRANSACTION_LIMITS.lifetimeMs - 1 };
  assert.equal((await back({}, late)).outcome.reason, "unknown-login");
});

test("callback() charges who brings what the provider refuses, and nobody for a provider that is down", async () => {
  for (const [fault, charges] of [
    ["wrong-nonce", 1],
    ["login-refused", 1],
    ["identity-unavailable", 0],
  ] as const) {
    const { outcome, charged, begun } = await back({ redeemed: { fault, detail: "no" } });
    assert.deepEqual([outcome.reason, charged, begun], [fault, charges, []]);
    assert.equal(outcome.again, "/.sallyport/login?return=%2Fapp%2Fx");
    assert.match(outcome.setCookies?.[0] ?? "", /Max-Age=0/, "its cookie is used up");
  }
  const refused = await back({ begun: { failure: "session-too-large", detail: "large" } });
  assert.equal(refused.outcome.reason, "session-too-large");
  assert.equal(refused.outcome.location, undefined);
  const without = { ...TOKENS, claims: { sub: "ada", sid: 7 } };
  const [[tokens] = []] = (await back({ redeemed: without })).begun as [{ sid: unknown }][];
  assert.equal(tokens?.sid, undefined);
});

test("callback() goes nowhere that no route with a login takes any more, and on by a page for strict cookies", async () => {
  for (const returnTo of [undefined, "/other/x", "/nowhere", "//evil.example/app/x"]) {
    const { outcome } = await back({}, { ...began, returnTo });
    assert.equal(outcome.reason, "logged-in");
    assert.equal(outcome.location, undefined);
    assert.equal(outcome.status, 200);
    assert.doesNotMatch(outcome.page?.body ?? "", /refresh/);
  }
  const { outcome } = await back({ sameSite: "strict" });
  assert.equal(outcome.location, undefined);
  assert.match(outcome.page?.body ?? "", /refresh.*\/app\/x/);
});

async function start(query: string | undefined, given: Partial<Given> = {}) {
  const { call, seen } = ground({ ...given, ...(query === undefined ? {} : { query }) });
  return { outcome: await startLogin(call), asked: seen.asked };
}

test("startLogin() sends the browser to the provider that was chosen, with secrets that only it keeps", async () => {
  const { outcome, asked } = await start("with=partners&return=/app/x?a=1");
  assert.deepEqual([outcome.reason, outcome.authenticator], ["login-begun", "partners"]);
  assert.equal(outcome.location, "https://login.example/authorize");
  assert.match(outcome.setCookies?.[0] ?? "", /^__Host-sallyport-~/);
  const [request] = asked as LoginTransaction[];
  assert.equal(request?.redirectUri, `${ORIGIN}/.sallyport/callback/partners`);
  for (const name of ["state", "nonce", "codeVerifier"] as const) {
    assert.ok((request?.[name] ?? "").length >= 43);
  }
  assert.deepEqual((await start("with=people")).outcome.location, outcome.location);
});

test("startLogin() lets the person choose where several take them, and asks nobody yet", async () => {
  for (const query of [undefined, "return=/app/x"]) {
    const { outcome, asked } = await start(query);
    assert.deepEqual([outcome.reason, outcome.status, asked], ["login-begun", 200, []]);
    assert.match(outcome.page?.body ?? "", /with=people.*\n.*with=partners/);
  }
});

test("startLogin() refuses what leads nowhere, to nobody, or asks for what cannot be met", async () => {
  for (const [query, given, reason] of [
    ["with=people&return=/other/x", {}, "invalid-return-address"],
    ["with=people&return=//evil.example", {}, "invalid-return-address"],
    ["with=people&return=", {}, "invalid-return-address"],
    ["with=nobody", {}, "invalid-return-address"],
    ["with=", {}, "invalid-return-address"],
    ["with=people&max_age=x", {}, "invalid-return-address"],
    ["with=people&acr_values=a", { acrValues: ["b"] }, "insufficient-login"],
    ["with=people", { retryMs: 200 }, "rate-limited"],
    [
      "with=people",
      { sent: { fault: "identity-unavailable", detail: "" } },
      "identity-unavailable",
    ],
  ] as const) {
    const { outcome, asked } = await start(query, given);
    assert.equal(outcome.reason, reason, query);
    assert.deepEqual([outcome.location, outcome.setCookies], [undefined, undefined]);
    assert.equal(asked.length, reason === "identity-unavailable" ? 1 : 0);
  }
  const again = (await start("with=people&return=/app/x", { retryMs: 200 })).outcome;
  assert.deepEqual([again.retryMs, again.again], [200, "/.sallyport/login?return=%2Fapp%2Fx"]);
});

test("startLogin() sends nobody around for ever", async () => {
  const { login } = ground();
  let fields: Fields = [];
  for (let round = 0; round < 5; round++) {
    assert.equal((await start("with=people", { fields })).outcome.reason, "login-begun");
    fields = ["cookie", countRound(login, fields).split(";")[0] ?? ""];
  }
  const { outcome, asked } = await start("with=people", { fields });
  assert.deepEqual([outcome.reason, asked], ["login-loop", []]);
});

test("loginAddress() says where to come back to and what is asked for, and nothing that is not", () => {
  const stepUp = (acrValues: readonly string[], maxAgeSeconds?: number) => ({
    acrValues,
    maxAgeSeconds,
  });
  for (const [returnTo, asked, address] of [
    [undefined, undefined, ""],
    [undefined, stepUp([]), ""],
    ["/app/x?a=1", undefined, "?return=%2Fapp%2Fx%3Fa%3D1"],
    [undefined, stepUp(["a", "b"]), "?acr_values=a+b"],
    [undefined, stepUp([], 0), "?max_age=0"],
    ["/app", stepUp(["a"], 300), "?return=%2Fapp&acr_values=a&max_age=300"],
  ] as const) {
    assert.equal(loginAddress(returnTo, asked), `/.sallyport/login${address}`);
  }
});

const SAME = ["sec-fetch-site", "same-origin"];
const POST = { method: "POST", fields: [...SAME, "sec-fetch-mode", "navigate"] };

test("logout() ends nothing unless a page of the same origin asks", async () => {
  for (const [fields, ended] of [
    [[], false],
    [SAME, true],
    [["sec-fetch-site", "same-site"], false],
    [["sec-fetch-site", "cross-site"], false],
    [["sec-fetch-site", "none"], false],
    [["origin", ORIGIN], true],
    [["origin", "null"], false],
    [["origin", "https://evil.example"], false],
    [[...SAME, "origin", ORIGIN], true],
    [[...SAME, "origin", "null"], true],
    [[...SAME, "origin", "https://evil.example"], false],
    [["sec-fetch-site", "cross-site", "origin", ORIGIN], false],
    [[...SAME, ...SAME], false],
    [["origin", ORIGIN, "origin", ORIGIN], false],
  ] as const) {
    const outcome = await logout(ground({ method: "POST", fields: [...fields] }).call);
    assert.equal(outcome.reason, ended ? "logged-out" : "cross-site-request", fields.join(" "));
    assert.equal(outcome.setCookies !== undefined, ended);
  }
  const { reason, page, setCookies } = await logout(ground({ fields: SAME }).call);
  assert.deepEqual([reason, setCookies], ["answered-by-proxy", undefined]);
  assert.match(page?.body ?? "", /<form method="post"/);
});

test("logout() ends every session of the browser, and goes to the provider of the first", async () => {
  const end = "https://login.example/end?hint";
  for (const [sessions, name] of [
    [[true, true], "people"],
    [[false, true], "partners"],
    [[false, false], undefined],
  ] as const) {
    const outcome = await logout(ground({ ...POST, sessions, endSessionUrl: end }).call);
    assert.deepEqual(outcome.setCookies, ["people=; Max-Age=0", "partners=; Max-Age=0"]);
    assert.equal(outcome.authenticator, name);
    assert.equal(outcome.reason, name === undefined ? "answered-by-proxy" : "logged-out");
    assert.equal(outcome.location, name === undefined ? "/.sallyport/logged-out" : end);
  }
  const alone = await logout(ground(POST).call);
  assert.equal(alone.location, "/.sallyport/logged-out");
  const script = await logout(
    ground({ ...POST, fields: [...SAME, "sec-fetch-mode", "cors"] }).call,
  );
  assert.deepEqual([script.status, script.location], [204, undefined]);
  const button = await logout(ground({ endSessionUrl: end }).call);
  const at = button.page?.fields.indexOf("content-security-policy") ?? -1;
  assert.match(button.page?.fields[at + 1] ?? "", /form-action 'self' https:\/\/login\.example;/);
  const local = await logout(ground().call);
  assert.match(local.page?.fields[at + 1] ?? "", /form-action 'self';/);
});

const FORM = ["content-type", "application/x-www-form-urlencoded"];
const TOLD = { method: "POST", fields: FORM, body: "logout_token=t" };

test("backchannelLogout() ends the provider's session where it is named, else all of the person", async () => {
  for (const [notice, ended] of [
    [{ sid: "s1", subject: "ada" }, ["sid", "s1", NOW]],
    [{ sid: "s1", subject: undefined }, ["sid", "s1", NOW]],
    [{ sid: undefined, subject: "ada" }, ["subject", "ada", NOW]],
  ] as const) {
    const { call, seen } = ground({ ...TOLD, notice });
    const outcome = await backchannelLogout(call);
    assert.deepEqual([outcome.reason, outcome.status], ["logged-out", 200]);
    assert.deepEqual(seen.ended, [ended]);
  }
  for (const type of ["Application/X-WWW-Form-Urlencoded; charset=utf-8", `${FORM[1]} ;x`]) {
    const { call } = ground({ ...TOLD, fields: ["content-type", type] });
    assert.equal((await backchannelLogout(call)).status, 200, type);
  }
});

test("backchannelLogout() ends nothing by what is no logout token of the provider", async () => {
  for (const [given, reason, status, charges] of [
    [{ fields: [] }, "invalid-logout-token", 400, 0],
    [{ fields: ["content-type", "application/json"] }, "invalid-logout-token", 400, 0],
    [{ fields: ["content-type", `${FORM[1]}x`] }, "invalid-logout-token", 400, 0],
    [{ body: "" }, "invalid-logout-token", 400, 0],
    [{ body: "logout_token=a&logout_token=b" }, "invalid-logout-token", 400, 0],
    [{ bodyFault: "body-too-large" }, "body-too-large", 400, 0],
    [{ body: "x".repeat(33_000) }, "body-too-large", 400, 0],
    [{ notice: { fault: "wrong-issuer", detail: "no" } }, "wrong-issuer", 400, 1],
    [{ notice: { fault: "identity-unavailable", detail: "no" } }, "identity-unavailable", 503, 0],
    [{ budgetSpent: true }, "too-many-failures", 503, 0],
  ] as const) {
    const { call, seen } = ground({ ...TOLD, ...given });
    const outcome = await backchannelLogout(call);
    assert.deepEqual([outcome.reason, outcome.status], [reason, status]);
    assert.deepEqual([seen.ended, seen.charged], [[], charges]);
  }
  const { call, seen } = ground({ ...TOLD, budgetSpent: true, spentLogout: true });
  assert.equal((await backchannelLogout(call)).reason, "logged-out");
  assert.equal(seen.ended.length, 1);
});

const PAGE = ["sec-fetch-mode", "navigate", "sec-fetch-dest", "document"];

test("loginRedirect() sends a browser that goes to a page to login, and nobody else", () => {
  const redirect = (
    denied: Reason,
    more: {
      method?: string;
      fields?: Fields;
      listener?: string;
      route?: GateRoute;
      path?: string;
    } = {},
  ) => {
    const { method = "GET", fields = PAGE, listener = "edge", path = "/app/x" } = more;
    const request = { path, query: "a=1", listener };
    const denial = {
      denied,
      route: "route" in more ? more.route : app,
      request,
      stepUp: undefined,
    };
    const { call } = ground();
    const logins = { ...call.logins, listeners: new Set(["edge"]) };
    return loginRedirect(
      denial as unknown as Denial,
      { method, fields } as unknown as RequestHead,
      logins,
    );
  };
  const address = "/.sallyport/login?return=%2Fapp%2Fx%3Fa%3D1";
  for (const reason of [
    "missing-credential",
    "session-expired",
    "invalid-session",
    "step-up-required",
  ] as const) {
    assert.equal(redirect(reason), address);
  }
  for (const reason of ["forbidden", "credential-revoked", "cross-site-request"] as const) {
    assert.equal(redirect(reason), undefined);
  }
  for (const more of [
    { method: "POST" },
    { method: "HEAD" },
    { fields: ["sec-fetch-mode", "cors"] },
    { fields: [] },
    { listener: "mesh" },
    { route: other },
    { route: undefined as unknown as GateRoute },
  ]) {
    assert.equal(redirect("missing-credential", more), undefined, JSON.stringify(more));
  }
  // What is too long to be kept loses its query first.
  const at = (chars: number): string => `/app/${"x".repeat(chars - 5)}`;
  assert.match(redirect("missing-credential", { path: at(2044) }) ?? "", /%3Fa%3D1$/);
  assert.match(redirect("missing-credential", { path: at(2048) }) ?? "", /return=%2Fapp%2Fx+$/);
  assert.equal(redirect("missing-credential", { path: at(2049) }), "/.sallyport/login");
});
