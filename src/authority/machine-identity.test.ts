import assert from "node:assert/strict";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  FixtureAuthority,
  FixtureServer,
  TemporaryFolder,
} from "../../test/authority/enrolment-ground.ts";
import { enrolMachine } from "./machine-enrolment.ts";
import { openMachineIdentity } from "./machine-identity.ts";

const HOUR = 3_600_000;

test("a machine enrols, and renews with a key that never leaves it", async () => {
  await using ground = await start();
  const { authority, server, folder } = ground;
  const { token } = await authority.invite("edge-1");
  await enrolMachine(
    { token, folder: folder.at("identity"), authorities: [server.url] },
    { clock: authority.clock },
  );
  assert.equal((await authority.register.get("edge-1"))?.state, "enrolled");
  const identity = await openMachineIdentity(folder.at("identity"), ground.deps);
  assert.equal(identity.id, "spiffe://sallyport.example.com/sallyport/proxy/edge-1");
  const { keyPem, certificatePem } = identity;
  let changes = 0;
  identity.changed(() => (changes += 1));
  authority.clock.advance(12 * HOUR);
  await identity.renew();
  assert.equal(changes, 1);
  assert.notEqual(identity.keyPem, keyPem);
  assert.notEqual(identity.certificatePem, certificatePem);
  assert.equal(identity.notAfterMs, authority.clock.now() + 24 * HOUR);
  identity.close();
  const sent = server.requests.map(({ body }) => body).join("\n");
  for (const pem of [keyPem, identity.keyPem]) assert.ok(!sent.includes(pem.split("\n")[1] ?? ""));
  await onlyOwner(folder.at("identity"));
});

async function onlyOwner(folder: string): Promise<void> {
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const { mode } = await stat(join(entry.parentPath, entry.name));
    assert.equal(mode & 0o077, 0, entry.name);
  }
}

async function start() {
  const authority = new FixtureAuthority();
  const server = await new FixtureServer(authority).start();
  const folder = await TemporaryFolder.make();
  return {
    authority,
    server,
    folder,
    get deps() {
      const { clock, timers, log, metrics } = authority;
      return { clock, timers, log, metrics, random: () => 0.5 };
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
