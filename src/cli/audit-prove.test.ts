import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { temporaryFolder } from "../../test/audit-kit.ts";
import { treeGround } from "../../test/tree-kit.ts";
import { generatedRecord, generateLog } from "../../test/tree-log.ts";
import { compressSegment } from "../audit/archive/compress.ts";
import { parseCheckpointLine } from "../audit/tree/checkpoint-lines.ts";
import { readKeyHistory } from "../audit/tree/key-history.ts";
import { ConfigError, SallyportError } from "../model/errors.ts";
import { auditProve, auditVerifyProof } from "./audit-prove.ts";
import { auditRotateKey } from "./audit-rotate-key.ts";

interface Ground {
  readonly folder: string;
  readonly out: string;
  readonly key: readonly string[];
  readonly said: string[];
  readonly notes: readonly string[];
  readonly prove: (id: string | undefined, more?: object) => Promise<number>;
  readonly verify: (path: string, more?: object) => number;
}

async function ground(context: TestContext): Promise<Ground> {
  const home = await temporaryFolder(context);
  const folder = join(home, "audit");
  await generateLog(folder, { records: 900, perSegment: 200, every: 70 });
  const said: string[] = [];
  const key = [join(folder, "tree/checkpoint.pub")];
  const out = join(home, "proof");
  const print = (line: string): void => void said.push(line);
  const notes = readFileSync(join(folder, "tree/checkpoints.jsonl"), "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => parseCheckpointLine(line).note);
  return {
    folder,
    out,
    key,
    said,
    notes,
    prove: (id, more = {}) => auditProve(id, { config: "", audit: folder, out, ...more }, print),
    verify: (path, more = {}) => auditVerifyProof(path, { key, ...more }, print),
  };
}

function idOf(index: number): string {
  return (JSON.parse(generatedRecord(index)) as { decisionId: string }).decisionId;
}

test("a proven record holds against the key alone, and no other record does", async (t) => {
  const { prove, verify, out, notes } = await ground(t);
  for (const index of [0, 2, 450, 898]) {
    assert.equal(await prove(idOf(index)), 0);
    assert.equal(readFileSync(`${out}.record`, "utf8"), generatedRecord(index));
    assert.equal(verify(`${out}.tlog-proof`, { record: `${out}.record` }), 0);
    writeFileSync(`${out}.record`, `${generatedRecord(index)}\n`);
    assert.equal(verify(`${out}.tlog-proof`, { record: `${out}.record` }), 0, "as exported");
    writeFileSync(`${out}.record`, `${generatedRecord(index)}\n\n`);
    assert.equal(verify(`${out}.tlog-proof`, { record: `${out}.record` }), 1, "only one is");
    writeFileSync(`${out}.record`, generatedRecord(index + 2));
    assert.equal(verify(`${out}.tlog-proof`, { record: `${out}.record` }), 1);
    assert.throws(() => verify(`${out}.tlog-proof`), ConfigError);
  }
  writeFileSync(`${out}.note`, notes[0] ?? "");
  assert.equal(await prove(idOf(0), { checkpoint: `${out}.note` }), 0, "under an earlier one");
  assert.equal(verify(`${out}.tlog-proof`, { record: `${out}.record` }), 0);
  assert.equal(await prove(idOf(898), { checkpoint: `${out}.note` }), 1, "it came later");
  assert.equal(await prove("01KAT9T5KV9999999999999999"), 1, "there is none");
});

test("a later checkpoint is proven to begin with an earlier one, and with no other", async (t) => {
  const { prove, verify, out, notes, said } = await ground(t);
  const sizes = notes.map((note) => Number(note.split("\n")[1]));
  assert.equal(await prove(undefined, { from: String(sizes[1]) }), 0);
  writeFileSync(`${out}.old`, notes[1] ?? "");
  const path = `${out}.consistency`;
  assert.equal(verify(path, { checkpoint: `${out}.old` }), 0);
  writeFileSync(`${out}.old`, notes[2] ?? "");
  assert.equal(verify(path, { checkpoint: `${out}.old` }), 1);
  assert.throws(() => verify(path), ConfigError);
  const to = String(sizes[2]);
  assert.equal(await prove(undefined, { from: String(sizes[1]), to }), 0);
  writeFileSync(`${out}.old`, notes[3] ?? "");
  assert.equal(verify(path, { checkpoint: `${out}.old` }), 1);
  assert.match(said.at(-1) ?? "", /is the later one: it is of \d+ records, and the log .* has \d+/);
  await assert.rejects(prove(undefined, { from: "1", to: "3" }), SallyportError);
  await assert.rejects(prove(undefined, {}), ConfigError);
  await assert.rejects(prove(idOf(0), { from: "1" }), ConfigError);
  await assert.rejects(prove(undefined, { from: "x" }), ConfigError);
});

test("a proof with another signature, other hashes or another form does not hold", async (t) => {
  const { prove, verify, out, key } = await ground(t);
  await prove(idOf(10));
  const path = `${out}.tlog-proof`;
  const record = `${out}.record`;
  const good = readFileSync(path, "utf8");
  const [, , first = ""] = good.split("\n");
  const other = Buffer.from(first, "base64").fill(1, 3, 4).toString("base64");
  for (const [what, text] of [
    ["hash", good.replace(first, other)],
    ["hash left out", good.replace(`${first}\n`, "")],
    ["index", good.replace(/index \d+/, "index 11")],
    ["size", good.replace("\n900\n", "\n901\n")],
  ] as const) {
    assert.notEqual(text, good, what);
    writeFileSync(path, text);
    assert.equal(verify(path, { record }), 1, what);
  }
  for (const [what, text] of [
    ["first line", good.replace("@v1", "@v2")],
    ["index", good.replace(/index \d+/, "index 010")],
    ["no hash", good.replace(first, "AAAA")],
    ["no checkpoint", good.slice(0, good.indexOf("\n\n"))],
    ["extra", good.replace("index", "extra AAAA\nindex")],
  ] as const) {
    writeFileSync(path, text);
    assert.throws(() => verify(path, { record }), SallyportError, what);
  }
  writeFileSync(path, good);
  assert.equal(verify(path, { record }), 0);
  assert.throws(() => verify(path, { record, key: [] }), ConfigError);
  const stranger = join(out, "../stranger");
  await generateLog(stranger, { records: 10, perSegment: 5, every: 5 });
  assert.equal(verify(path, { record, key: [join(stranger, "tree/checkpoint.pub")] }), 1);
  assert.equal(key.length, 1);
});

test("a record far behind the beginning of a compressed file is proven", async (t) => {
  const folder = join(await temporaryFolder(t), "audit");
  const [records, perSegment] = [40_000, 20_000];
  const { segments } = await generateLog(folder, { records, perSegment, every: 15_000 });
  const [segment = ""] = segments;
  const { bytes } = await compressSegment(folder, segment);
  assert.ok(bytes > 9 * 2 ** 20, "more than a compressed file may hold that is not sealed");
  const said: string[] = [];
  const out = join(folder, "proof");
  const print = (line: string): void => void said.push(line);
  // The first of the last batch of that writer; they take turns with a thousand records each.
  assert.equal(await auditProve(idOf(38_000), { config: "", audit: folder, out }, print), 0);
  const [key, record] = [[join(folder, "tree/checkpoint.pub")], `${out}.record`];
  assert.equal(auditVerifyProof(`${out}.tlog-proof`, { key, record }, print), 0, said.join());
});

test("what goes with another kind of proof, and what is no checkpoint, is refused", async (t) => {
  const { prove, verify, out, notes } = await ground(t);
  await assert.rejects(prove(idOf(0), { to: "70" }), /--to goes with --from/);
  await assert.rejects(prove(undefined, { from: "70", checkpoint: out }), /--checkpoint goes with/);
  writeFileSync(out, "no checkpoint\n");
  const refused = {
    code: "audit-failed",
    message: `${out}: a note has no empty line before its signatures`,
  };
  await assert.rejects(prove(idOf(0), { checkpoint: out }), refused);
  writeFileSync(out, (notes[2] ?? "").replace(/\n\d+\n/, "\n99999\n"));
  await assert.rejects(prove(idOf(0), { checkpoint: out }), { code: "audit-failed" });
  assert.equal(await prove(idOf(0)), 0);
  const [record, checkpoint] = [`${out}.record`, out];
  assert.throws(
    () => verify(`${out}.tlog-proof`, { record, checkpoint }),
    /--checkpoint goes with/,
  );
  assert.equal(await prove(undefined, { from: "70" }), 0);
  assert.throws(() => verify(`${out}.consistency`, { record, checkpoint }), /--record goes with/);
});

test("damaged hashes make no proof", async (t) => {
  const { prove, folder } = await ground(t);
  const path = join(folder, "tree/hashes-0");
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.fill(0, 32 * 880, 32 * 881));
  await assert.rejects(prove(idOf(10)), /audit verify/);
  await assert.rejects(prove(undefined, { from: "70" }), /audit verify/);
  rmSync(path);
  await assert.rejects(prove(idOf(10)), /hashes-0 is not there; .*sallyport audit rehash/);
});

test("prove and verify-proof say which folder, key or file they were not given", async (t) => {
  const { prove, verify, folder, out } = await ground(t);
  const config = join(folder, "gone.yaml");
  await assert.rejects(
    auditProve(idOf(10), { config }, () => undefined),
    /it cannot be read \(ENOENT\).*name another with -c, or --audit FOLDER/,
  );
  assert.equal(await prove(idOf(10)), 0);
  assert.throws(
    () => verify(`${out}.tlog-proof`, { key: [] }),
    /--key is missing: the log's public key, or a file with it/,
  );
  assert.throws(() => verify(`${out}.tlog-proof`), /--record is missing: the file with the record/);
  assert.equal(await prove(undefined, { from: "70" }), 0);
  assert.throws(
    () => verify(`${out}.consistency`),
    /--checkpoint is missing: the file with the earlier checkpoint/,
  );
});

test("a record that is not sealed yet is said to be so", async (t) => {
  const { prove, folder, said } = await ground(t);
  const record = generatedRecord(5000);
  const segment = "audit-20261124T050506.123Z-17.jsonl";
  writeFileSync(join(folder, segment), `${record}\n`, { mode: 0o600 });
  assert.equal(await prove(idOf(5000)), 1);
  assert.match(said.at(-1) ?? "", /not under that checkpoint/);
});

test("rotate-key puts a key beside the old one, once, and the next checkpoint takes it over", async (t) => {
  const tree = await treeGround(t);
  const said: string[] = [];
  const rotate = (): number => {
    return auditRotateKey({ config: "", audit: tree.folder }, (line) => void said.push(line));
  };
  assert.throws(rotate, /no key yet/);
  const sealer = await tree.open();
  assert.equal(rotate(), 0);
  assert.equal(rotate(), 1);
  sealer.take({
    segment: "audit-20261124T040506.123Z-17.jsonl",
    offset: 0,
    bytes: Buffer.from("{}\n"),
    count: 1,
    entries: () => [],
  });
  sealer.close();
  const { keys } = readKeyHistory(join(tree.folder, "tree"));
  assert.equal(keys[1]?.key.vkey, said[0]);
  rmSync(join(tree.folder, "tree/checkpoint.key"));
  assert.throws(rotate, /previousKey/);
});
