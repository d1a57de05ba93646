/**
 * Certificates that are exchanged under load, through `sallyport run`: every request on connections
 * old and new is answered, each new connection gets what is in force, and the log is complete.
 */
import { strict as assert } from "node:assert";
import { once } from "node:events";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { after } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { setTimeout as pause } from "node:timers/promises";
import { createRoot, type TestCertificate } from "../certificates.ts";
import { requestBytes, startStage, until } from "../e2e/stage.ts";
import { readResponses } from "../e2e/strict-http1.ts";
import { countsOf, countsOnce, COUNTS_ABSENT } from "./counts.ts";

const LIMITS = {
  rotations: 5,
  /** Callers that keep their connection, and as many that open one for each request. */
  lanes: 3,
} as const;

const root = createRoot("root");
const issue = (): TestCertificate => root.issue({ name: "server", dns: ["localhost"] });

/** Both files by a rename each, as certificate managers do. */
function put(folder: string, certificate: TestCertificate): void {
  for (const [name, text] of [
    ["server.pem", certificate.chainPem],
    ["server.key", certificate.keyPem],
  ] as const) {
    writeFileSync(join(folder, `${name}.new`), text, { mode: 0o600 });
    renameSync(join(folder, `${name}.new`), join(folder, name));
  }
}

const stage = await startStage({
  listener: "    tls: { certificate: server.pem, key: server.key }",
  prepare: (folder) => put(folder, issue()),
});
after(() => stage.close());

async function open(): Promise<TLSSocket> {
  const [host, port] = stage.proxy.split(":");
  const socket = connect({ host, port: Number(port), servername: "localhost", ca: root.pem });
  socket.setEncoding("latin1");
  await once(socket, "secureConnect");
  return socket;
}

/** The status of the answer. Throws when the connection closes before there is one. */
async function ask(socket: TLSSocket, target: string): Promise<number> {
  let text = "";
  socket.write(requestBytes(target));
  for (;;) {
    const [chunk] = (await once(socket, "data")) as [string];
    text += chunk;
    const [answer] = readResponses(text, ["GET"], false).messages;
    if (answer !== undefined) return answer.status;
  }
}

const serialOf = (socket: TLSSocket): string =>
  socket.getPeerCertificate().serialNumber.toLowerCase();

test(
  "certificates are exchanged under load and no request is lost",
  { skip: COUNTS_ABSENT },
  async () => {
    const before = await countsOf(stage);
    const statuses = new Map<number, number>();
    const failures: string[] = [];
    const load = { running: true };
    let asked = 0;
    const lane = async (keep: boolean): Promise<void> => {
      let socket: TLSSocket | undefined;
      while (load.running) {
        try {
          socket ??= await open();
          asked += 1;
          const status = await ask(socket, `/load/${asked}`);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        } catch (error) {
          failures.push(String(error));
        }
        // Callers that never pause would leave a busy machine nothing for what is tested.
        await pause(5);
        if (keep) continue;
        socket?.destroy();
        socket = undefined;
      }
      socket?.destroy();
    };
    const lanes = Array.from({ length: LIMITS.lanes * 2 }, (_, index) => lane(index % 2 === 0));
    for (let rotation = 0; rotation < LIMITS.rotations; rotation += 1) {
      const next = issue();
      put(stage.folder, next);
      process.kill(stage.pid, "SIGHUP");
      const wanted = BigInt(`0x${next.serial.toString("hex")}`);
      for (let seen = -1n; seen !== wanted;) {
        const socket = await open();
        seen = BigInt(`0x${serialOf(socket)}`);
        socket.destroy();
      }
    }
    load.running = false;
    await Promise.all(lanes);
    assert.deepEqual(failures, []);
    assert.deepEqual([...statuses.keys()], [200]);
    assert.ok(asked > LIMITS.rotations * LIMITS.lanes, `${asked} requests`);

    const counts = await countsOnce(
      stage,
      ({ connections, descriptors }) => connections === 0 && descriptors <= before.descriptors,
    );
    assert.equal(counts.connections, 0);
    assert.ok(counts.descriptors <= before.descriptors, JSON.stringify({ before, counts }));
    const of = (type: string): Set<unknown> =>
      new Set(
        stage
          .records()
          .filter((record) => record["type"] === type)
          .map((record) => record["decisionId"]),
      );
    await until(() => of("completion").size >= asked);
    assert.equal(of("decision").size, asked);
    assert.equal(of("completion").size, asked);
  },
);
