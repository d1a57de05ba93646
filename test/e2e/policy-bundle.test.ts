/**
 * Policies that come as a bundle over HTTP, from outside: a start fetches, what is new is put in force by
 * itself, what is not to be trusted changes nothing, and one goes back by naming a hash.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { policyBuild } from "../../src/cli/policy-build.ts";
import { namedSource } from "../../src/cli/policy-source.ts";
import { ask, type HeldService, Home, type Life, startHeldService, startLife } from "./life.ts";
import { stopAll, until } from "./life.ts";

const PERMIT = '@id("anybody") permit (principal, action, resource);';
const FORBID = `${PERMIT}\n@id("nobody") forbid (principal, action, resource);`;

let service: HeldService;
let home: Home;
let source: Server;
let served = { text: "", status: 503 };
const lives: Life[] = [];

before(async () => {
  service = await startHeldService();
  home = new Home(service);
  source = createServer((_request, response) => {
    response.statusCode = served.status;
    response.end(served.text);
  });
  renameSync(join(home.path, "sallyport.yaml"), join(home.path, "build.yaml"));
  await new Promise<void>((resolve) => source.listen(0, "127.0.0.1", resolve));
  for (const name of ["ours", "others"]) {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const file = join(home.path, `${name}.pem`);
    writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }));
    writeFileSync(`${file}.pub`, publicKey.export({ type: "spki", format: "pem" }));
  }
});

after(async () => {
  for (const life of lives) {
    life.signal("SIGTERM");
    await life.ended;
  }
  stopAll();
  service.close();
  source.close();
  home.remove();
});

/** Built from a configuration with these policies, and served. Gives its hash. */
async function publish(policies: string, key = "ours"): Promise<string> {
  home.policy(policies);
  const config = join(home.path, "build.yaml");
  const out = join(home.path, "built.json");
  assert.equal(await policyBuild({ config, signKey: [join(home.path, `${key}.pem`)], out }), 0);
  served = { text: readFileSync(out, "utf8"), status: 200 };
  const { hash } = await namedSource(out);
  return hash;
}

function configure(more = ""): void {
  home.write();
  const file = join(home.path, "sallyport.yaml");
  const { port } = source.address() as AddressInfo;
  const bundle = `bundle: { url: "http://127.0.0.1:${port}/", keys: [ours.pem.pub], refresh: 1s, cache: cache${more} }`;
  writeFileSync(file, readFileSync(file, "utf8").replace("enforce: [policies]", bundle));
}

void test("a policy bundle is fetched, followed, refused where it is not ours, and gone back to", async () => {
  const first = await publish(PERMIT);
  configure();
  const life = await startLife(home);
  lives.push(life);
  const status = async (): Promise<number> => (await ask(life.address("edge"))).status;
  assert.equal(await status(), 200);
  await until("a record that names the bundle as it was built", async () =>
    home.records().some(({ type, bundle }) => type === "decision" && bundle === first),
  );

  await publish(FORBID, "others");
  const failed = 'sallyport_policy_bundle_fetches_total{outcome="failed"}';
  await until("a refused fetch", async () => ((await life.metric(failed)) ?? 0) > 0);
  assert.equal(await status(), 200);

  await publish(FORBID);
  await until("the new policies", async () => (await status()) === 403);

  served = { text: "", status: 503 };
  configure(`, hash: ${first}`);
  life.signal("SIGHUP");
  await until("the earlier policies", async () => (await status()) === 200);

  // Without the source, what was fetched is enough to start.
  life.signal("SIGTERM");
  await life.ended;
  configure();
  const again = await startLife(home);
  lives.push(again);
  assert.equal((await ask(again.address("edge"))).status, 403);
});

void test("a start that has no bundle, and a source that is away, is refused with what to do", async () => {
  served = { text: "", status: 503 };
  configure(", cache: other");
  await assert.rejects(startLife(home), /"cache"|the key "[^"]+" is there twice/);
  configure();
  const file = join(home.path, "sallyport.yaml");
  writeFileSync(file, readFileSync(file, "utf8").replace("cache: cache", "cache: other"));
  await assert.rejects(startLife(home), /the answer is 503/);
});
