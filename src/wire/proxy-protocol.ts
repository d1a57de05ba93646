/**
 * The header by which a balancer that only carries bytes says whose they are: PROXY protocol
 * version 2 (HAProxy's specification, section 2.2), binary.
 *
 * It refuses version 1 (text), commands other than LOCAL and PROXY, anything but TCP over IPv4 or
 * IPv6 where somebody is named, blocks that do not fit, a checksum that is wrong, and headers above
 * the limit. Of the extensions (TLVs) only the checksum counts; the others are passed over.
 */
import { formatAddress, unmapped } from "./address.ts";
import { crc32c } from "./crc32c.ts";

export interface ProxyHeader {
  /** Bytes of the header; what follows belongs to the connection. */
  readonly length: number;
  /** Who the connection is from; undefined: the balancer itself (LOCAL, its health checks). */
  readonly source: { readonly address: string; readonly port: number } | undefined;
}

/** What is not a header. */
export interface ProxyHeaderFault {
  /** For the operator; holds no byte of the connection. */
  readonly fault: string;
}

const LIMITS = {
  /** Bytes of a header: addresses take 52, and what balancers add stays under a kilobyte. */
  header: 4096,
} as const;

const SIGNATURE = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10);
/** `PROXY `, how a header of version 1 begins. */
const VERSION_1 = Uint8Array.of(80, 82, 79, 88, 89, 32);

/** Signature, version and command, family, length of the rest. */
const FIXED = 16;
const VERSION = 2;
const LOCAL = 0;
const PROXY = 1;
/** Address family and transport → bytes of an address. Source and destination address, then both ports. */
const ADDRESS_BYTES: Readonly<Record<number, number>> = { 0x11: 4, 0x21: 16 };
const CRC32C = 0x03;

/** The header at the beginning of `bytes`; undefined: more are needed to tell. */
export function parseProxyHeader(bytes: Uint8Array): ProxyHeader | ProxyHeaderFault | undefined {
  if (begins(bytes, VERSION_1)) {
    return { fault: "the PROXY protocol in version 1; set the balancer to version 2" };
  }
  if (!begins(bytes, SIGNATURE)) return { fault: "no PROXY protocol header" };
  if (bytes.length < FIXED) return undefined;
  const rest = ((bytes[14] ?? 0) << 8) | (bytes[15] ?? 0);
  const length = FIXED + rest;
  if (length > LIMITS.header) return { fault: "a PROXY header above the limit" };
  if (bytes.length < length) return undefined;
  return parseWhole(bytes.subarray(0, length));
}

export function isProxyHeaderFault(
  result: ProxyHeader | ProxyHeaderFault,
): result is ProxyHeaderFault {
  return "fault" in result;
}

/** Whether `bytes` is, as far as it goes, the beginning of `pattern` or begins with it. */
function begins(bytes: Uint8Array, pattern: Uint8Array): boolean {
  const length = Math.min(bytes.length, pattern.length);
  for (let index = 0; index < length; index++) {
    if (bytes[index] !== pattern[index]) return false;
  }
  return length > 0;
}

function parseWhole(header: Uint8Array): ProxyHeader | ProxyHeaderFault {
  const versionAndCommand = header[12] ?? 0;
  const command = versionAndCommand & 0xf;
  if (versionAndCommand >> 4 !== VERSION) return { fault: "a PROXY header of another version" };
  if (command !== LOCAL && command !== PROXY) return { fault: "a PROXY header's command" };
  const size = ADDRESS_BYTES[header[13] ?? 0];
  if (size === undefined) {
    // Section 2.2: what LOCAL says of addresses is to be passed over, its extensions with it.
    return command === LOCAL
      ? { length: header.length, source: undefined }
      : { fault: "a PROXY header for something else than TCP over IPv4 or IPv6" };
  }
  const extensions = FIXED + 2 * size + 4;
  if (extensions > header.length) return { fault: "a PROXY header too short for its addresses" };
  const fault = checkExtensions(header, extensions);
  if (fault !== undefined) return { fault };
  if (command === LOCAL) return { length: header.length, source: undefined };
  const ports = FIXED + 2 * size;
  const port = ((header[ports] ?? 0) << 8) | (header[ports + 1] ?? 0);
  const address = addressOf(header.subarray(FIXED, FIXED + size));
  return { length: header.length, source: { address, port } };
}

/** Undefined where each fits and the checksum, if there is one, is right. */
function checkExtensions(header: Uint8Array, from: number): string | undefined {
  let checked = false;
  for (let at = from; at < header.length;) {
    const value = at + 3;
    if (value > header.length) return "an extension of a PROXY header that is cut off";
    const length = ((header[at + 1] ?? 0) << 8) | (header[at + 2] ?? 0);
    const end = value + length;
    if (end > header.length) return "an extension of a PROXY header that is cut off";
    if (header[at] === CRC32C) {
      if (length !== 4 || checked) return "a PROXY header's checksum that is none";
      checked = true;
      const written = new DataView(header.buffer, header.byteOffset + value).getUint32(0);
      if (crc32c(header, value) !== written) return "a PROXY header with a wrong checksum";
    }
    at = end;
  }
  return undefined;
}

function addressOf(bytes: Uint8Array): string {
  const groups: number[] = [];
  for (let index = 0; index < bytes.length; index += 2) {
    groups.push(((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0));
  }
  const family = bytes.length === 4 ? 4 : 6;
  return formatAddress(unmapped({ family, groups }));
}
