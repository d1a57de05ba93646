/**
 * Assertions of several replicas: an authority and two proxies that follow it, one of them with workers. Each
 * signs with a key of its own, and a service verifies what any of them signed by the set of any other;
 * a machine that is shut out takes its key with it.
 */
import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import { freePort } from "../../examples/ports.ts";
import { Machine } from "../cluster/machine.ts";
import { AUDIENCE, createTestIssuer, ISSUER } from "../e2e/test-issuer.ts";

const LIMITS = {
  /** Milliseconds for what has to happen; only a failing test waits so long. */
  wait: 60_000,
  poll: 50,
} as const;

interface Replica {
  readonly machine: Machine;
  readonly edge: string;
}

/** A port below those that the system gives away by itself: a restarted machine finds it free. */
function quietPort(): Promise<number> {
  return freePort(10_000 + randomInt(20_000));
}

async function startService(t: TestContext) {
  const assertions: string[] = [];
  const server = createServer((request, response) => {
    assertions.push(String(request.headers["x-sallyport-assertion"]));
    response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, assertions };
}

async function startCluster(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-replicas-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const service = await startService(t);
  const issuer = createTestIssuer();
  const [feedPort, adminPort] = [await quietPort(), await quietPort()];
  const authority = new Machine(t, {
    name: "authority",
    folder: join(folder, "authority"),
    admin: `127.0.0.1:${adminPort}`,
  });
  authority.write("kek", randomBytes(32).toString("base64url"));
  authority.write("jwks.json", JSON.stringify(issuer.jwks));
  authority.write(
    "policies/all.cedar",
    '@id("known") permit (principal is Sallyport::Workload, action, resource);',
  );
  mkdirSync(join(authority.folder, "state"), { mode: 0o700 });
  authority.write(
    "sallyport.yaml",
    `version: 1
listeners: []
admin: { address: "${authority.admin}", socket: run/admin.sock }
authority:
  issuer: https://authority.test
  store: sqlite:state/store.db
  algorithm: ES256
  keyEncryptionKey: { file: kek }
  serve: { address: "127.0.0.1:${feedPort}", names: [127.0.0.1] }
authenticators:
  corp:
    type: jwt
    issuer: ${ISSUER}
    jwks: file:jwks.json
    audience: [${AUDIENCE}]
    algorithms: [ES256]
    principal: { kind: workload, subject: sub }
services:
  orders: { endpoints: ["http://${service.address}"], assertion: {} }
routes:
  - { name: orders, path: "/orders", service: orders, authenticate: [corp] }
policies: { enforce: [policies] }
audit: { path: audit }
`,
  );
  await authority.start();
  const replica = async (name: string, config = ""): Promise<Replica> => {
    const [edgePort, admin] = [await quietPort(), await quietPort()];
    const machine = new Machine(t, {
      name,
      folder: join(folder, name),
      admin: `127.0.0.1:${admin}`,
    });
    machine.write(
      "sallyport.yaml",
      `version: 1
listeners: [{ name: edge, address: "127.0.0.1:${edgePort}", serve: [well-known] }]
admin: { address: "${machine.admin}", socket: run/admin.sock }
authority: { feed: ["https://127.0.0.1:${feedPort}"], identity: data/identity }
audit: { path: audit }
${config}`,
    );
    const token = await authority.does("workloads", "enrol", name, "--kind", "proxy");
    machine.write("join-token", token);
    await machine.does("enrol", "--token-file", "join-token");
    await begin(machine);
    return { machine, edge: `127.0.0.1:${edgePort}` };
  };
  const asserted = async ({ edge }: Replica): Promise<string> => {
    const authorization = `Bearer ${issuer.token({ jti: randomBytes(8).toString("hex") })}`;
    const before = service.assertions.length;
    const answer = await fetch(`http://${edge}/orders`, { headers: { authorization } });
    assert.equal(answer.status, 200, await answer.text());
    return service.assertions[before] ?? "";
  };
  return { authority, replica, asserted };
}

/** Until it has heard from the authority: before that it refuses every request. */
async function begin(machine: Machine): Promise<void> {
  await machine.start();
  await until(`${machine.name} is ready`, async () => {
    const answer = await fetch(`http://${machine.admin}/readyz`);
    const text = await answer.text();
    // Of several workers each has to have heard.
    const [, ready, all] = /(\d+) of (\d+) ready/.exec(text) ?? [];
    return answer.status === 200 && ready === all;
  });
}

function setOf({ edge }: Replica): URL {
  return new URL(`http://${edge}/.well-known/sallyport/assertions.json`);
}

async function verifies(token: string, at: Replica): Promise<boolean> {
  try {
    const { payload } = await jwtVerify(token, createRemoteJWKSet(setOf(at)), {
      issuer: "https://authority.test/assertions",
      audience: "orders",
      typ: "sallyport-assertion+jwt",
    });
    return payload.sub === "corp/tester";
  } catch {
    return false;
  }
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + LIMITS.wait;
  // oxlint-disable-next-line no-await-in-loop -- it is asked again and again
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, `${what} did not happen`);
    // oxlint-disable-next-line no-await-in-loop -- see above
    await new Promise((resolve) => {
      setTimeout(resolve, LIMITS.poll);
    });
  }
}

test("what any replica signs verifies by the set of any other, until it is shut out", async (t) => {
  const { authority, replica, asserted } = await startCluster(t);
  const one = await replica("edge-1");
  const two = await replica("edge-2", "workers: 2\nsupervisor: { folder: run }\n");

  // By its own set at once; by that of the others as soon as the authority has told of it.
  const [first, second] = [await asserted(one), await asserted(two)];
  assert.ok(await verifies(first, one));
  assert.ok(await verifies(second, two));
  await until("one's key at two", () => verifies(first, two));
  await until("two's key at one", () => verifies(second, one));

  // Each has its own, whichever of its workers signs; all of the authority's algorithm.
  const kids = new Set<string | undefined>();
  for (let round = 0; round < 8; round++) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other, so that workers take turns
    kids.add(decodeProtectedHeader(await asserted(two)).kid);
  }
  assert.deepEqual([...kids], [decodeProtectedHeader(second).kid]);
  assert.notEqual(decodeProtectedHeader(first).kid, decodeProtectedHeader(second).kid);
  assert.equal(decodeProtectedHeader(first).alg, "ES256");

  // Started anew it has another key, which the others hear of as well.
  await two.machine.stop();
  await begin(two.machine);
  const third = await asserted(two);
  assert.notEqual(decodeProtectedHeader(third).kid, decodeProtectedHeader(second).kid);
  await until("two's next key at one", () => verifies(third, one));

  // Out, and its key with it.
  await authority.does("workloads", "disable", "edge-1");
  await until("one's key is gone at two", async () => !(await verifies(first, two)));
  assert.ok(await verifies(await asserted(two), two));
  // In again it publishes the same one again by itself.
  await authority.does("workloads", "enable", "edge-1");
  await until("one's key is back at two", () => verifies(first, two));
  // A supervisor that is killed, as whatever still runs is, leaves its workers serving.
  await two.machine.stop();
});
