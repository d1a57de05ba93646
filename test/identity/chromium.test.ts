/**
 * People in a real browser (Debian's Chromium) at a certified provider: login and logout over several tabs, what pages
 * of other sites can do with a session, and streams that end with it.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createServer as createHttp, type ServerResponse } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { LOGIN, type LoginProvider, startLoginProvider } from "../../examples/login/provider.ts";
import { startEchoService } from "../../examples/websocket-service.ts";
import { createRoot } from "../certificates.ts";
import { chromiumPath, openChromium } from "../chromium.ts";
import { type Stage, startStage } from "../e2e/stage.ts";

const APP = "https://api.example";
const SECRET = randomBytes(24).toString("base64url");
const COOKIE = "__Host-sallyport-people";
const skip = chromiumPath() === undefined ? "there is no Chromium on this machine" : false;

const echo = await startEchoService();
const streams = new Set<ServerResponse>();
/** Server-sent events that go on until somebody ends them. */
const events = createHttp((_, response) => {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.write("data: begun\n\n");
  streams.add(response);
  response.once("close", () => streams.delete(response));
});
/** Pages of other sites and of another origin of the same site. */
const certificate = createRoot("root").issue({ name: "others", dns: ["evil.example"] });
const others = createHttps(
  { cert: certificate.chainPem, key: certificate.keyPem },
  (_, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end("<!doctype html><title>Elsewhere</title>");
  },
);

let provider: LoginProvider;
let stage: Stage;
let browser: Browser;

async function listening(server: { listen: typeof events.listen; address: typeof events.address }) {
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

before(async () => {
  if (skip !== false) return;
  const eventsAt = await listening(events);
  const othersAt = await listening(others);
  provider = await startLoginProvider({
    port: 0,
    client: { id: "sallyport", secret: SECRET },
    redirectUri: `${APP}/.sallyport/callback/people`,
    postLogoutRedirectUri: `${APP}/.sallyport/logged-out`,
    backchannelLogoutUri: `http://127.0.0.1:9/.sallyport/backchannel-logout/people`,
  });
  stage = await startStage({
    tls: true,
    listener: "    serve: [login]",
    secrets: { "client.secret": SECRET, "session.key": randomBytes(32).toString("base64") },
    authenticators: `  people:
    type: oidc
    issuer: ${provider.issuer}
    client: { id: sallyport, secret: "\${file:client.secret}" }
    scopes: [openid, profile]
    principal: { kind: user }
    session: { keys: [{ file: session.key }] }`,
    services: `  echo: { endpoints: ["http://${echo.address}"] }
  events: { endpoints: ["http://${eventsAt}"] }`,
    routes: `  - { name: app, path: "/app/*", service: recorder, authenticate: [people] }
  - { name: chat, path: "/chat/*", service: echo, authenticate: [people], upgrades: [websocket] }
  - { name: events, path: /events, service: events, authenticate: [people], lifetime: none }`,
    policies: '@id("people") permit (principal is Sallyport::User, action, resource);',
  });
  browser = await openChromium({
    "api.example:443": stage.proxy,
    "evil.example:443": othersAt,
    "other.api.example:443": othersAt,
  });
});

after(async () => {
  await browser?.close();
  await stage?.close();
  await provider?.close();
  await echo.close();
  for (const response of streams) response.destroy();
  events.close();
  others.close();
  others.closeAllConnections();
});

/** What does not end is ended: the driver's own waiting has a limit only here and there. */
async function inBrowser(run: (context: BrowserContext) => Promise<void>): Promise<void> {
  const still = Promise.withResolvers<never>();
  const timer = setTimeout(() => still.reject(new Error("the browser stands still")), 80_000);
  try {
    await Promise.race([inContext(run), still.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function inContext(run: (context: BrowserContext) => Promise<void>): Promise<void> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  context.setDefaultTimeout(30_000);
  try {
    await run(context);
  } finally {
    await context.close();
  }
}

/** Fills in the provider's form, wherever the page was sent from. */
async function fill(page: Page): Promise<void> {
  await page.fill('input[name="login"]', "ada");
  await page.fill('input[name="password"]', LOGIN.password);
  await page.click("button");
}

async function logIn(context: BrowserContext, path = "/app/start"): Promise<Page> {
  const page = await context.newPage();
  await page.goto(APP + path);
  await fill(page);
  await page.waitForURL(APP + path);
  return page;
}

/** Status and reason of a fetch by the page. */
function fetchBy(page: Page, path: string, init: { method?: string; body?: string } = {}) {
  return page.evaluate(
    async ([url, options]) => {
      const response = await fetch(url, options);
      const body = (await response.json().catch(() => ({}))) as { reason?: string };
      return { status: response.status, reason: body.reason };
    },
    [path, init] as const,
  );
}

async function logOut(page: Page): Promise<void> {
  await page.goto(`${APP}/.sallyport/logout`);
  await page.click("button");
  // The provider asks once more.
  await page.waitForURL((url) => url.href.startsWith(provider.issuer));
  await page.click("button");
  await page.waitForURL(`${APP}/.sallyport/logged-out`);
}

test(
  "a person logs in, comes back to the page, and has a cookie that no script sees",
  { skip },
  () =>
    inBrowser(async (context) => {
      const page = await logIn(context, "/app/orders?state=open");
      assert.equal(page.url(), `${APP}/app/orders?state=open`);
      const cookie = (await context.cookies(APP)).find(({ name }) => name === COOKIE);
      assert.ok(cookie !== undefined);
      assert.ok(cookie.httpOnly && cookie.secure);
      assert.equal(cookie.sameSite, "Lax");
      assert.equal(cookie.path, "/");
      assert.equal(cookie.domain, "api.example");
      assert.equal(await page.evaluate("document.cookie"), "");
      assert.deepEqual(await fetchBy(page, "/app/data"), { status: 200, reason: undefined });
      const posted = await fetchBy(page, "/app/data", { method: "POST", body: "{}" });
      assert.equal(posted.status, 200);
      // The login under way has left nothing behind.
      const names = (await context.cookies(APP)).map(({ name }) => name);
      assert.deepEqual(names.toSorted(), ["__Host-sallyport-+rounds", COOKIE]);
    }),
);

test(
  "a script without a session gets a problem document, and no page of the provider's",
  { skip },
  () =>
    inBrowser(async (context) => {
      const page = await logIn(context);
      await context.clearCookies({ name: COOKIE });
      const answer = await fetchBy(page, "/app/data");
      assert.deepEqual(answer, { status: 401, reason: "missing-credential" });
    }),
);

test(
  "tabs that were opened together log in one after the other, and a logout in one ends them all",
  { skip },
  () =>
    inBrowser(async (context) => {
      const [one, two] = [await context.newPage(), await context.newPage()];
      await Promise.all([one.goto(`${APP}/app/one`), two.goto(`${APP}/app/two`)]);
      await fill(one);
      await one.waitForURL(`${APP}/app/one`);
      await fill(two);
      await two.waitForURL(`${APP}/app/two`);
      for (const page of [one, two]) assert.equal((await fetchBy(page, "/app/x")).status, 200);
      const kept = (await context.cookies(APP)).filter(({ name }) => name === COOKIE);
      await logOut(one);
      const ended = await fetchBy(two, "/app/x");
      assert.deepEqual(ended, { status: 401, reason: "missing-credential" });
      // Somebody who has kept the cookie has nothing.
      await context.addCookies(kept);
      const copied = await fetchBy(two, "/app/x");
      assert.deepEqual(copied, { status: 401, reason: "session-expired" });
      await two.goto(`${APP}/app/again`);
      assert.ok(two.url().startsWith(provider.issuer), two.url());
    }),
);

test("a WebSocket and server-sent events end with the session", { skip }, () =>
  inBrowser(async (context) => {
    const page = await logIn(context);
    await page.evaluate(`
      globalThis.socketEnded = new Promise((resolve, reject) => {
        const socket = new WebSocket("wss://api.example/chat/x");
        socket.addEventListener("close", ({ code }) => resolve(code));
        globalThis.socketOpen = new Promise((done) => socket.addEventListener("open", done));
      });
      globalThis.ended = new Promise((resolve) => {
        const source = new EventSource("/events");
        globalThis.begun = new Promise((done) => source.addEventListener("message", done));
        source.addEventListener("error", () => { source.close(); resolve("ended"); });
      });
      0;
    `);
    await page.evaluate("Promise.all([globalThis.socketOpen, globalThis.begun]).then(() => true)");
    assert.equal(streams.size, 1);
    const other = await context.newPage();
    await logOut(other);
    assert.equal(await page.evaluate("globalThis.socketEnded"), 1008);
    assert.equal(await page.evaluate("globalThis.ended"), "ended");
  }),
);

/** A form of a page there that is sent to the app; resolves to the status. */
async function submitFrom(context: BrowserContext, site: string, method: string): Promise<number> {
  const page = await context.newPage();
  await page.goto(`https://${site}/`);
  const answered = page.waitForResponse((response) => response.url().startsWith(`${APP}/app/form`));
  await page.evaluate(`
    const form = document.createElement("form");
    form.method = ${JSON.stringify(method)};
    form.action = "${APP}/app/form";
    document.body.append(form);
    // Later, so that this page has answered before it goes.
    setTimeout(() => form.submit(), 0);
  `);
  const response = await answered;
  // A page that is closed before it has loaded may stay open, and its driver waits for ever.
  await page.waitForURL((url) => url.pathname === "/app/form");
  await page.close();
  return response.status();
}

test(
  "a form of another site is sent without the session, one of the same site is refused",
  { skip },
  () =>
    inBrowser(async (context) => {
      await logIn(context);
      stage.service.forget();
      assert.equal(await submitFrom(context, "evil.example", "post"), 401);
      assert.equal(await submitFrom(context, "other.api.example", "post"), 403);
      const arrived = stage.service.connections.map(({ text }) => text).join("");
      assert.doesNotMatch(arrived, /POST/);
      // A link leads to a page with the session: that is what Lax is for.
      assert.equal(await submitFrom(context, "evil.example", "get"), 200);
    }),
);

test("scripts of other pages get nothing done and nothing to read", { skip }, () =>
  inBrowser(async (context) => {
    await logIn(context);
    stage.service.forget();
    for (const site of ["evil.example", "other.api.example"]) {
      const page = await context.newPage();
      await page.goto(`https://${site}/`);
      const results = await page.evaluate(`(async () => {
        const attempts = [];
        for (const init of [
          { method: "POST", mode: "no-cors" },
          { method: "DELETE" },
          { method: "GET" },
          { method: "POST", mode: "no-cors", headers: { "content-type": "text/plain" }, body: "{}" },
        ]) {
          const response = await fetch("${APP}/app/steal", { credentials: "include", ...init }).catch(() => undefined);
          attempts.push(response === undefined ? "failed" : response.type);
        }
        const socket = new WebSocket("wss://api.example/chat/x");
        attempts.push(await new Promise((resolve) => {
          socket.addEventListener("open", () => resolve("open"));
          socket.addEventListener("error", () => resolve("refused"));
        }));
        return attempts;
      })()`);
      assert.deepEqual(results, ["opaque", "failed", "failed", "opaque", "refused"], site);
      await page.close();
    }
    const arrived = stage.service.connections.map(({ text }) => text).join("");
    assert.doesNotMatch(arrived, /^(?:POST|DELETE)/m);
  }),
);

test("a service can neither read the session in the browser nor replace it", { skip }, () =>
  inBrowser(async (context) => {
    const page = await logIn(context);
    const kept = await context.cookies(APP);
    stage.service.script(() => ({
      bytes: [
        "HTTP/1.1 200 OK",
        "Content-Length: 2",
        "Content-Type: application/json",
        `Set-Cookie: ${COOKIE}=forged; Path=/; Secure`,
        `Set-Cookie: =${COOKIE}=forged; Path=/; Secure`,
        "",
        "{}",
      ].join("\r\n"),
    }));
    assert.equal((await fetchBy(page, "/app/x")).status, 200);
    stage.service.script(undefined);
    assert.deepEqual(await context.cookies(APP), kept);
    const arrived = stage.service.connections.map(({ text }) => text).join("");
    assert.doesNotMatch(arrived, /sallyport-people/i);
  }),
);
