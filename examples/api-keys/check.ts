import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Example, World } from "../example.ts";
import { startService } from "../services.ts";

const SALLYPORT = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));

interface Made {
  readonly key: string;
  readonly apiKey: { readonly id: string };
}

/** `sallyport api-keys …`, as anybody types it in the folder. */
async function apiKeys(world: World, ...args: readonly string[]): Promise<string> {
  const options = { cwd: world.folder };
  const { stdout } = await promisify(execFile)(SALLYPORT, ["api-keys", ...args], options);
  return stdout;
}

async function make(world: World, ...args: readonly string[]): Promise<Made> {
  return JSON.parse(await apiKeys(world, ...args, "--json")) as Made;
}

const create = (world: World, tenant: string, ...more: readonly string[]): Promise<Made> => {
  const named = ["--authenticator", "partners", "--attribute", `tenant=${tenant}`];
  return make(world, "create", tenant, ...named, "--role", "Reader", ...more);
};

async function ask(world: World, path: string, key: string, method = "GET"): Promise<string> {
  const response = await fetch(`http://${world.address("edge")}${path}`, {
    method,
    headers: { "x-api-key": key },
  });
  const { reason } = (await response.json()) as { readonly reason?: string };
  return `${response.status}${reason === undefined ? "" : ` ${reason}`}`;
}

/** In force within a second; here within some milliseconds. */
async function until(world: World, answer: string, path: string, key: string): Promise<void> {
  for (const started = Date.now(); Date.now() - started < 5000;) {
    if ((await ask(world, path, key)) === answer) return;
  }
  assert.equal(await ask(world, path, key), answer);
}

export const example: Example = {
  async prepare(ground) {
    mkdirSync(join(ground.folder, "secrets"), { mode: 0o700 });
    const kek = join(ground.folder, "secrets", "kek");
    writeFileSync(kek, randomBytes(32).toString("base64"), { mode: 0o600 });
    await startService(ground, 9001, "invoices");
    await startService(ground, 9002, "exports");
  },
  tries: [
    {
      shows: "a key that the command line makes opens what its roles and scopes permit",
      async run(world) {
        const { key } = await create(world, "acme", "--scope", "invoices:write");
        assert.match(key, /^acme_[0-9A-Za-z]{49}$/);
        await until(world, "200", "/invoices/1", key);
        assert.equal(await ask(world, "/invoices/1", key, "POST"), "200");
        const reader = await create(world, "globex");
        await until(world, "200", "/invoices/1", reader.key);
        assert.equal(await ask(world, "/invoices/1", reader.key, "POST"), "403 no-permit");
      },
    },
    {
      shows: "a key may be for one service only, and its attributes count in policies",
      async run(world) {
        const { key } = await create(world, "acme", "--service", "exports");
        await until(world, "200", "/exports/1", key);
        assert.equal(await ask(world, "/invoices/1", key), "401 wrong-audience");
        const trial = await create(world, "initech", "--attribute", "trial=true");
        await until(world, "403 forbidden", "/exports/1", trial.key);
      },
    },
    {
      shows: "a mistyped key is told from one that was never made",
      async run(world) {
        const { key } = await create(world, "acme");
        await until(world, "200", "/invoices/1", key);
        const typo = key.slice(0, -1) + (key.endsWith("0") ? "1" : "0");
        assert.equal(await ask(world, "/invoices/1", typo), "401 malformed-credential");
        assert.equal(await ask(world, "/invoices/1", "password"), "401 malformed-credential");
      },
    },
    {
      shows: "a new key takes the place of another, which ends after the overlap",
      async run(world) {
        const first = await create(world, "acme");
        await until(world, "200", "/invoices/1", first.key);
        const next = await make(world, "rotate", first.apiKey.id, "--overlap", "1s");
        await until(world, "200", "/invoices/1", next.key);
        await until(world, "401 token-expired", "/invoices/1", first.key);
      },
    },
    {
      shows: "a key that leaked is revoked, and another of the same owner goes on",
      async run(world) {
        const [leaked, other] = [await create(world, "acme"), await create(world, "acme")];
        await until(world, "200", "/invoices/1", leaked.key);
        await until(world, "200", "/invoices/1", other.key);
        await apiKeys(world, "revoke", leaked.apiKey.id, "--reason", "found in a repository");
        await until(world, "401 credential-revoked", "/invoices/1", leaked.key);
        assert.equal(await ask(world, "/invoices/1", other.key), "200");
      },
    },
  ],
};
