import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Example, Ground, World } from "../example.ts";
import { startService } from "../services.ts";

const SALLYPORT = fileURLToPath(new URL("../../bin/sallyport", import.meta.url));
const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });

/** A token of one of the three issuers. */
function token(issuer: string, claims: object): string {
  const now = Math.floor(Date.now() / 1000);
  const whole = { iss: issuer, aud: "https://api.freight.example", iat: now, exp: now + 300 };
  const input = [
    { alg: "ES256", typ: "at+jwt", kid: "one" },
    { ...whole, ...claims },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  const key = { key: privateKey, dsaEncoding: "ieee-p1363" } as const;
  return `${input}.${sign("sha256", Buffer.from(input), key).toString("base64url")}`;
}

const CORP = "https://login.freight.example";
const CUSTOMERS = "https://id.customers.example";

async function get(world: World, path: string, bearer?: string): Promise<string> {
  const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  const response = await fetch(`http://${world.address("edge")}${path}`, { headers });
  const reason = /"reason":"([a-z-]+)"/.exec(await response.text())?.[1];
  return `${response.status}${reason === undefined ? "" : ` ${reason}`}`;
}

/** What a command says, and its exit code. */
function sallyport({ folder }: Ground, ...args: string[]): Promise<{ code: number; said: string }> {
  return new Promise((resolve) => {
    execFile(SALLYPORT, args, { cwd: folder }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, said: stdout + stderr });
    });
  });
}

export const example: Example = {
  async prepare(ground) {
    mkdirSync(join(ground.folder, "keys"), { recursive: true });
    const key = { ...publicKey.export({ format: "jwk" }), kid: "one", alg: "ES256", use: "sig" };
    for (const name of ["login", "customers", "carriers"]) {
      writeFileSync(join(ground.folder, `keys/${name}.json`), JSON.stringify({ keys: [key] }));
    }
    for (const [port, name] of ["billing", "bookings", "tracking", "production"].entries()) {
      await startService(ground, 9001 + port, name);
    }
  },
  tries: [
    {
      shows: "check finds nothing that nobody has accepted",
      async run(world) {
        const { code, said } = await sallyport(world, "check");
        assert.equal(code, 0, said);
      },
    },
    {
      shows: "each policy decides a case of its tests, and each route has one",
      async run(world) {
        const { code, said } = await sallyport(
          world,
          "test",
          "--coverage",
          "--min-coverage",
          "100",
        );
        assert.equal(code, 0, said);
        assert.match(said, /policies that decided a case: 14 of 14\nroutes with a case: 6 of 6/);
      },
    },
    {
      shows: "a service in its role, a team that a file names, a tenant, somebody from outside",
      async run(world) {
        const payments = token(CORP, {
          sub: "payments",
          typ: "service",
          roles: ["AdminService"],
          groups: [],
        });
        const fatima = token(CORP, { sub: "fatima", typ: "user", roles: [], groups: [] });
        const lena = token(CORP, { sub: "lena", typ: "user", roles: [], groups: ["finance"] });
        const ann = token(CUSTOMERS, { sub: "ann", tenant: "acme", roles: [] });
        assert.equal(await get(world, "/billing/records/7", payments), "200");
        assert.equal(await get(world, "/billing/records/7", fatima), "200");
        assert.equal(await get(world, "/billing/records/7", lena), "403 forbidden");
        assert.equal(await get(world, "/billing/records/7", ann), "403 forbidden");
        assert.equal(await get(world, "/tenants/acme/bookings/1", ann), "200");
        assert.equal(await get(world, "/tenants/other/bookings/1", ann), "403 forbidden");
        assert.equal(await get(world, "/track/JD0146"), "200");
      },
    },
    {
      shows:
        "a change that widens a rule fails a test, and the command says which policy decides now",
      async run(world) {
        const file = join(world.folder, "policies/billing.cedar");
        const before = readFileSync(file, "utf8");
        const widened = before.replace(
          'context.path like "/billing/records*"',
          'context.path like "/billing/*"',
        );
        assert.notEqual(widened, before);
        writeFileSync(file, widened);
        const { code, said } = await sallyport(world, "test");
        writeFileSync(file, before);
        assert.equal(code, 1, said);
        assert.match(said, /✖ payments reads records and nothing else/);
        assert.match(said, /decided by billing-admins/);
      },
    },
  ],
};
