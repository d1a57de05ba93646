import assert from "node:assert/strict";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { temporaryFolder } from "../../test/audit-kit.ts";
import { compressSegment } from "./archive/compress.ts";
import { memberBytes, openPacked } from "./packed-segment.ts";

const NAME = "audit-20261124T040506.123Z-17.jsonl";

/** The bytes, compressed as the archive does it. */
async function compressed(context: TestContext, plain: Buffer): Promise<string> {
  const folder = await temporaryFolder(context);
  await writeFile(join(folder, NAME), plain);
  await compressSegment(folder, NAME);
  return join(folder, `${NAME}.gz`);
}

function recordLines(count: number): Buffer {
  const lines = Array.from(
    { length: count },
    (_, index) => `{"n":${index},"x":"${"ä".repeat(index % 700)}"}\n`,
  );
  return Buffer.from(lines.join(""));
}

async function readFrom(path: string, position: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const pieces: Buffer[] = [];
    for await (const piece of (await openPacked(file.fd)).read(position))
      pieces.push(Buffer.from(piece));
    return Buffer.concat(pieces);
  } finally {
    await file.close();
  }
}

/** Where reading begins for the byte; and how long the segment is. */
async function startOf(path: string, position: number) {
  const file = await open(path);
  try {
    const packed = await openPacked(file.fd);
    return { start: packed.startOf(position), size: packed.size };
  } finally {
    await file.close();
  }
}

/** Where the `index`th member begins in the file, by the table. */
async function memberAt(path: string, index: number): Promise<number> {
  const bytes = await readFile(path);
  const count = bytes.readUInt32LE(bytes.length - 14);
  const table = bytes.length - 14 - count * 8;
  let at = 0;
  for (let one = 0; one < index; one++) at += bytes.readUInt32LE(table + one * 8);
  return at;
}

test("openPacked() reads on from any byte, and begins at the lines before it", async (context) => {
  const plain = recordLines(6000);
  const path = await compressed(context, plain);
  assert.ok(gunzipSync(await readFile(path)).equals(plain), "as any gzip reads it");
  for (const position of [0, 1, 1_000_000, 1 << 20, 2_500_001, plain.length - 1]) {
    assert.ok((await readFrom(path, position)).equals(plain.subarray(position)), String(position));
    const { start, size } = await startOf(path, position);
    assert.equal(size, plain.length);
    assert.ok(start <= position && position - start < 1 << 20, `${start} for ${position}`);
    assert.ok(start === 0 || plain[start - 1] === 0x0a, "members begin with a line");
  }
  assert.deepEqual(await startOf(path, plain.length + 9), {
    start: plain.length,
    size: plain.length,
  });
  assert.equal((await readFrom(path, plain.length + 9)).length, 0);
});

test("openPacked() reads segments of no byte, of one torn line, of a line longer than a member", async (context) => {
  for (const plain of [
    Buffer.alloc(0),
    Buffer.from("torn"),
    Buffer.concat([Buffer.alloc(3 << 20, "x"), Buffer.from("\nnext\n")]),
  ]) {
    const path = await compressed(context, plain);
    assert.ok((await readFrom(path, 0)).equals(plain));
    assert.ok(gunzipSync(await readFile(path)).equals(plain));
  }
});

test("openPacked() reads files of one member from their beginning, and of several that others made", async (context) => {
  const plain = recordLines(3000);
  const path = join(await temporaryFolder(context), `${NAME}.gz`);
  const [one, other] = [plain.subarray(0, 700_000), plain.subarray(700_000)];
  for (const bytes of [gzipSync(plain), Buffer.concat([gzipSync(one), gzipSync(other)])]) {
    await writeFile(path, bytes);
    assert.ok((await readFrom(path, 1_000_000)).equals(plain.subarray(1_000_000)));
    assert.deepEqual(await startOf(path, 1_000_000), { start: 0, size: undefined });
  }
  await writeFile(path, gzipSync(plain).subarray(0, -20));
  await assert.rejects(readFrom(path, 0), /unexpected end/);
});

test("openPacked() gives what is whole, and refuses the rest of a file that was cut or changed", async (context) => {
  const plain = recordLines(6000);
  const path = await compressed(context, plain);
  const whole = await readFile(path);
  const third = await memberAt(path, 2);
  const changed = (at: number): Buffer => {
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] ?? 0) ^ 0x55;
    return bytes;
  };
  const cases: Readonly<Record<string, Buffer>> = {
    "cut between two members": whole.subarray(0, third),
    "cut within a member": whole.subarray(0, third + 100),
    "cut within the table": whole.subarray(0, -20),
    "without its last byte": whole.subarray(0, -1),
    "with more behind it": Buffer.concat([whole, gzipSync("{}\n")]),
    "with a member taken out": Buffer.concat([
      whole.subarray(0, await memberAt(path, 1)),
      whole.subarray(third),
    ]),
    "with another count": changed(whole.length - 14),
    "with more members than a table can hold": Buffer.concat([
      whole.subarray(0, 100_000),
      Buffer.alloc(8191 * 8),
      Buffer.from([0xff, 0x1f, 0, 0, ...whole.subarray(-10)]),
    ]),
    "with another length in the table": changed(whole.length - 14 - 4),
    "with a changed header": changed(third),
    "with a changed record": changed(third + 100),
    "with a changed checksum": changed(third - 6),
  };
  for (const [what, bytes] of Object.entries(cases)) {
    await writeFile(path, bytes);
    await assert.rejects(readFrom(path, 0), /^DamagedSegment|^Error: (incorrect|unexpected)/, what);
  }
  await writeFile(path, changed(third + 100));
  await assert.rejects(readFrom(path, 0), { message: `damaged at byte ${third}` });
  await assert.rejects(readFrom(path, (2 << 20) + 99), /damaged/);
  // What is before the damage can be had.
  const file = await open(path);
  const pieces = (await openPacked(file.fd)).read(0);
  const first = await pieces.next();
  assert.ok(plain.subarray(0, first.value?.length).equals(first.value as Buffer));
  await pieces.return(undefined);
  await file.close();
});

test("openPacked() believes no table that says more than its members hold", async (context) => {
  const plain = recordLines(3000);
  const path = await compressed(context, plain);
  const bytes = await readFile(path);
  const count = bytes.readUInt32LE(bytes.length - 14);
  const first = bytes.length - 14 - count * 8 + 4;
  for (const wrong of [bytes.readUInt32LE(first) + 1, bytes.readUInt32LE(first) - 1, 0, 1 << 30]) {
    bytes.writeUInt32LE(wrong, first);
    await writeFile(path, bytes);
    await assert.rejects(readFrom(path, 0), /damaged|cut or changed/, String(wrong));
  }
});

test("memberBytes() leaves room in the table for the largest segment that there can be", () => {
  const largest = 64 * 2 ** 30;
  assert.equal(memberBytes(256 << 20), 1 << 20);
  assert.ok((largest / memberBytes(largest)) * 2 * 8 < 0xffff);
  assert.ok(memberBytes(largest) < 64 << 20, "and within what is inflated at once");
});
