/**
 * Messages of protobuf, read by hand where there are few of them. The one file that knows
 * `@bufbuild/protobuf`, which is loaded with the first message: most processes see none.
 *
 * Refuses (SyntaxError) what is no message, and fields that are of another type than bytes where bytes are
 * asked for. What it says names no place in the input, which may hold a key.
 */
import { createRequire } from "node:module";
import type { BinaryReader, BinaryWriter, WireType as Types } from "@bufbuild/protobuf/wire";

export type { BinaryWriter };

/** As the encoding has them: https://protobuf.dev/programming-guides/encoding/#structure. */
export const WireType = {
  // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- the encoding's own number
  Varint: 0 as Types.Varint,
  // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- likewise
  LengthDelimited: 2 as Types.LengthDelimited,
} as const;

/** By number of the field; all others are passed over, as protobuf demands. */
export type BytesFields = Readonly<Record<number, (value: Buffer) => void>>;

/** Fields of one message in their order. What is thrown for a field goes on as it is. */
export function readMessage(bytes: Uint8Array, fields: BytesFields): void {
  const reader = new (library().BinaryReader)(bytes);
  while (reader.pos < reader.len) {
    const next = readField(reader, fields);
    if (next !== undefined) next.take(next.value);
  }
}

export function createWriter(): BinaryWriter {
  return new (library().BinaryWriter)();
}

interface Library {
  readonly BinaryReader: typeof BinaryReader;
  readonly BinaryWriter: typeof BinaryWriter;
}

const load = createRequire(import.meta.url);

function library(): Library {
  return load("@bufbuild/protobuf/wire") as Library;
}

function readField(
  reader: BinaryReader,
  fields: BytesFields,
): { readonly take: (value: Buffer) => void; readonly value: Buffer } | undefined {
  let another = false;
  try {
    const [number, type] = reader.tag();
    const take = fields[number];
    if (take === undefined) {
      reader.skip(type, number);
      return undefined;
    }
    another = type !== WireType.LengthDelimited;
    if (!another) return { take, value: Buffer.from(reader.bytes()) };
  } catch {
    throw new SyntaxError("no protobuf message");
  }
  throw new SyntaxError("a field of another type");
}
