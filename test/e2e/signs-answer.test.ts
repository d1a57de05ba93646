/** A sign of a breach that is answered: the principal is locked out by itself, and lifted by an operator. */
import { strict as assert } from "node:assert";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { freePort } from "../../examples/ports.ts";
import { startEchoService } from "../../examples/websocket-service.ts";
import { call } from "../cluster/load.ts";
import { Machine, until } from "../cluster/machine.ts";
import { workerPids } from "./life.ts";
import { AUDIENCE, createTestIssuer, ISSUER } from "./test-issuer.ts";

const LIMITS = {
  /** Milliseconds for starting processes on a busy machine. */
  test: 120_000,
} as const;

for (const workers of [1, 2]) {
  for (const [answer, outcome] of [
    ["{ block: 15m }", "blocked"],
    ["{ revoke: true }", "revoked"],
  ] as const) {
    // One of each is enough with several.
    if (workers === 2 && outcome === "revoked") continue;
    test(
      `a burst of refusals has its principal ${outcome} with ${workers} worker(s), until it is lifted`,
      { timeout: LIMITS.test },
      async (context) => {
        const service = await startEchoService({
          answer: () => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        });
        const folder = mkdtempSync(join(tmpdir(), "sallyport-signs-answer-"));
        context.after(async () => {
          await service.close();
          rmSync(folder, { recursive: true, force: true });
        });
        const issuer = createTestIssuer();
        const edge = `127.0.0.1:${await freePort(0)}`;
        const machine = await makeMachine(context, {
          folder,
          service: service.address,
          edge,
          issuer,
          workers,
          answer,
        });
        await machine.start();
        context.after(() => {
          for (const pid of workerPids(machine.output)) killIfThere(pid);
        });
        const iat = Math.floor(Date.now() / 1000) - 60;
        const token = issuer.token({ sub: "eve", jti: "t-1", iat });
        const other = issuer.token({ sub: "bob", jti: "t-2", iat });
        const status = async (path: string, by = token): Promise<number> =>
          (await call(edge, path, { token: by })).status;

        assert.equal(await status("/open"), 200);
        for (let index = 0; index < 5; index++) assert.equal(await status("/shut"), 403);
        await until("the principal is locked out", async () => (await status("/open")) === 401);
        assert.match(await refusalOf(edge, token), /"reason":"credential-revoked"/);
        assert.equal(await status("/open", other), 200);

        await until("the answer is on record", () => answerOf(machine) !== undefined);
        const { principal, figures } = answerOf(machine) as unknown as Answered;
        assert.equal(principal, "corp/eve");
        assert.equal(figures.sign, "refusal-burst");
        const listed = await machine.does("revocations", "list");
        assert.ok(listed.includes(figures.revocation), listed);
        const metrics = await (await fetch(`http://${machine.admin}/metrics`)).text();
        const counted = `sallyport_signs_answered_total{sign="refusal-burst",outcome="${outcome}"} 1`;
        assert.ok(metrics.includes(counted), metrics);

        await machine.does("revocations", "lift", figures.revocation);
        await until("it is let in again", async () => (await status("/open")) === 200);
        // Not twice within the time of repeat.
        for (let index = 0; index < 5; index++) assert.equal(await status("/shut"), 403);
        assert.equal(await machine.stop(), "exit code 0");
        const answers = machine.records().filter(({ event }) => event === "sign-answered");
        assert.equal(answers.length, 1);
      },
    );
  }
}

interface Answered {
  readonly principal: string;
  readonly figures: { readonly revocation: string; readonly sign: string };
}

function answerOf(machine: Machine) {
  return machine.records().find(({ event }) => event === "sign-answered");
}

async function refusalOf(edge: string, token: string): Promise<string> {
  const headers = { authorization: `Bearer ${token}` };
  return await (await fetch(`http://${edge}/open`, { headers })).text();
}

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
    readonly workers: number;
    readonly answer: string;
  },
): Promise<Machine> {
  const admin = `127.0.0.1:${await freePort(0)}`;
  const machine = new Machine(context, { name: "alone", folder: given.folder, admin });
  machine.write("secrets/kek", randomBytes(32).toString("base64url"));
  machine.write("jwks.json", JSON.stringify(given.issuer.jwks));
  machine.write(
    "policies/all.cedar",
    '@id("all") permit (principal, action, resource) unless { context.path == "/shut" };',
  );
  machine.write(
    "sallyport.yaml",
    `version: 1
workers: ${given.workers}
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
  - { name: all, path: "/*", service: one, authenticate: [corp] }
policies: { enforce: [policies] }
audit: { path: audit }
signs:
  refusalBurst: { principal: 5, address: 50, window: 1h }
  answer: { refusalBurst: ${given.answer} }
`,
  );
  return machine;
}
