/**
 * How a compressed segment lies in its file: gzip members (RFC 1952 section 2.2), each of some whole lines,
 * and behind them an empty one whose extra field says how long the others are. Any gzip reads it to the
 * end; who wants one record inflates the one member that has it.
 *
 * A file that was cut is refused, also where it was cut between two members: the last one is missing then.
 * So is one that holds far more than records can be packed into: a few bytes of it could keep a reader busy for hours.
 * One of a single member, as earlier releases wrote them, is read from its beginning.
 */
import { fstat, read } from "node:fs";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { createGunzip, gunzip, gzip, constants as zlib } from "node:zlib";

const LIMITS = {
  /** Bytes of records in a member: some 4 ms to inflate, and long enough to shrink as well as a whole file. */
  member: 1 << 20,
  /** Members of a file, as the length of an extra field has two bytes. Those of larger files are larger. */
  members: 8000,
  /** Members that a table has room for. */
  count: 8190,
  /** Bytes that a member may hold; a file that says more is damaged. */
  inflated: 64 << 20,
  /** Bytes that are taken at once from a file without members of ours, and given. */
  chunk: 1 << 18,
  /** Bytes that any file may hold … */
  held: 16 << 20,
  /** … and, for each byte of a larger one. Records of one kind, nothing in them but their time another, come to 28. */
  ratio: 64,
  /** Bytes of a line, on an average of many. The shortest record has more than 80. */
  line: 16,
  /** Lines that are many: fewer may be of any length. */
  lines: 4096,
} as const;

const LINE_FEED = 0x0a;

const readFile = promisify(read);
const statFile = promisify(fstat);
const packed = promisify(gzip);
const unpacked = promisify<Buffer, { readonly maxOutputLength: number }, Buffer>(gunzip);

/** Of a member as gzip makes it, without a field of its own. */
const PLAIN_HEADER = 10;
/** ID1, ID2, deflate, FEXTRA, no time, the fastest level, no system (RFC 1952 section 2.3). */
const FIXED = Buffer.from("1f8b08040000000004ff", "hex");
/** What our extra fields are known by (section 2.3.1.1). */
const SUBFIELD = Buffer.from("SP");
/** Nothing, deflated, with its checksum and length. */
const NOTHING = Buffer.from("03000000000000000000", "hex");
/** Bytes of the table for a member: compressed, and as they were. */
const ENTRY = 8;
const COUNT = 4;

/** Bytes of one member in the file, and of the records in it. */
export interface MemberSizes {
  readonly packed: number;
  readonly plain: number;
}

/** How many bytes of records a member gets, of a segment of that size. */
export function memberBytes(size: number): number {
  // Two that follow each other have more than one of them could, for the next line did not fit.
  return Math.max(LIMITS.member, Math.ceil(size / LIMITS.members) * 2);
}

/** A member of these bytes. */
export async function packMember(bytes: Buffer): Promise<Buffer> {
  // The fastest level: 62 MB of records shrink to 0.119 of it (Bun: 0.159), with the usual one to 0.107 (0.110) in
  // 2.3 (3) times the processor time. In members of a MiB they get no larger than as one.
  const plain = await packed(bytes, { level: zlib.Z_BEST_SPEED });
  if (plain[3] !== 0) throw new TypeError("gzip made a header with fields");
  return Buffer.concat([header(Buffer.alloc(0)), plain.subarray(PLAIN_HEADER)]);
}

/** The empty member that stands behind all others. */
export function packEnd(members: readonly MemberSizes[]): Buffer {
  const table = Buffer.alloc(members.length * ENTRY + COUNT);
  for (const [index, sizes] of members.entries()) {
    table.writeUInt32LE(sizes.packed, index * ENTRY);
    table.writeUInt32LE(sizes.plain, index * ENTRY + 4);
  }
  table.writeUInt32LE(members.length, members.length * ENTRY);
  return Buffer.concat([header(table), NOTHING]);
}

function header(field: Buffer): Buffer {
  const lengths = Buffer.alloc(2 * 2);
  lengths.writeUInt16LE(field.length + 4, 0);
  lengths.writeUInt16LE(field.length, 2);
  return Buffer.concat([FIXED, lengths.subarray(0, 2), SUBFIELD, lengths.subarray(2), field]);
}

/** What is in a file is not what was written. */
export class DamagedSegment extends Error {
  override readonly name = "DamagedSegment";
  /** As the system's errors have one, and with the place: it stands in the messages of all readers. */
  readonly code: string;

  constructor(what: string, cause?: unknown) {
    super(what, { cause });
    this.code = what;
  }
}

export interface PackedSegment {
  /** Bytes of the segment; undefined where only reading all of it would tell. */
  readonly size: number | undefined;
  /** Of all bytes that reading can begin at, the last one up to `position`: what is before it is not inflated. */
  startOf(position: number): number;
  /** What follows that byte. Rejects with what zlib or the file system says, or DamagedSegment. */
  read(position: number): AsyncGenerator<Buffer>;
}

/** Of an open file, which stays open while it is read. */
export async function openPacked(file: number): Promise<PackedSegment> {
  const members = await membersOf(file);
  const { size: packedSize } = await statFile(file);
  const most = Math.max(LIMITS.held, packedSize * LIMITS.ratio);
  if (members === undefined || members === "cut") {
    const chunks = members === "cut" ? cut : streamed;
    const from = (position: number) => plausible(chunks(file, { position, most }));
    return { size: undefined, startOf: () => 0, read: from };
  }
  const { start, plain } = members.at(-1) ?? { start: 0, plain: 0 };
  const size = start + plain;
  return {
    size,
    startOf: (position) => members.find((one) => position < one.start + one.plain)?.start ?? size,
    read: (position) => (size > most ? tooMuch() : plausible(inflated(file, members, position))),
  };
}

// oxlint-disable-next-line require-yield -- there is nothing to give
async function* tooMuch(): AsyncGenerator<Buffer> {
  await Promise.resolve();
  throw new DamagedSegment("holds more than records can be packed into: none of ours");
}

/** What has more lines than records could. */
async function* plausible(chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    if (hasManyLines(chunk)) {
      throw new DamagedSegment("holds lines that are shorter than records: none of ours");
    }
    yield chunk;
  }
}

function hasManyLines(chunk: Buffer): boolean {
  let left = LIMITS.lines + Math.floor(chunk.length / LIMITS.line);
  for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, at + 1)) {
    left -= 1;
    if (left < 0) return true;
  }
  return false;
}

interface Member extends MemberSizes {
  /** Byte of the file, and of the segment. */
  readonly at: number;
  readonly start: number;
}

/** Undefined: none of ours. */
async function membersOf(file: number): Promise<readonly Member[] | "cut" | undefined> {
  const first = await bytesAt(file, 0, FIXED.length + 4);
  const isOurs =
    first.subarray(0, 4).equals(FIXED.subarray(0, 4)) &&
    first.subarray(FIXED.length + 2).equals(SUBFIELD);
  if (!isOurs) return undefined;
  const { size } = await statFile(file);
  const tail = COUNT + NOTHING.length;
  if (size < packEnd([]).length) return "cut";
  const count = (await bytesAt(file, size - tail, COUNT)).readUInt32LE();
  const length = packEnd([]).length + count * ENTRY;
  if (count > LIMITS.count || length > size) return "cut";
  const end = await bytesAt(file, size - length, length);
  const members: Member[] = [];
  let [at, start] = [0, 0];
  for (let index = 0; index < count; index++) {
    const entry = length - tail - (count - index) * ENTRY;
    const sizes = { packed: end.readUInt32LE(entry), plain: end.readUInt32LE(entry + 4) };
    members.push({ ...sizes, at, start });
    at += sizes.packed;
    start += sizes.plain;
  }
  const fits =
    at === size - length && members.every(({ plain }) => plain > 0 && plain <= LIMITS.inflated);
  return fits && packEnd(members).equals(end) ? members : "cut";
}

async function* inflated(
  file: number,
  members: readonly Member[],
  from: number,
): AsyncGenerator<Buffer> {
  for (const member of members) {
    const { start, plain } = member;
    if (start + plain <= from) continue;
    const bytes = await inflateMember(file, member);
    yield from > start ? bytes.subarray(from - start) : bytes;
  }
}

async function inflateMember(file: number, { at, packed: length, plain }: Member): Promise<Buffer> {
  const bytes = await bytesAt(file, at, length);
  const damage = `damaged at byte ${at}`;
  try {
    const lines = await unpacked(bytes, { maxOutputLength: plain });
    if (lines.length === plain) return lines;
  } catch (error) {
    throw new DamagedSegment(damage, error);
  }
  throw new DamagedSegment(damage);
}

interface Stretch {
  /** Bytes of the segment that are passed over. */
  readonly position: number;
  /** Bytes that it may have. */
  readonly most: number;
}

/** As much as there is of it. */
async function* cut(file: number, stretch: Stretch): AsyncGenerator<Buffer> {
  yield* streamed(file, stretch);
  throw new DamagedSegment("cut or changed, without the table of its members");
}

async function* streamed(file: number, { position: from, most }: Stretch): AsyncGenerator<Buffer> {
  let reading: Promise<unknown> = Promise.resolve();
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let position = 0; ;) {
      const chunk = bytesAt(file, position, LIMITS.chunk);
      reading = chunk;
      const bytes = await chunk;
      if (bytes.length === 0) return;
      position += bytes.length;
      yield bytes;
    }
  }
  const source = Readable.from(chunks());
  const plain = createGunzip({ chunkSize: LIMITS.chunk });
  source.on("error", (error) => plain.destroy(error));
  let [skip, left] = [from, most];
  try {
    for await (const chunk of source.pipe(plain) as AsyncIterable<Buffer>) {
      left -= chunk.length;
      if (left < 0) yield* tooMuch();
      if (skip < chunk.length) yield chunk.subarray(skip);
      skip = Math.max(0, skip - chunk.length);
    }
  } finally {
    source.destroy();
    // Whoever closes the file next must not do so under a read.
    await reading.catch(() => undefined);
  }
}

/** Fewer where the file ends. */
async function bytesAt(file: number, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await readFile(file, bytes, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}
