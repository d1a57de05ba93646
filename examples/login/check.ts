import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Example, Ground, World } from "../example.ts";
import { type Seen, startService } from "../services.ts";
import { Browser, type Shown } from "./browser.ts";
import { LOGIN, startLoginProvider } from "./provider.ts";

const secret = randomBytes(24).toString("base64url");

async function startProvider(ground: Ground, written: number, name: string): Promise<void> {
  const origin = `http://127.0.0.1:${ground.port(8080)}/.sallyport`;
  const provider = await startLoginProvider({
    port: ground.port(written),
    client: { id: "sallyport", secret },
    redirectUri: `${origin}/callback/${name}`,
    postLogoutRedirectUri: `${origin}/logged-out`,
    backchannelLogoutUri: `${origin}/backchannel-logout/${name}`,
  });
  ground.onEnd(() => provider.close());
}

function at(world: World, path: string): string {
  return `http://${world.address("edge")}${path}`;
}

/** As a person does it: the page, the provider's form, the page again. */
async function logIn(world: World, browser: Browser, path: string): Promise<Shown> {
  const form = await browser.go(at(world, path));
  assert.match(form.body, /Example login/, `no form but ${form.status} at ${form.url}`);
  return browser.send(form, { login: "ada", password: LOGIN.password });
}

function seen(shown: Shown): Seen {
  assert.equal(shown.status, 200, `${shown.status} at ${shown.url}: ${shown.body}`);
  return JSON.parse(shown.body) as Seen;
}

function reasonOf({ body }: Shown): string | undefined {
  return (JSON.parse(body) as { readonly reason?: string }).reason;
}

export const example: Example = {
  async prepare(ground) {
    mkdirSync(join(ground.folder, "secrets"), { recursive: true });
    const write = (name: string, text: string): void =>
      writeFileSync(join(ground.folder, "secrets", name), text, { mode: 0o600 });
    write("client", secret);
    write("session.key", randomBytes(32).toString("base64"));
    await startService(ground, 9001, "wiki");
    await startProvider(ground, 9801, "staff");
    await startProvider(ground, 9802, "partners");
  },
  tries: [
    {
      shows:
        "a browser is sent to the provider, logs in, and is back on the page that it asked for",
      async run(world) {
        const page = await logIn(world, new Browser(), "/wiki/home?from=mail");
        assert.equal(page.url, at(world, "/wiki/home?from=mail"));
        assert.equal(seen(page).target, "/wiki/home?from=mail");
        assert.equal(seen(page).headers["cookie"], undefined);
      },
    },
    {
      shows: "a script is told that it has to log in, and is sent nowhere",
      async run(world) {
        const browser = new Browser();
        const refused = await browser.fetch(at(world, "/wiki/home"));
        assert.deepEqual([refused.status, reasonOf(refused)], [401, "missing-credential"]);
        await logIn(world, browser, "/wiki/home");
        assert.equal((await browser.fetch(at(world, "/wiki/home"))).status, 200);
      },
    },
    {
      shows: "a route of several providers lets the person choose",
      async run(world) {
        const browser = new Browser();
        const chooser = await browser.go(at(world, "/shared/plan"));
        assert.match(chooser.body, /Our own people[^]*Partners/);
        const [, href = ""] = [...chooser.body.matchAll(/href="([^"]*)"/g)].map(([, one]) => one);
        const form = await browser.go(new URL(href.replaceAll("&#38;", "&"), chooser.url).href);
        const page = await browser.send(form, { login: "bob", password: LOGIN.password });
        assert.equal(seen(page).target, "/shared/plan");
        const denied = await browser.fetch(at(world, "/wiki/home"));
        assert.equal(denied.status, 401, "a partner is nobody where only our own people may be");
      },
    },
    {
      shows: "the vault asks for a second factor; a script is told so (RFC 9470)",
      async run(world) {
        const browser = new Browser();
        await logIn(world, browser, "/wiki/home");
        const refused = await browser.fetch(at(world, "/vault/gold"));
        assert.deepEqual([refused.status, reasonOf(refused)], [401, "step-up-required"]);
        assert.match(
          refused.headers["www-authenticate"] ?? "",
          /error="insufficient_user_authentication".*acr_values="urn:example:second-factor", max_age="300"/,
        );
        const form = await browser.go(at(world, "/vault/gold"));
        assert.match(
          form.body,
          /Example login/,
          `not strongly enough, but ${form.status} at ${form.url}: ${form.body}`,
        );
        const filled = { login: "ada", password: LOGIN.password, code: LOGIN.code };
        assert.equal(seen(await browser.send(form, filled)).target, "/vault/gold");
      },
    },
    {
      shows: "a link elsewhere is no address to return to",
      async run(world) {
        const to = encodeURIComponent("//evil.example/");
        const shown = await new Browser().go(at(world, `/.sallyport/login?return=${to}`));
        assert.equal(shown.status, 400);
        assert.match(shown.body, /invalid-return-address/);
      },
    },
    {
      shows: "logging out ends the session here and at the provider, which tells us so as well",
      async run(world) {
        const browser = new Browser();
        await logIn(world, browser, "/wiki/home");
        const button = await browser.go(at(world, "/.sallyport/logout"));
        const provider = await browser.send(button, {});
        assert.match(provider.body, /Logging out/);
        const end = await browser.send(provider, { logout: "yes" });
        assert.equal(end.url.split("?")[0], at(world, "/.sallyport/logged-out"));
        assert.equal((await browser.fetch(at(world, "/wiki/home"))).status, 401);
        const form = await browser.go(at(world, "/wiki/home"));
        assert.match(form.body, /Example login/, "the provider has forgotten the person too");
      },
    },
  ],
};
