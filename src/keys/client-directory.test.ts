import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { test } from "node:test";
import { recordedLog } from "../../test/ports.ts";
import { createMemoryStore } from "../../test/store/memory.ts";
import { ManualClock } from "../platform/clock.ts";
import { createClientDirectory, type PrincipalOf } from "./client-directory.ts";
import { clientGrantSchema } from "./client-document.ts";
import { createClientRegister } from "./client-register.ts";

const BY = { by: "local/0" };
const CERTIFICATE = "A".repeat(43);
const principalOf: PrincipalOf = ({ id, roles }) => ({
  kind: "workload",
  authenticator: "keys",
  subject: id,
  roles,
  groups: [],
  attributes: {},
});

function scene(of: PrincipalOf = principalOf) {
  const clock = new ManualClock(1_800_000_000_000);
  const store = createMemoryStore(clock);
  const log = recordedLog();
  const register = createClientRegister({ store, log, randomBytes });
  let reads = 0;
  const counted = {
    get: (...args: Parameters<typeof store.get>) => {
      reads++;
      return store.get(...args);
    },
    watch: store.watch.bind(store),
  };
  const directory = createClientDirectory({ store: counted, clock, log, principalOf: of });
  const create = (id: string) =>
    register.create(clientGrantSchema.parse({ id, roles: ["Biller"] }), {
      proof: { type: "certificate", id: CERTIFICATE },
      ...BY,
    });
  return { clock, store, log, register, directory, create, reads: () => reads };
}

test("client() gives what the token endpoint needs, and asks the store once in a while", async () => {
  const { directory, create, reads, clock } = scene();
  await create("billing-job");
  await setImmediate();
  const [client, same] = await Promise.all([
    directory.client("billing-job"),
    directory.client("billing-job"),
  ]);
  assert.equal(client, same);
  assert.deepEqual(client, {
    id: "billing-job",
    principal: principalOf({ id: "billing-job", roles: ["Biller"], groups: [], attributes: {} }),
    keys: [],
    certificates: [CERTIFICATE],
    secrets: [],
    source: "registered",
  });
  await directory.client("billing-job");
  assert.equal(reads(), 1);
  clock.advance(2001);
  await directory.client("billing-job");
  assert.equal(reads(), 2);
});

test("client() knows of a change as soon as the store tells of it", async () => {
  const { directory, create, register } = scene();
  assert.equal(await directory.client("billing-job"), undefined);
  await create("billing-job");
  await setImmediate();
  assert.ok(await directory.client("billing-job"));
  await register.disable("billing-job", BY);
  await setImmediate();
  assert.equal(await directory.client("billing-job"), undefined);
  await register.enable("billing-job", BY);
  await setImmediate();
  assert.ok(await directory.client("billing-job"));
});

test("client() does not remember what was read before a change", async () => {
  const { directory, create, register } = scene();
  await create("billing-job");
  await setImmediate();
  const before = directory.client("billing-job");
  directory.forget();
  await before;
  await register.disable("billing-job", BY);
  // The store has not told of it yet; what was read before is not what is remembered.
  assert.equal(await directory.client("billing-job"), undefined);
});

test("client() refuses whom the configuration has no place for, and says so", async () => {
  const { directory, create, log } = scene(() => ({ detail: "attribute tenant is missing" }));
  await create("billing-job");
  assert.equal(await directory.client("billing-job"), undefined);
  assert.match(JSON.stringify(log.lines), /attribute tenant is missing/);
  const nowhere = scene(() => undefined);
  await nowhere.create("billing-job");
  assert.equal(await nowhere.directory.client("billing-job"), undefined);
});

test("client() asks nobody about what is no id, and rejects while the store is away", async () => {
  const { directory, store, reads } = scene();
  assert.equal(await directory.client("spiffe://example.org/job"), undefined);
  assert.equal(await directory.client(""), undefined);
  assert.equal(reads(), 0);
  store.away = true;
  await assert.rejects(directory.client("billing-job"), { code: "store-unavailable" });
  store.away = false;
  assert.equal(await directory.client("billing-job"), undefined);
});

test("client() remembers a bounded number of clients, whoever asks", async () => {
  const { directory, reads } = scene();
  for (let at = 0; at <= 10_000; at++) {
    // oxlint-disable-next-line no-await-in-loop -- the oldest goes
    await directory.client(`stranger-${at}`);
  }
  const before = reads();
  await directory.client("stranger-10000");
  assert.equal(reads(), before);
  await directory.client("stranger-0");
  assert.equal(reads(), before + 1);
});
