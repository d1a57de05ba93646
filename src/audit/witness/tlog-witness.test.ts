import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import {
  checkpointOf,
  consistencyOf,
  createNoteKey,
  startWitness,
  type WitnessServer,
} from "../../../test/witness-server.ts";
import { exchange } from "../../platform/bounded-exchange.ts";
import { parseNote, readVkey, verifyNote } from "../tree/note.ts";
import { createTlogWitness } from "./tlog-witness.ts";
import type { Witness } from "./witness.ts";

const log = createNoteKey("log.example/audit", 1);
const leaves = Array.from({ length: 21 }, (_, index) => `record ${index}`);
const timeoutMs = 30_000;

function witnessAt(
  { url, vkey }: Pick<WitnessServer, "url" | "vkey">,
  records: readonly string[] = leaves,
): Witness {
  return createTlogWitness(
    { type: "tlog-witness", name: "elsewhere", url, key: vkey, insecureHttp: false },
    { exchange, consistency: (from, to) => consistencyOf(records.slice(0, to), from) },
  );
}

async function started(t: TestContext, key: string | undefined = log.vkey): Promise<WitnessServer> {
  const server = await startWitness("witness.example", key);
  t.after(() => server.close());
  return server;
}

test("send() has each checkpoint cosigned, from the first on", async (t) => {
  const server = await started(t);
  const witness = witnessAt(server);
  const key = readVkey(server.vkey);
  let known = 0;
  for (const size of [1, 2, 3, 7, 8, 13, 16, 21]) {
    const checkpoint = checkpointOf(log, leaves.slice(0, size));
    const answer = await witness.send(checkpoint, { known, timeoutMs });
    assert.equal(answer.outcome, "witnessed");
    assert.ok(answer.outcome === "witnessed" && answer.cosignatures.length === 1);
    const note = parseNote(checkpoint.note + answer.cosignatures.join(""));
    assert.deepEqual(verifyNote(note, key), { timeMs: 1_764_000_000_000 });
    known = size;
  }
  assert.equal(server.size, 21);
  assert.ok(server.answers.every((status) => status === 200));
});

test("send() goes on from the size that the witness says it holds", async (t) => {
  const server = await started(t);
  const witness = witnessAt(server);
  await witness.send(checkpointOf(log, leaves.slice(0, 5)), { known: 0, timeoutMs });
  const next = await witness.send(checkpointOf(log, leaves.slice(0, 9)), { known: 0, timeoutMs });
  assert.equal(next.outcome, "witnessed");
  const again = await witness.send(checkpointOf(log, leaves.slice(0, 9)), { known: 3, timeoutMs });
  assert.equal(again.outcome, "witnessed");
  assert.deepEqual(server.answers, [200, 409, 200, 409, 200]);
});

test("send() calls a log forked when the witness holds another one", async (t) => {
  const server = await started(t);
  await witnessAt(server).send(checkpointOf(log, leaves.slice(0, 9)), { known: 0, timeoutMs });
  const other = leaves.map((text, index) => (index === 4 ? "altered" : text));
  const forked = witnessAt(server, other);
  for (const [size, told] of [
    [12, "does not lead on"],
    [9, "another checkpoint of 9"],
    [6, "holds a checkpoint of 9 records, this log has 6"],
  ] as const) {
    const answer = await forked.send(checkpointOf(log, other.slice(0, size)), {
      known: 0,
      timeoutMs,
    });
    assert.equal(answer.outcome, "forked");
    assert.match("detail" in answer ? answer.detail : "", new RegExp(told));
  }
  assert.equal(server.size, 9);
});

test("send() is refused by a witness that does not know the log or its key", async (t) => {
  const server = await started(t);
  for (const [key, told] of [
    [createNoteKey("log.example/other", 1), /404.*origin/],
    [createNoteKey(log.name, 1), /403.*key/],
  ] as const) {
    const checkpoint = checkpointOf(key, leaves);
    const answer = await witnessAt(server).send(checkpoint, { known: 0, timeoutMs });
    assert.equal(answer.outcome, "refused");
    assert.match("detail" in answer ? answer.detail : "", told);
  }
});

test("send() takes no cosignature but one by the configured key over what was sent", async () => {
  const key = createNoteKey("witness.example", 4);
  const checkpoint = checkpointOf(log, leaves);
  const body = checkpoint.note.slice(0, checkpoint.note.indexOf("\n\n") + 1);
  const other = checkpointOf(log, leaves.slice(1)).note.split("\n\n")[0] ?? "";
  const good = key.sign(body, 1_764_000_000);
  const bytes = Buffer.from(good.split(" ")[2] ?? "", "base64");
  bytes[11] = (bytes[11] ?? 0) ^ 1;
  const answers = [
    "",
    createNoteKey("witness.example", 4).sign(body, 1),
    createNoteKey("witness.example", 1).sign(body),
    key.sign(`${other}\n`, 1),
    good.replace("witness.example", "witness.other"),
    `\u2014 witness.example ${bytes.toString("base64")}\n`,
  ];
  for (const text of [...answers, good]) {
    const witness = createTlogWitness(
      {
        type: "tlog-witness",
        name: "w",
        url: "https://w.example",
        key: key.vkey,
        insecureHttp: false,
      },
      {
        exchange: () => Promise.resolve({ status: 200, headers: {}, body: Buffer.from(text) }),
        consistency: () => [],
      },
    );
    const { outcome } = await witness.send(checkpoint, { known: 0, timeoutMs });
    assert.equal(outcome, text === good ? "witnessed" : "refused", text);
  }
});

test("send() says to try later of a witness that fails, hangs or is away", async (t) => {
  const server = await started(t);
  const checkpoint = checkpointOf(log, leaves);
  for (const status of [500, 503, 429]) {
    server.broken = status;
    const answer = await witnessAt(server).send(checkpoint, { known: 0, timeoutMs });
    assert.equal(answer.outcome, "unreachable");
  }
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/secret-path`;
  const hung = await witnessAt({ url, vkey: server.vkey }).send(checkpoint, {
    known: 0,
    timeoutMs: 50,
  });
  assert.equal(hung.outcome, "unreachable");
  silent.closeAllConnections();
  await new Promise((resolve) => silent.close(resolve));
  const away = await witnessAt({ url, vkey: server.vkey }).send(checkpoint, {
    known: 0,
    timeoutMs,
  });
  assert.equal(away.outcome, "unreachable");
  assert.doesNotMatch(JSON.stringify([hung, away]), /secret-path/);
});

test("send() refuses a 409 that names no size, and ends when sizes change each time", async () => {
  const key = createNoteKey("witness.example", 4);
  const answering = (type: string, text: (round: number) => string): Witness => {
    let round = 0;
    return createTlogWitness(
      {
        type: "tlog-witness",
        name: "w",
        url: "https://w.example",
        key: key.vkey,
        insecureHttp: false,
      },
      {
        exchange: () =>
          Promise.resolve({
            status: 409,
            headers: { "content-type": type },
            body: Buffer.from(text((round += 1))),
          }),
        consistency: () => [],
      },
    );
  };
  const checkpoint = checkpointOf(log, leaves);
  const given = { known: 0, timeoutMs };
  const cases = [
    ["text/plain", "5\n", "refused"],
    ["text/x.tlog.size", "5", "refused"],
    ["text/x.tlog.size", "05\n", "refused"],
    ["text/x.tlog.size", "-5\n", "refused"],
    ["text/x.tlog.size", "99999999999999999\n", "refused"],
  ] as const;
  for (const [type, text, outcome] of cases) {
    assert.equal((await answering(type, () => text).send(checkpoint, given)).outcome, outcome);
  }
  const restless = answering("text/x.tlog.size", (round) => `${round}\n`);
  assert.equal((await restless.send(checkpoint, given)).outcome, "unreachable");
});
