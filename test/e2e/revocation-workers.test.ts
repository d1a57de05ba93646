/**
 * Access taken away on the command line while several processes serve: the supervisor keeps the
 * authority, and each of its workers denies and closes its own streams.
 */
import { strict as assert } from "node:assert";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { freePort } from "../../examples/ports.ts";
import { startEchoService, WebSocketClient } from "../../examples/websocket-service.ts";
import { call } from "../cluster/load.ts";
import { Machine, until } from "../cluster/machine.ts";
import { workerPids } from "./life.ts";
import { AUDIENCE, createTestIssuer, ISSUER } from "./test-issuer.ts";

const LIMITS = {
  /** Connections that are opened, so that the kernel gives some to each worker. */
  connections: 24,
  /** Milliseconds for starting processes on a busy machine. */
  test: 120_000,
} as const;

test(
  "what `sallyport revocations` takes away is denied by every worker, and its streams are closed",
  { timeout: LIMITS.test },
  async (context) => {
    const service = await startEchoService({
      answer: (head) =>
        head.startsWith("GET /plain")
          ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
          : undefined,
    });
    const folder = mkdtempSync(join(tmpdir(), "sallyport-revocation-workers-"));
    context.after(async () => {
      await service.close();
      rmSync(folder, { recursive: true, force: true });
    });
    const issuer = createTestIssuer();
    // A port of its own, which workers that come later have too.
    const edge = `127.0.0.1:${await freePort(0)}`;
    const machine = await makeMachine(context, { folder, service: service.address, issuer, edge });
    await machine.start();
    // Workers outlive a supervisor that is killed, which is what becomes of this one if the test fails.
    context.after(() => {
      for (const pid of workerPids(machine.output)) killIfThere(pid);
    });
    const iat = Math.floor(Date.now() / 1000) - 60;
    const tokens = {
      ann: issuer.token({ sub: "ann", jti: "t-1", iat }),
      bob: issuer.token({ sub: "bob", jti: "t-2", iat }),
    };
    const statuses = async (token: string): Promise<number[]> => {
      const asked = Array.from({ length: LIMITS.connections }, () =>
        call(edge, "/plain", { token }),
      );
      return (await Promise.all(asked)).map(({ status }) => status);
    };
    const streams = (token: string) =>
      Promise.all(
        Array.from({ length: LIMITS.connections }, () =>
          WebSocketClient.open(edge, "/socket", [`Authorization: Bearer ${token}`]),
        ),
      );
    const hers = await streams(tokens.ann);
    const his = await streams(tokens.bob);
    assert.deepEqual(new Set(await statuses(tokens.ann)), new Set([200]));

    const named = ["--authenticator", "corp", "--subject", "ann"];
    const said = await machine.does("revocations", "block", ...named, "--reason", "left");
    const ends = await Promise.all(hers.map(({ ended }) => ended));
    assert.deepEqual(new Set(ends.map((end) => end?.reason)), new Set(["credential-revoked"]));
    assert.deepEqual(new Set(await statuses(tokens.ann)), new Set([401]));
    assert.deepEqual(new Set(await statuses(tokens.bob)), new Set([200]));
    for (const socket of his) assert.equal(await socket.echo("still here"), "still here");

    const digest = /[A-Za-z0-9_-]{22}/.exec(said)?.[0] ?? "";
    assert.match(await machine.does("revocations", "list"), new RegExp(digest));
    for (const socket of his) socket.close();

    // Workers that come later are told what was revoked before, and let nobody in until they were.
    const seen = new Set<number>();
    for (const pid of workerPids(machine.output)) process.kill(pid, "SIGKILL");
    await until("each worker is another one", async () => {
      for (const status of await statuses(tokens.ann)) seen.add(status);
      return workerPids(machine.output).length >= 4 && (await machine.isReady());
    });
    for (const status of await statuses(tokens.ann)) seen.add(status);
    assert.ok(seen.has(401) && !seen.has(200), [...seen].join());
    await machine.does("revocations", "lift", digest);
    await until("it is lifted on every worker", async () =>
      (await statuses(tokens.ann)).every((status) => status === 200),
    );
    assert.equal(await machine.stop(), "exit code 0");
  },
);

function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended in order.
  }
}

async function makeMachine(
  context: ConstructorParameters<typeof Machine>[0],
  given: {
    readonly folder: string;
    readonly service: string;
    readonly edge: string;
    readonly issuer: ReturnType<typeof createTestIssuer>;
  },
): Promise<Machine> {
  const admin = `127.0.0.1:${await freePort(0)}`;
  const machine = new Machine(context, { name: "alone", folder: given.folder, admin });
  machine.write("secrets/kek", randomBytes(32).toString("base64url"));
  machine.write("jwks.json", JSON.stringify(given.issuer.jwks));
  machine.write("policies/all.cedar", '@id("all") permit (principal, action, resource);');
  machine.write(
    "sallyport.yaml",
    `version: 1
workers: 2
listeners: [{ name: edge, address: "${given.edge}" }]
admin: { address: "${admin}", socket: run/admin.sock }
authority:
  issuer: https://authority.example
  store: sqlite:data/state.db
  keyEncryptionKey: { file: secrets/kek }
authenticators:
  corp:
    type: jwt
    issuer: ${ISSUER}
    jwks: file:jwks.json
    audience: [${AUDIENCE}]
    algorithms: [ES256]
    principal: { kind: workload, subject: sub }
services:
  one: { endpoints: ["http://${given.service}"] }
routes:
  - { name: all, path: "/*", service: one, authenticate: [corp], upgrades: [websocket], lifetime: none }
policies: { enforce: [policies] }
audit: { path: audit }
`,
  );
  return machine;
}
