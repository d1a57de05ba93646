/** Writes PROXY headers for tests, right and wrong ones. */
import { parseAddress } from "./address.ts";
import { crc32c } from "./crc32c.ts";

export interface HeaderParts {
  readonly version?: number;
  readonly command?: number;
  /** Default: TCP over what the address is. */
  readonly family?: number;
  readonly address?: string;
  readonly port?: number;
  /** Bytes behind the addresses. */
  readonly extensions?: readonly number[];
  /** Adds a checksum, and this to it. */
  readonly checksum?: number;
  /** What is written as the length instead of the real one. */
  readonly length?: number;
}

export function proxyHeader(parts: HeaderParts): Buffer {
  const { version = 2, command = 1, address, port = 0, extensions = [], checksum } = parts;
  const parsed = address === undefined ? undefined : parseAddress(address);
  const bytes = (parsed?.groups ?? []).flatMap((group) => [group >> 8, group & 0xff]);
  const addresses = bytes.length === 0 ? [] : [...bytes, ...bytes, port >> 8, port & 0xff, 1, 187];
  const rest = [
    ...addresses,
    ...extensions,
    ...(checksum === undefined ? [] : [3, 0, 4, 0, 0, 0, 0]),
  ];
  const length = parts.length ?? rest.length;
  const family = parts.family ?? (parsed?.family === 6 ? 0x21 : 0x11);
  const header = Buffer.from([
    ...Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1"),
    (version << 4) | command,
    family,
    length >> 8,
    length & 0xff,
    ...rest,
  ]);
  if (checksum !== undefined) {
    const blank = header.length - 4;
    header.writeUInt32BE((crc32c(header, blank) + checksum) >>> 0, blank);
  }
  return header;
}
