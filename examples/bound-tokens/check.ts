import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { createRoot, type TestCertificate } from "../../test/certificates.ts";
import { headerOf, keySetOf, signToken, testKey } from "../../test/issuer.ts";
import type { Example, World } from "../example.ts";
import { startService } from "../services.ts";

const root = createRoot("Example Root");
const api = root.issue({ name: "api", dns: ["api.example.com"] });
const callers = createRoot("Callers Root");
const billing = callers.issue({ name: "billing" });
const other = callers.issue({ name: "other" });
const login = testKey("login-1", "ES256");

/** As the provider gives it out to a client that shows it this certificate. */
function token(to?: TestCertificate): string {
  const now = Math.floor(Date.now() / 1000);
  const [iss, aud] = ["https://login.example.com", "https://api.example.com"];
  const claims = { iss, aud, sub: "billing", iat: now, exp: now + 300, cnf: to && bindTo(to) };
  return signToken(login, headerOf(login), claims);
}

function bindTo({ der }: TestCertificate): object {
  return { "x5t#S256": createHash("sha256").update(der).digest("base64url") };
}

interface Asked {
  readonly path: string;
  readonly bearer: string;
  readonly shown?: TestCertificate;
}

function ask(world: World, { path, bearer, shown }: Asked): Promise<string> {
  const [host, port] = world.address("edge").split(":");
  const pair = shown === undefined ? {} : { cert: shown.chainPem, key: shown.keyPem };
  const headers = { host: "api.example.com", authorization: `Bearer ${bearer}` };
  const tls = { ca: root.pem, servername: "api.example.com", agent: false, ...pair } as const;
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path, headers, ...tls }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => {
        const { reason = "" } = JSON.parse(body) as { readonly reason?: string };
        resolve(`${response.statusCode} ${reason}`.trim());
      });
    });
    asked.on("error", reject);
    asked.end();
  });
}

export const example: Example = {
  async prepare(ground) {
    const [certs, keys] = [join(ground.folder, "certs"), join(ground.folder, "keys")];
    mkdirSync(certs);
    mkdirSync(keys);
    writeFileSync(join(certs, "api.pem"), api.chainPem);
    writeFileSync(join(certs, "api.key"), api.keyPem, { mode: 0o600 });
    writeFileSync(join(certs, "callers-ca.pem"), callers.pem);
    writeFileSync(join(keys, "login.json"), JSON.stringify(keySetOf(login)));
    await startService(ground, 9001, "payments");
  },
  tries: [
    {
      shows: "the token is good over a connection with its certificate",
      async run(world) {
        const asked = { path: "/payments/1", bearer: token(billing) };
        assert.equal(await ask(world, { ...asked, shown: billing }), "200");
      },
    },
    {
      shows: "over another caller's connection, or one without a certificate, it is worth nothing",
      async run(world) {
        for (const path of ["/payments/1", "/reports/1"]) {
          const asked = { path, bearer: token(billing) };
          assert.equal(await ask(world, { ...asked, shown: other }), "401 wrong-certificate");
          assert.equal(await ask(world, asked), "401 missing-proof");
        }
      },
    },
    {
      shows: "a token that is bound to nobody is refused where binding is required",
      async run(world) {
        const asked = { path: "/payments/1", bearer: token(), shown: billing };
        assert.equal(await ask(world, asked), "401 unbound-token");
      },
    },
    {
      shows: "where it is only reported it passes, and record and metric say who would fail",
      async run(world) {
        assert.equal(await ask(world, { path: "/reports/1", bearer: token() }), "200");
        const metrics = await (await fetch(`http://${world.address("admin")}/metrics`)).text();
        assert.match(metrics, /^sallyport_unbound_tokens_total\{route="reports"\} 1$/m);
        await until(() => auditText(world).includes('"detail":"unbound-token:'));
      },
    },
  ],
};

function auditText(world: World): string {
  const folder = join(world.folder, "data", "audit");
  const files = readdirSync(folder).filter((name) => name.endsWith(".jsonl"));
  return files.map((name) => readFileSync(join(folder, name), "utf8")).join("");
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error("it did not happen");
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  }
}
