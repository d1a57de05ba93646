/** People log in at a certified OpenID provider, through a proxy as `sallyport run` starts it. */
import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer, request } from "node:http";
import { after, before, test } from "node:test";
import { LOGIN, type LoginProvider, startLoginProvider } from "../../examples/login/provider.ts";
import { type Stage, startStage, until } from "../e2e/stage.ts";
import { Browser, locationOf, NAVIGATION, type Shown } from "./browser.ts";

const APP = "https://api.example";
const SECRET = randomBytes(24).toString("base64url");

const CALLBACKS = {
  redirectUri: `${APP}/.sallyport/callback/people`,
  postLogoutRedirectUri: `${APP}/.sallyport/logged-out`,
} as const;

let provider: LoginProvider;
let stage: Stage;
/** The way on which the provider reaches the proxy, which has its address only later. */
const relay = createServer((incoming, answer) => {
  const [host, port] = stage.proxy.split(":");
  const { url: path = "/", method, headers } = incoming;
  const onward = request({
    host,
    port,
    path,
    method,
    headers: { ...headers, host: "api.example" },
  });
  onward.on("response", (response) => {
    answer.writeHead(response.statusCode ?? 500, response.headers);
    response.pipe(answer);
  });
  onward.on("error", () => answer.destroy());
  incoming.pipe(onward);
});

before(async () => {
  await new Promise<void>((resolve) => {
    relay.listen(0, "127.0.0.1", resolve);
  });
  const address = relay.address();
  if (address === null || typeof address === "string") throw new TypeError("not listening");
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  provider = await startLoginProvider({
    port: 0,
    client: { id: "sallyport", secret: SECRET },
    ...CALLBACKS,
    backchannelLogoutUri: `http://127.0.0.1:${address.port}/.sallyport/backchannel-logout/people`,
    clients: [
      {
        client_id: "by-key",
        redirect_uris: [`${APP}/.sallyport/callback/bykey`],
        grant_types: ["authorization_code"],
        id_token_signed_response_alg: "ES256",
        token_endpoint_auth_method: "private_key_jwt",
        token_endpoint_auth_signing_alg: "Ed25519",
        jwks: { keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k", alg: "Ed25519" }] },
      },
    ],
  });
  const people = (name: string, client: string): string => `  ${name}:
    type: oidc
    issuer: ${provider.issuer}
    client: ${client}
    par: required
    scopes: [openid, profile]
    userinfo: true
    principal: { kind: user, groups: { claim: groups } }
    session: { keys: [{ file: session.key }] }`;
  stage = await startStage({
    listener: "    serve: [login]",
    secrets: {
      "client.secret": SECRET,
      "wrong.secret": "not the secret of anybody here",
      "client.pem": privateKey.export({ type: "pkcs8", format: "pem" }),
      "session.key": randomBytes(32).toString("base64"),
    },
    authenticators: [
      people("people", '{ id: sallyport, secret: "${file:client.secret}" }'),
      people("bykey", "{ id: by-key, privateKey: client.pem, keyId: k }"),
      people("wrong", '{ id: sallyport, secret: "${file:wrong.secret}" }'),
    ].join("\n"),
    routes: `  - { name: app, path: "/app/*", service: recorder, authenticate: [people] }
  - { name: bykey, path: "/bykey/*", service: recorder, authenticate: [bykey] }
  - { name: wrong, path: "/wrong/*", service: recorder, authenticate: [wrong] }
  - { name: vault, path: "/vault/*", service: recorder, authenticate: [people] }`,
    policies: `
@id("staff")
permit (principal is Sallyport::User, action, resource)
when {
  principal in Sallyport::Group::"people/staff" || principal in Sallyport::Group::"bykey/staff"
};

@id("second-factor")
@step_up("acr=urn:example:second-factor")
forbid (principal is Sallyport::User, action, resource == Sallyport::Route::"vault")
unless { context.authn has acr && context.authn.acr == "urn:example:second-factor" };
`,
  });
});

after(async () => {
  await stage.close();
  await provider.close();
  relay.closeAllConnections();
  relay.close();
});

/** Goes there, fills in the provider's form where there is one, and goes on to the end. */
async function logIn(browser: Browser, url: string, values: Record<string, string> = {}) {
  const trail = await browser.go(url);
  const form = trail.at(-1);
  assert.ok(form !== undefined);
  if (!form.body.includes("Example login")) return form;
  const body = new URLSearchParams({ login: "ada", password: LOGIN.password, ...values });
  const headers = { ...NAVIGATION, "content-type": "application/x-www-form-urlencoded" };
  const sent = await browser.visit(form.url, { method: "POST", headers, body: body.toString() });
  const next = locationOf(sent);
  return next === undefined ? sent : ((await browser.go(next)).at(-1) ?? sent);
}

function recordsWith(reason: string): readonly Record<string, unknown>[] {
  return stage.records().filter((record) => record["reason"] === reason);
}

async function reasonOf({ headers }: Shown): Promise<unknown> {
  const id = headers["sallyport-decision"];
  return (await stage.found(({ decisionId }) => decisionId === id))["reason"];
}

test("a person logs in with pushed requests and userinfo, and is known by group", async () => {
  const browser = new Browser(stage.proxy);
  const page = await logIn(browser, `${APP}/app/home?a=1`);
  assert.deepEqual([page.status, page.url], [200, `${APP}/app/home?a=1`]);
  assert.equal((await browser.visit(`${APP}/app/next`)).status, 200);
});

test("twenty people log in at once, each in a browser of their own", async () => {
  const names = Array.from({ length: 20 }, (_, index) => `person-${index}`);
  const pages = await Promise.all(
    names.map((login) => logIn(new Browser(stage.proxy), `${APP}/app/${login}`, { login })),
  );
  assert.deepEqual(
    pages.map(({ status, url }) => [status, url]),
    names.map((login) => [200, `${APP}/app/${login}`]),
  );
});

test("a client that signs its assertions is taken by the provider", async () => {
  const page = await logIn(new Browser(stage.proxy), `${APP}/bykey/home`);
  assert.deepEqual([page.status, page.url], [200, `${APP}/bykey/home`]);
});

test("a client that is not set up at the provider logs nobody in, and the record says why", async () => {
  const browser = new Browser(stage.proxy);
  const page = await logIn(browser, `${APP}/wrong/home`);
  assert.equal(page.status, 502);
  assert.equal(await reasonOf(page), "invalid-provider-answer");
  const [record] = recordsWith("invalid-provider-answer");
  assert.match(String(record?.["detail"]), /401 invalid_client/);
});

test("a stronger login is asked for at the provider, once", async () => {
  const browser = new Browser(stage.proxy);
  await logIn(browser, `${APP}/app/home`);
  const weak = await logIn(browser, `${APP}/vault/x`);
  // The provider lets nobody through who gives no second factor: it asks again.
  assert.match(weak.body, /Example login|insufficient-login|login-refused/);
  const strong = await logIn(browser, `${APP}/vault/x`, { code: LOGIN.code });
  assert.deepEqual([strong.status, strong.url], [200, `${APP}/vault/x`]);
  assert.equal((await browser.visit(`${APP}/vault/y`)).status, 200);
});

test("a logout at the provider ends the session here, by what the provider says", async () => {
  const browser = new Browser(stage.proxy);
  await logIn(browser, `${APP}/app/home`, { login: "eve" });
  const other = new Browser(stage.proxy);
  await logIn(other, `${APP}/app/home`, { login: "bob" });
  // At the provider alone, as from another application of the same people.
  const asked = await browser.visit(
    `${provider.issuer}/session/end?client_id=sallyport&post_logout_redirect_uri=${encodeURIComponent(CALLBACKS.postLogoutRedirectUri)}`,
  );
  const xsrf = /name="xsrf" value="([^"]*)"/.exec(asked.body)?.[1] ?? "";
  const sent = await browser.visit(`${provider.issuer}/session/end/confirm`, {
    method: "POST",
    headers: { ...NAVIGATION, "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ xsrf, logout: "yes" }).toString(),
  });
  assert.equal(locationOf(sent)?.split("?")[0], CALLBACKS.postLogoutRedirectUri);
  await until(() => recordsWith("logged-out").length > 0);
  assert.match(String(recordsWith("logged-out")[0]?.["detail"]), /by the provider of people/);
  const headers = { accept: "application/json" };
  assert.equal((await browser.visit(`${APP}/app/home`, { headers })).status, 401);
  assert.equal((await other.visit(`${APP}/app/home`, { headers })).status, 200);
});
