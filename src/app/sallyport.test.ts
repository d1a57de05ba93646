import assert from "node:assert/strict";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ConfigError } from "../model/errors.ts";
import type { AdjustableLog } from "../model/ports.ts";
import { recordedLog } from "../../test/ports.ts";
import type { Prepared } from "./prepare.ts";
import { type Sallyport, startSallyport, warnOf } from "./sallyport.ts";

const PERMIT = '@id("anybody") permit (principal, action, resource);';
const FORBID = `${PERMIT}\n@id("nobody") forbid (principal, action, resource);`;

const folder = mkdtempSync(join(tmpdir(), "sallyport-app-"));
const service = createServer((_request, response) => response.end("from the service"));
let sallyport: Sallyport;

before(async () => {
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  mkdirSync(join(folder, "policies"));
  write(PERMIT);
  sallyport = await startSallyport(join(folder, "sallyport.yaml"), silent);
});

after(async () => {
  await sallyport.close({ atOnce: true });
  service.closeAllConnections();
  service.close();
  rmSync(folder, { recursive: true, force: true });
});

test("startSallyport() serves and says it is ready when it has resolved", async () => {
  assert.equal(await status(), 200);
  assert.equal((await fetch(`http://${sallyport.admin}/readyz`)).status, 200);
});

test("reload() puts new policies in force for the next request", async () => {
  write(FORBID);
  assert.equal(await status(), 200, "nothing changes before it is asked to");
  await sallyport.reload();
  assert.equal(await status(), 403);
  write(PERMIT);
  await sallyport.reload();
  assert.equal(await status(), 200);
});

test("reload() changes nothing when the configuration does not validate", async () => {
  const broken: [title: string, policies: string, extra: string][] = [
    ["a policy that does not parse", "permit (", ""],
    ["an unknown key", FORBID, "nonsense: true\n"],
    ["what only a restart can change", FORBID, "supervisor: { folder: elsewhere }\n"],
  ];
  for (const [title, policies, extra] of broken) {
    write(policies, extra);
    await assert.rejects(sallyport.reload(), ConfigError, title);
    assert.equal(await status(), 200, title);
  }
  write(PERMIT);
});

test("reload() changes what failed credentials may cost", async () => {
  const { publicKey } = generateKeyPairSync("ed25519");
  const keys = [{ ...publicKey.export({ format: "jwk" }), kid: "one" }];
  writeFileSync(join(folder, "keys.json"), JSON.stringify({ keys }));
  const corp = `authenticators:
  corp:
    type: jwt
    issuer: https://login.example.com
    jwks: file:keys.json
    audience: [api]
    principal: { kind: user }
`;
  const strict = "limits: { failures: { burst: 2, perSecond: 0.01 } }\n";
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = part({ iss: "https://login.example.com", aud: "api", sub: "a", exp: 4e9 });
  const forged = `${part({ alg: "EdDSA", kid: "one" })}.${claims}.${"A".repeat(86)}`;
  const presenting = async (): Promise<number> => {
    const headers = { authorization: `Bearer ${forged}` };
    const response = await fetch(`http://${sallyport.listeners[0]?.address}/known`, { headers });
    await response.text();
    return response.status;
  };
  write(PERMIT, corp, { known: true });
  await sallyport.reload();
  for (let index = 0; index < 5; index++) assert.equal(await presenting(), 401);
  write(PERMIT, corp + strict, { known: true });
  await sallyport.reload();
  const seen = [await presenting(), await presenting(), await presenting()];
  assert.ok(seen.includes(429), seen.join(" "));
  write(PERMIT);
  await sallyport.reload();
});

test("startSallyport() rejects, and leaves nothing open, when an address is taken", async () => {
  const taken = sallyport.listeners[0]?.address ?? "";
  write(PERMIT, "", { address: taken });
  await assert.rejects(startSallyport(join(folder, "sallyport.yaml"), silent), {
    code: "listen-failed",
    message: /EADDRINUSE: another process has it/,
  });
  write(PERMIT);
});

test("warnOf() gives so many findings a line of their own, and says how many there are beside them", () => {
  const warnings = Array.from({ length: 40 }, (_, at) => ({ message: `${at}`, remedy: "mend" }));
  const log = recordedLog();
  warnOf({ loaded: { warnings }, tests: undefined } as unknown as Prepared, log);
  assert.equal(log.lines.length, 16);
  assert.match(log.lines.at(-1) ?? "", /"further":25/);
});

async function status(): Promise<number> {
  const response = await fetch(`http://${sallyport.listeners[0]?.address}/x`);
  await response.text();
  return response.status;
}

function write(
  policies: string,
  extra = "",
  {
    address = "127.0.0.1:0",
    known = false,
  }: { readonly address?: string; readonly known?: boolean } = {},
): void {
  const { port } = service.address() as AddressInfo;
  writeFileSync(join(folder, "policies", "all.cedar"), policies);
  writeFileSync(
    join(folder, "sallyport.yaml"),
    `version: 1
listeners: [{ name: edge, address: "${address}" }]
admin: { address: "127.0.0.1:0" }
services: { one: { endpoints: ["http://127.0.0.1:${port}"] } }
routes:
  - { name: all, path: "/*", service: one, authenticate: [anonymous] }
${known ? "  - { name: known, path: /known, service: one, authenticate: [corp] }\n" : ""}policies: { enforce: [policies] }
audit: { path: audit }
${extra}`,
  );
}

const silent: AdjustableLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  counting: () => undefined,
  adjust: () => undefined,
};
