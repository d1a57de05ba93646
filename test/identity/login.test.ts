/** Logging in and out through a proxy as `sallyport run` starts it, at providers that do as they are told. */
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import type { ServerResponse } from "node:http";
import { encode, hmacToken, signToken, testKey } from "../issuer.ts";
import { type Claims, ROGUE, type Roguery } from "../rogue-provider.ts";
import { Browser, locationOf, NAVIGATION, type Shown } from "./browser.ts";
import { APP, type LoginStage, startLoginStage } from "./login-stage.ts";

let place: LoginStage;

before(async () => {
  place = await startLoginStage();
});

after(async () => {
  await place.close();
});

beforeEach(() => {
  for (const provider of [place.rogue, place.second]) {
    for (const name of Object.keys(provider.roguery)) {
      delete provider.roguery[name as keyof Roguery];
    }
  }
});

/** What an API client says of itself. */
const SCRIPT = { accept: "application/json" } as const;

function last(trail: readonly Shown[]): Shown {
  const shown = trail.at(-1);
  assert.ok(shown !== undefined);
  return shown;
}

function problemOf(shown: Shown): string {
  return (JSON.parse(shown.body) as { reason: string }).reason;
}

test("a browser that goes to a page logs in and comes back to it, with a session of its own", async () => {
  const browser = place.browser();
  const trail = await browser.go(`${APP}/app/report?month=11&sort=a%20b`);
  assert.deepEqual(
    trail.map(({ url, status }) => [new URL(url).pathname, status]),
    [
      ["/app/report", 303],
      ["/.sallyport/login", 303],
      ["/authorize", 303],
      ["/.sallyport/callback/people", 303],
      ["/app/report", 200],
    ],
  );
  assert.equal(last(trail).url, `${APP}/app/report?month=11&sort=a%20b`);
  const answer = await browser.visit(`${APP}/app/next`);
  assert.equal(answer.status, 200);
  // Nothing of ours reaches the service, and nothing but the session and the count stays.
  assert.deepEqual([...browser.cookies.keys()].toSorted(), [
    "__Host-sallyport-+rounds",
    "__Host-sallyport-people",
  ]);
  const record = await place.recordOf(trail[3] ?? last(trail));
  assert.deepEqual(
    [record["reason"], record["decision"], record["query"] === undefined],
    ["logged-in", "permit", false],
  );
  assert.equal((record["principal"] as { subject: string }).subject, "ada");
});

test("every answer on the way is kept by nobody, and what it sets is out of reach of scripts and other sites", async () => {
  const trail = await place.browser().go(`${APP}/app/x`);
  for (const shown of trail.filter(({ url }) => url.startsWith(`${APP}/.sallyport/`))) {
    assert.equal(shown.headers["cache-control"], "no-store");
    assert.equal(shown.headers["referrer-policy"], "no-referrer");
    for (const line of shown.headers["set-cookie"] ?? []) {
      assert.match(line, /^__Host-sallyport-.*; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
    }
  }
  // Neither code, verifier nor state can be read in a cookie.
  const cookies = trail.flatMap(({ headers }) => headers["set-cookie"] ?? []).join("\n");
  const state = new URL(trail[2]?.url ?? "").searchParams.get("state") ?? "";
  assert.ok(state.length >= 43);
  assert.ok(!cookies.includes(state));
});

const NOT_SENT: readonly (readonly [string, Record<string, string>, "GET" | "POST" | "HEAD"])[] = [
  ["an API client", SCRIPT, "GET"],
  ["curl", { accept: "*/*" }, "GET"],
  [
    "a script of a page",
    { ...NAVIGATION, "sec-fetch-mode": "cors", "sec-fetch-dest": "empty" },
    "GET",
  ],
  [
    "a script of another origin",
    {
      ...NAVIGATION,
      "sec-fetch-mode": "cors",
      "sec-fetch-site": "cross-site",
      origin: "https://evil.example",
    },
    "GET",
  ],
  ["an image", { ...NAVIGATION, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" }, "GET"],
  ["a frame", { ...NAVIGATION, "sec-fetch-dest": "iframe" }, "GET"],
  ["a form that is sent", { ...NAVIGATION, "sec-fetch-site": "same-origin" }, "POST"],
  ["a look at the head", NAVIGATION, "HEAD"],
];

for (const [who, headers, method] of NOT_SENT) {
  test(`${who} is not sent to login but told that a credential is missing`, async () => {
    const shown = await place.browser().visit(`${APP}/app/x`, { method, headers });
    assert.equal(shown.status, 401);
    assert.equal(shown.headers.location, undefined);
    assert.match(shown.headers["content-type"] ?? "", /problem\+json/);
    if (method !== "HEAD") assert.equal(problemOf(shown), "missing-credential");
  });
}

test("a browser is not sent to login on a route that takes none, nor for what a login does not help", async () => {
  const browser = place.browser();
  assert.equal((await browser.visit(`${APP}/guarded/x`)).status, 401);
  await browser.go(`${APP}/app/x`);
  const denied = await browser.visit(`${APP}/never/x`);
  assert.deepEqual([denied.status, problemOf(denied)], [403, "forbidden"]);
});

test("a session cookie that was changed is taken away: a browser logs in again, a script is told", async () => {
  const browser = place.browser();
  await browser.go(`${APP}/app/x`);
  const name = "__Host-sallyport-people";
  const good = browser.cookies.get(name) ?? "";
  const changed = good.slice(0, -1) + (good.endsWith("A") ? "Q" : "A");
  browser.cookies.set(name, changed);
  const told = await browser.visit(`${APP}/app/x`, { headers: SCRIPT });
  assert.deepEqual([told.status, problemOf(told)], [401, "invalid-session"]);
  assert.ok(!browser.cookies.has(name));
  browser.cookies.set(name, changed);
  const trail = await browser.go(`${APP}/app/x`);
  assert.deepEqual([trail[0]?.status, last(trail).status], [303, 200]);
});

const NOT_PEOPLE: readonly (readonly [string, Record<string, string>])[] = [
  [
    "an image of another site",
    { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" },
  ],
  [
    "a frame",
    { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" },
  ],
  [
    "a script of the same origin",
    { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty" },
  ],
];

for (const [who, headers] of NOT_PEOPLE) {
  test(`login is not begun by ${who}, and the provider not asked`, async () => {
    const browser = place.browser();
    const shown = await browser.visit(`${APP}/.sallyport/login?return=/app/x`, { headers });
    assert.equal(shown.status, 403);
    assert.equal((await place.recordOf(shown))["reason"], "cross-site-request");
    assert.equal(browser.cookies.size, 0);
  });
}

const OPEN_REDIRECTS = [
  "https://evil.example/",
  "//evil.example/",
  "///evil.example/",
  "/\\evil.example/",
  "\\/evil.example",
  "https:evil.example",
  "https:/evil.example",
  "/%5cevil.example",
  "/%2f%2fevil.example",
  "/%2fevil.example",
  "/app/%2e%2e/%2f/evil.example",
  "/\tevil.example",
  "/app/x\r\nset-cookie: a=b",
  "/app/x%0d%0aset-cookie:%20a=b%5c",
  "/app/x#@evil.example",
  " /app/x",
  "javascript:alert(1)",
  "data:text/html,x",
  "app/x",
  "@evil.example",
  ".evil.example",
  "?x",
  "/guarded/x",
  "/nowhere",
  "/.sallyport/login",
  "/.sallyport/../app",
  `/app/${"x".repeat(2050)}`,
  "/app/é",
  "",
];

for (const address of OPEN_REDIRECTS) {
  test(`login refuses to return to ${JSON.stringify(address).slice(0, 60)}`, async () => {
    const browser = place.browser();
    const url = `${APP}/.sallyport/login?return=${encodeURIComponent(address)}`;
    const shown = await browser.visit(url);
    if (address === "/app/x%0d%0aset-cookie:%20a=b%5c") {
      // Refused for its backslash; escapes of line ends alone stay escapes.
      assert.equal(shown.headers["set-cookie"], undefined);
    }
    assert.equal(shown.status, 400, shown.headers.location ?? "");
    assert.equal((await place.recordOf(shown))["reason"], "invalid-return-address");
  });
}

test("login keeps escapes of line ends escaped all the way", async () => {
  const browser = place.browser();
  const trail = await browser.go(
    `${APP}/.sallyport/login?return=${encodeURIComponent("/app/x%0d%0aset-cookie:%20a=b")}`,
  );
  assert.equal(last(trail).url, `${APP}/app/x%0D%0Aset-cookie:%20a=b`);
});

const stranger = testKey("stranger", "ES256");

/** What goes wrong at the provider, or on the way back; and what the person and the record say of it. */
const ROGUERIES: readonly (readonly [string, () => Roguery, string, number])[] = [
  [
    "wrong iss parameter",
    () => ({ callback: (q) => q.set("iss", "https://evil.example") }),
    "wrong-issuer",
    401,
  ],
  ["no iss parameter", () => ({ callback: (q) => q.delete("iss") }), "wrong-issuer", 401],
  ["mixed-up state", () => ({ callback: (q) => q.set("state", "other") }), "unknown-login", 400],
  ["no state", () => ({ callback: (q) => q.delete("state") }), "unknown-login", 400],
  ["state twice", () => ({ callback: (q) => q.append("state", "other") }), "unknown-login", 400],
  [
    "access denied",
    () => ({
      callback: (q) => {
        q.delete("code");
        q.set("error", "access_denied");
      },
    }),
    "login-refused",
    403,
  ],
  [
    "a code of nobody's",
    () => ({ callback: (q) => q.set("code", "injected") }),
    "login-refused",
    403,
  ],
  ["wrong iss", () => claims({ iss: "https://evil.example" }), "wrong-issuer", 401],
  ["wrong aud", () => claims({ aud: "another" }), "wrong-audience", 401],
  ["wrong azp", () => claims({ azp: "another" }), "wrong-authorized-party", 401],
  ["wrong nonce", () => claims({ nonce: "another" }), "wrong-nonce", 401],
  ["wrong at_hash", () => claims({ at_hash: "MTIzNDU2Nzg5MDEyMzQ1Ng" }), "wrong-token-hash", 401],
  ["an expired ID token", () => claims({ exp: 1 }), "token-expired", 401],
  ["no sub", () => claims({ sub: undefined }), "missing-claim", 401],
  [
    "an unsigned ID token",
    () => ({ idToken: (c) => `${encode({ alg: "none" })}.${encode(c)}.` }),
    "algorithm-not-allowed",
    401,
  ],
  [
    "HS256 under the client's secret",
    () => ({ idToken: (c) => hmacToken("secret-of-the-client-canary", { alg: "HS256" }, c) }),
    "algorithm-not-allowed",
    401,
  ],
  [
    "a stranger's signature",
    () => ({ idToken: (c) => signToken(stranger, { alg: "ES256", kid: place.rogue.key.kid }, c) }),
    "invalid-signature",
    401,
  ],
  [
    "a token endpoint that redirects",
    () => raw((r) => r.writeHead(302, { location: "http://127.0.0.1:1/" }).end()),
    "identity-unavailable",
    503,
  ],
  [
    "a token endpoint with garbage",
    () => raw((r) => r.writeHead(200, { "content-type": "application/json" }).end("{")),
    "invalid-provider-answer",
    502,
  ],
  [
    "a token endpoint with megabytes",
    () =>
      raw((r) =>
        r.writeHead(200, { "content-type": "application/json" }).end("9".repeat(2_000_000)),
      ),
    "identity-unavailable",
    503,
  ],
  [
    "an answer in HTML",
    () => raw((r) => r.writeHead(200, { "content-type": "text/html" }).end("<p>")),
    "invalid-provider-answer",
    502,
  ],
];

function claims(changed: Claims): Roguery {
  return { claims: (honest) => ({ ...honest, ...changed }) };
}

function raw(token: (response: ServerResponse) => void): Roguery {
  return { token };
}

for (const [what, make, reason, status] of ROGUERIES) {
  test(`a login with ${what} fails as ${reason}, and begins no session`, async () => {
    Object.assign(place.rogue.roguery, make());
    const browser = place.browser();
    const shown = last(await browser.go(`${APP}/app/x`));
    assert.equal(shown.status, status, shown.body);
    assert.match(shown.headers["content-type"] ?? "", /^text\/html/);
    assert.ok(shown.body.includes(reason));
    const record = await place.recordOf(shown);
    assert.deepEqual([record["reason"], record["decision"]], [reason, "deny"]);
    assert.ok(!browser.cookies.has("__Host-sallyport-people"));
    const later = await browser.visit(`${APP}/app/x`, { headers: SCRIPT });
    assert.equal(later.status, 401);
  });
}

test("a discovery document of another issuer sends nobody anywhere, and says why", async (t) => {
  const roguery: Roguery = {
    document: (honest) => ({ ...honest, issuer: "https://evil.example" }),
  };
  const other = await startLoginStage({ roguery });
  t.after(() => other.close());
  const browser = other.browser();
  const shown = last(await browser.go(`${APP}/app/x`));
  assert.equal(shown.status, 503);
  const record = await other.recordOf(shown);
  assert.equal(record["reason"], "identity-unavailable");
  assert.match(String(record["detail"]), /its issuer is not exactly the configured one/);
  assert.deepEqual([...browser.cookies.keys()], []);
});

test("an answer counts once: not again in the same browser, and not in another", async () => {
  const browser = place.browser();
  const back = await browser.until(`${APP}/app/x`, `${APP}/.sallyport/callback/`);
  const other = await place.browser().visit(back);
  assert.equal((await place.recordOf(other))["reason"], "unknown-login");
  const kept = new Map(browser.cookies);
  assert.equal((await browser.visit(back)).status, 303);
  const again = await browser.visit(back);
  assert.equal((await place.recordOf(again))["reason"], "unknown-login");
  // Who has kept the cookie of the login as well comes too late all the same.
  const thief = new Browser(place.stage.proxy);
  for (const [name, value] of kept) thief.cookies.set(name, value);
  const late = await thief.visit(back);
  assert.equal((await place.recordOf(late))["reason"], "unknown-login");
  assert.match(String((await place.recordOf(late))["detail"]), /used already/);
  assert.ok(!thief.cookies.has("__Host-sallyport-people"));
});

test("an answer for one provider is no answer at the callback of another", async () => {
  const browser = place.browser();
  const start = `${APP}/.sallyport/login?return=/both/x&with=people`;
  const back = await browser.until(start, `${APP}/.sallyport/callback/`);
  const shown = await browser.visit(back.replace("/callback/people", "/callback/partners"));
  assert.equal((await place.recordOf(shown))["reason"], "unknown-login");
});

test("several tabs log in at once, each to its own page, and only so many", async () => {
  const browser = place.browser();
  const backs: string[] = [];
  for (const tab of ["one", "two", "three"]) {
    backs.push(await browser.until(`${APP}/app/${tab}`, `${APP}/.sallyport/callback/`));
  }
  const ends: (string | undefined)[] = [];
  for (const back of backs.toReversed()) ends.push(locationOf(await browser.visit(back)));
  assert.deepEqual(ends, [`${APP}/app/three`, `${APP}/app/two`, `${APP}/app/one`]);
  const many = place.browser();
  for (let tab = 0; tab < 12; tab++) {
    await many.until(`${APP}/app/${tab}`, `${APP}/.sallyport/callback/`);
  }
  assert.equal(many.cookies.size, 8);
});

test("a login begins a new session, whatever the browser brought along", async () => {
  const victim = place.browser();
  const attacker = place.browser();
  await attacker.go(`${APP}/app/x`);
  const planted = attacker.cookies.get("__Host-sallyport-people") ?? "";
  victim.cookies.set("__Host-sallyport-people", planted);
  const back = await victim.until(
    `${APP}/.sallyport/login?return=/app/x`,
    `${APP}/.sallyport/callback/`,
  );
  await victim.visit(back);
  assert.notEqual(victim.cookies.get("__Host-sallyport-people"), planted);
  // The one that was planted has ended with it.
  const shown = await attacker.visit(`${APP}/app/x`, { headers: SCRIPT });
  assert.deepEqual([shown.status, problemOf(shown)], [401, "session-expired"]);
});

test("login shows which providers a route takes, without a script and fit for everybody", async () => {
  const browser = place.browser();
  const shown = last(await browser.go(`${APP}/both/x?a=1`));
  assert.equal(shown.status, 200);
  assert.equal((await place.recordOf(shown))["reason"], "login-begun");
  const policy = String(shown.headers["content-security-policy"]);
  assert.match(
    policy,
    /^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
  );
  assert.equal(shown.headers["x-frame-options"], "DENY");
  assert.ok(!/<script|\son[a-z]+=|javascript:/i.test(shown.body));
  assert.match(shown.body, /<html lang="en">/);
  assert.match(shown.body, /<main>\n<h1>/);
  assert.ok(shown.body.includes("people &#38; Co &#60;b&#62;"), "labels are text");
  const links = [...shown.body.matchAll(/href="([^"]+)"/g)].map(([, href = ""]) =>
    href.replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code))),
  );
  assert.equal(links.length, 2);
  const end = last(await browser.go(new URL(links[1] ?? "", APP).href));
  assert.equal(end.url, `${APP}/both/x?a=1`);
  assert.equal(end.status, 200);
  assert.ok(browser.cookies.has("__Host-sallyport-partners"));
});

test("login takes no provider that the route does not", async () => {
  const shown = await place.browser().visit(`${APP}/.sallyport/login?return=/app/x&with=partners`);
  assert.equal((await place.recordOf(shown))["reason"], "invalid-return-address");
});

test("a browser that keeps no session is not sent around for ever", async () => {
  const browser = place.browser();
  let rounds = 0;
  for (; rounds < 10; rounds++) {
    const shown = last(await browser.go(`${APP}/app/x`));
    browser.cookies.delete("__Host-sallyport-people");
    if (shown.status === 200) continue;
    assert.equal((await place.recordOf(shown))["reason"], "login-loop");
    break;
  }
  assert.equal(rounds, 5);
});

test("a policy that asks for a stronger login gets it, and the page is shown then", async () => {
  const browser = place.browser();
  place.rogue.roguery.claims = (honest) => honest;
  await browser.go(`${APP}/app/x`);
  const trail = await browser.go(`${APP}/vault/gold`);
  const asked = trail.find(({ url }) => url.startsWith(place.rogue.issuer));
  const query = new URL(asked?.url ?? "").searchParams;
  assert.deepEqual([query.get("acr_values"), query.get("max_age")], ["gold", "300"]);
  assert.deepEqual([last(trail).url, last(trail).status], [`${APP}/vault/gold`, 200]);
});

test("a provider that gives less than was asked ends a step-up; there is no loop, and the session stays", async () => {
  const browser = place.browser();
  await browser.go(`${APP}/app/x`);
  place.rogue.roguery.claims = (honest) => ({ ...honest, acr: "bronze" });
  const shown = last(await browser.go(`${APP}/vault/gold`));
  assert.equal(shown.status, 403);
  assert.equal((await place.recordOf(shown))["reason"], "insufficient-login");
  assert.equal((await browser.visit(`${APP}/app/x`)).status, 200);
});

test("a script is told what the login has to be (RFC 9470)", async () => {
  const browser = place.browser();
  await browser.go(`${APP}/app/x`);
  const shown = await browser.visit(`${APP}/vault/gold`, { headers: SCRIPT });
  assert.deepEqual([shown.status, problemOf(shown)], [401, "step-up-required"]);
  assert.equal(
    shown.headers["www-authenticate"],
    'Bearer realm="recorder", error="insufficient_user_authentication", error_description="A stronger or more recent login is required", acr_values="gold", max_age="300"',
  );
  const record = await place.recordOf(shown);
  assert.deepEqual(record["determining"], ["vault"]);
});

const CROSS_SITE: readonly (readonly [string, Record<string, string>])[] = [
  ["of another site", { "sec-fetch-site": "cross-site", origin: "https://evil.example" }],
  ["of a sibling", { "sec-fetch-site": "same-site", origin: "https://other.api.example" }],
  ["of another origin by Origin alone", { origin: "https://evil.example" }],
  ["of another scheme", { origin: "http://api.example" }],
  ["of nobody", {}],
  ["of nobody by Origin alone", { origin: "null" }],
  ["that contradicts itself", { "sec-fetch-site": "same-origin", origin: "https://evil.example" }],
];

for (const [whose, headers] of CROSS_SITE) {
  test(`logout takes no request ${whose}`, async () => {
    const browser = place.browser();
    await browser.go(`${APP}/app/x`);
    const shown = await browser.visit(`${APP}/.sallyport/logout`, {
      method: "POST",
      headers,
      body: "",
    });
    assert.equal(shown.status, 403);
    assert.equal((await place.recordOf(shown))["reason"], "cross-site-request");
    assert.equal((await browser.visit(`${APP}/app/x`)).status, 200);
  });
}

test("logout ends the session everywhere and goes on to the provider's", async () => {
  const browser = place.browser();
  await browser.go(`${APP}/app/x`);
  const stolen = new Browser(place.stage.proxy);
  for (const [name, value] of browser.cookies) stolen.cookies.set(name, value);
  const button = await browser.visit(`${APP}/.sallyport/logout`);
  assert.equal(button.status, 200);
  assert.equal(button.headers["referrer-policy"], "same-origin");
  assert.match(button.body, /<form method="post" action="\/.sallyport\/logout"><button>/);
  const policy = String(button.headers["content-security-policy"]);
  assert.ok(policy.includes(`form-action 'self' ${place.rogue.issuer} ${place.second.issuer};`));
  const headers = { ...NAVIGATION, "sec-fetch-site": "same-origin", origin: APP };
  const shown = await browser.visit(`${APP}/.sallyport/logout`, {
    method: "POST",
    headers,
    body: "",
  });
  assert.equal(shown.status, 303);
  const to = new URL(shown.headers.location ?? "");
  assert.equal(to.origin + to.pathname, `${place.rogue.issuer}/end`);
  assert.equal(to.searchParams.get("post_logout_redirect_uri"), `${APP}/.sallyport/logged-out`);
  assert.equal(to.searchParams.get("client_id"), ROGUE.clientId);
  assert.ok(!browser.cookies.has("__Host-sallyport-people"));
  const record = await place.recordOf(shown);
  assert.deepEqual([record["reason"], record["decision"]], ["logged-out", "permit"]);
  assert.equal((record["principal"] as { subject: string }).subject, "ada");
  const later = await stolen.visit(`${APP}/app/x`, { headers: SCRIPT });
  assert.deepEqual([later.status, problemOf(later)], [401, "session-expired"]);
  assert.equal((await browser.visit(`${APP}/.sallyport/logged-out`)).status, 200);
});

test("logout by a script of our own page is told that it is done, without a way to the provider", async () => {
  const browser = place.browser();
  await browser.go(`${APP}/app/x`);
  const headers = { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", origin: APP };
  const shown = await browser.visit(`${APP}/.sallyport/logout`, { method: "POST", headers });
  assert.deepEqual([shown.status, shown.headers.location], [204, undefined]);
  assert.equal((await browser.visit(`${APP}/app/x`, { headers: SCRIPT })).status, 401);
});

async function tell(token: string, name = "people"): Promise<Shown> {
  const form = new URLSearchParams({ logout_token: token }).toString();
  return place.browser().visit(`${APP}/.sallyport/backchannel-logout/${name}`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: form,
  });
}

test("a provider ends the sessions that it names, once for each logout token", async () => {
  const browser = place.browser();
  place.rogue.roguery.claims = (honest) => ({ ...honest, sid: "sid-once" });
  await browser.go(`${APP}/app/x`);
  const other = await tell(place.rogue.logoutToken({ sid: "sid-of-another" }));
  assert.equal(other.status, 200);
  assert.equal((await browser.visit(`${APP}/app/x`)).status, 200);
  const token = place.rogue.logoutToken({ sid: "sid-once" });
  const done = await tell(token);
  assert.deepEqual([done.status, done.headers["cache-control"]], [200, "no-store"]);
  assert.equal((await place.recordOf(done))["reason"], "logged-out");
  const shown = await browser.visit(`${APP}/app/x`, { headers: SCRIPT });
  assert.equal(shown.status, 401);
  const again = await tell(token);
  assert.equal(again.status, 400);
  assert.equal((await place.recordOf(again))["reason"], "replayed-logout-token");
});

test("a provider ends no sessions of another, and no token but its own does", async () => {
  const browser = place.browser();
  place.rogue.roguery.claims = (honest) => ({ ...honest, sub: "cleo", sid: "sid-cleo" });
  await browser.go(`${APP}/app/x`);
  const wrong = await tell(place.second.logoutToken({ sub: "cleo" }));
  assert.equal(wrong.status, 400);
  const elsewhere = await tell(place.second.logoutToken({ sub: "cleo" }), "partners");
  assert.equal(elsewhere.status, 200);
  const none = await tell("");
  assert.equal((await place.recordOf(none))["reason"], "malformed-credential");
  assert.equal((await browser.visit(`${APP}/app/x`)).status, 200);
  const mine = await tell(place.rogue.logoutToken({ sub: "cleo" }));
  assert.equal(mine.status, 200);
  assert.equal((await browser.visit(`${APP}/app/x`, { headers: SCRIPT })).status, 401);
});

for (const early of [{ sid: "early-1" }, { sub: "early-2" }]) {
  const [by] = Object.keys(early);
  test(`a logout by ${by} that comes while its login is under way begins no session`, async () => {
    const browser = place.browser();
    // Its clock is ahead, so `iat` says nothing of what came first.
    place.rogue.roguery.claims = (honest) => ({
      ...honest,
      iat: Number(honest["iat"]) + 20,
      sub: "early",
      sid: "early",
      ...early,
    });
    const back = await browser.until(`${APP}/app/x`, `${APP}/.sallyport/callback/`);
    assert.equal((await tell(place.rogue.logoutToken(early))).status, 200);
    const shown = await browser.visit(back);
    const record = await place.recordOf(shown);
    assert.deepEqual([shown.status, record["reason"]], [403, "login-refused"]);
    assert.match(String(record["detail"]), /^the provider has /);
    assert.ok(!browser.cookies.has("__Host-sallyport-people"));
    assert.equal((await browser.visit(`${APP}/app/x`, { headers: SCRIPT })).status, 401);
  });
}

const ODD: readonly (readonly [string, string, "GET" | "POST" | "PUT", number])[] = [
  ["nothing", "/.sallyport/", "GET", 404],
  ["an endpoint that is not there", "/.sallyport/admin", "GET", 404],
  ["a callback of nobody", "/.sallyport/callback/nobody", "GET", 404],
  ["a callback without a name", "/.sallyport/callback", "GET", 404],
  ["a login with a name", "/.sallyport/login/people", "GET", 404],
  ["more than a name", "/.sallyport/callback/people/x", "GET", 404],
  ["login by POST", "/.sallyport/login", "POST", 405],
  ["callback by POST", "/.sallyport/callback/people", "POST", 405],
  ["logout by PUT", "/.sallyport/logout", "PUT", 405],
  ["back-channel logout by GET", "/.sallyport/backchannel-logout/people", "GET", 405],
];

for (const [what, path, method, status] of ODD) {
  test(`${what} is answered ${status} and on record`, async () => {
    const shown = await place.browser().visit(APP + path, { method });
    assert.equal(shown.status, status);
    assert.equal((await place.recordOf(shown))["decision"], "deny");
  });
}

test("no secret of a login is in the log, the audit log or the metrics", async () => {
  const browser = place.browser();
  const trail = await browser.go(`${APP}/app/x`);
  const asked = new URL(trail[2]?.url ?? "").searchParams;
  const back = new URL(trail[3]?.url ?? "").searchParams;
  const metrics = await fetch(`http://${place.stage.admin}/metrics`);
  const told = place.stage.log() + place.stage.auditText() + (await metrics.text());
  const sent = place.rogue.requests.at(-1)?.form;
  const secrets = [
    ["the client's secret", "secret-of-the-client-canary"],
    ["state", asked.get("state")],
    ["nonce", asked.get("nonce")],
    ["the code", `${back.get("code") ?? ""}&`],
    ["the code verifier", sent?.get("code_verifier")],
    ["the session", browser.cookies.get("__Host-sallyport-people")],
  ] as const;
  for (const [name, secret] of secrets) {
    assert.ok(secret !== undefined && secret !== null && secret.length > 4, name);
    assert.ok(!told.includes(secret), name);
  }
  assert.match(
    told,
    /sallyport_login_outcomes_total\{authenticator="people",outcome="logged-in"\} [1-9]/,
  );
});

test("a strict cookie is there on the page that the login leads to", async (t) => {
  const strict = await startLoginStage({ cookie: "{ sameSite: strict }" });
  t.after(() => strict.close());
  const browser = strict.browser();
  const shown = last(await browser.go(`${APP}/app/x?a=1&b=2`));
  // A redirect would be a part of the way from the provider's site; a page of ours that goes on is not.
  assert.equal(new URL(shown.url).pathname, "/.sallyport/callback/people");
  assert.equal(shown.status, 200);
  assert.match(shown.body, /<meta http-equiv="refresh" content="0;url=\/app\/x\?a=1&#38;b=2">/);
  assert.match(
    (shown.headers["set-cookie"] ?? []).join("\n"),
    /__Host-sallyport-people=.*SameSite=Strict/,
  );
  assert.equal((await strict.recordOf(shown))["reason"], "logged-in");
  assert.equal((await browser.visit(`${APP}/app/x`)).status, 200);
});

test("workers share what counts once, and any of them takes the browser back", async (t) => {
  const many = await startLoginStage({ config: "workers: 2" });
  t.after(() => many.close());
  for (let round = 0; round < 6; round++) {
    const browser = many.browser();
    const back = await browser.until(`${APP}/app/x`, `${APP}/.sallyport/callback/`);
    const kept = new Map(browser.cookies);
    assert.equal((await browser.visit(back)).status, 303, "back from the provider");
    assert.equal((await browser.visit(`${APP}/app/x`)).status, 200, "the session, anywhere");
    const thief = many.browser();
    for (const [name, value] of kept) thief.cookies.set(name, value);
    assert.equal((await thief.visit(back)).status, 400, "once, whichever worker it comes to");
  }
  const browser = many.browser();
  await browser.go(`${APP}/app/x`);
  const form = new URLSearchParams({ logout_token: many.rogue.logoutToken({ sid: "sid-ada" }) });
  const told = await browser.visit(`${APP}/.sallyport/backchannel-logout/people`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: form.toString(),
  });
  assert.equal(told.status, 200);
  // The other worker hears of it a moment later; from then on it is over everywhere.
  const deadline = performance.now() + 10_000;
  for (let over = 0; over < 12;) {
    const { status } = await browser.visit(`${APP}/app/x`, { headers: SCRIPT });
    over = status === 401 ? over + 1 : 0;
    assert.ok(performance.now() < deadline, "still good at one of the workers");
  }
});

test("an address begins so many logins and no more, and is told when it may again", async (t) => {
  const own = await startLoginStage();
  t.after(() => own.close());
  const statuses = new Set<number>();
  for (let attempt = 0; attempt < 400 && !statuses.has(429); attempt++) {
    const shown = await own.browser().visit(`${APP}/.sallyport/login?return=/app/x`);
    statuses.add(shown.status);
    if (shown.status !== 429) continue;
    assert.equal(shown.headers["retry-after"], "1");
    assert.match(shown.body, /Try again/);
    assert.equal((await own.recordOf(shown))["reason"], "rate-limited");
  }
  assert.deepEqual([...statuses], [303, 429]);
});

test("a genuine logout comes through from an address that forged ones have spent", async (t) => {
  const own = await startLoginStage({
    config: "limits: { failures: { burst: 3, perSecond: 0.01 } }",
  });
  t.after(() => own.close());
  const told = (token: string) =>
    own.browser().visit(`${APP}/.sallyport/backchannel-logout/people`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ logout_token: token }).toString(),
    });
  const forged = own.second.logoutToken({ sub: "ada" });
  for (let count = 0; count < 6; count++) assert.equal((await told(forged)).status, 400);
  assert.equal((await told(own.rogue.logoutToken({ sub: "ada" }))).status, 200);
  // What a flood of them may cost is bounded.
  const flood = await Promise.all(Array.from({ length: 60 }, () => told(forged)));
  assert.ok(flood.some(({ status }) => status === 503));
});

test("an address that fails again and again is answered before the provider is asked", async (t) => {
  const small = await startLoginStage({
    config: "limits: { failures: { burst: 3, perSecond: 0.01 } }",
  });
  t.after(() => small.close());
  small.rogue.roguery.claims = (honest) => ({ ...honest, nonce: "another" });
  const reasons: unknown[] = [];
  for (let attempt = 0; attempt < 5; attempt++) {
    const shown = last(await small.browser().go(`${APP}/app/x`));
    reasons.push((await small.recordOf(shown))["reason"]);
  }
  const wrong = "wrong-nonce";
  assert.deepEqual(reasons, [wrong, wrong, wrong, "too-many-failures", "too-many-failures"]);
  const asked = small.rogue.requests.filter(({ path }) => path === "/token");
  assert.equal(asked.length, 3);
});
