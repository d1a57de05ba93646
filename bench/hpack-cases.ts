/**
 * Calls of HPACK for bench/wire.ts: a request of 12 fields with a token, as a caller repeats it, and
 * with a path and two ids that each request has of its own.
 */
import { randomBytes } from "node:crypto";
import type { Fields } from "../src/model/http.ts";
import { HpackDecoder, isHpackFault } from "../src/wire/http2/hpack-decoder.ts";
import { HpackEncoder } from "../src/wire/http2/hpack-encoder.ts";
import { encodeHuffman, huffmanLength } from "../src/wire/http2/huffman.ts";

/** So many that no table and no memo holds them. */
const REQUESTS = 256;
/** Requests after which everything that repeats is in the table. */
const WARM_UP = 4;
const LIMITS = { maxTableBytes: 4096, maxListBytes: 65_536, maxFields: 100 };

const token = `Bearer ${randomBytes(450).toString("base64url")}`;
const stable = Object.entries({
  ":method": "GET",
  ":scheme": "http",
  ":authority": "api.example.com",
  "user-agent": "checkout/1.4 (linux; x64)",
  accept: "application/json",
  "accept-encoding": "gzip, deflate, br",
  "content-type": "application/json",
  "x-plan": "gold",
}).flat();
const requests = Array.from({ length: REQUESTS }, (_, turn) => [
  ...stable,
  ":path",
  `/billing/records/${turn}`,
  "authorization",
  token,
  "traceparent",
  `00-${randomBytes(16).toString("hex")}-00f067aa0ba902b7-01`,
  "x-request-id",
  `5b1c0d3e-8f0a-4a52-9a55-${randomBytes(6).toString("hex")}`,
]);
const [request = []] = requests;
let turn = 0;

const encoder = new HpackEncoder();
const plain = requests.map((fields) => Buffer.from(encoder.encode(fields)));
const plainDecoder = decoderAfter(plain.slice(0, WARM_UP));

const codedEncoder = new HpackEncoder();
const coded = requests.map((fields) => codedBlock(codedEncoder, fields));
const codedDecoder = decoderAfter(coded.slice(0, WARM_UP));

export const HPACK_CASES: Readonly<Record<string, () => unknown>> = {
  [`HpackDecoder, 12 fields, ${plain.at(-1)?.length} bytes, the block before`]: () =>
    read(plainDecoder, plain.at(-1)),
  "… with a path and two ids of its own": () => read(plainDecoder, plain[next()]),
  [`… and with these and the token Huffman coded, ${coded.at(-1)?.length} bytes`]: () =>
    read(codedDecoder, coded[next()]),
  "HpackEncoder, 12 fields, the request before": () => encoder.encode(request),
  "… with a path and two ids of its own, again": () => encoder.encode(requests[next()] ?? []),
};

/** Requests after the first few, one after the other. */
function next(): number {
  turn = (turn + 1) % (REQUESTS - WARM_UP);
  return WARM_UP + turn;
}

function decoderAfter(blocks: readonly Buffer[]): HpackDecoder {
  const decoder = new HpackDecoder(LIMITS);
  for (const block of blocks) read(decoder, block);
  return decoder;
}

function read(decoder: HpackDecoder, block: Buffer = Buffer.alloc(0)): Fields {
  const result = decoder.decode(block);
  if (isHpackFault(result)) throw new TypeError(result.detail);
  return result;
}

/** What callers that use Huffman code send: all but the stable fields as coded literals. */
function codedBlock(from: HpackEncoder, fields: Fields): Buffer {
  const [path = "", credentials = "", trace = "", id = ""] = fields
    .slice(stable.length)
    .filter((_, index) => index % 2 === 1);
  // Names of the static table, since only their values are of interest: `referer` and `via`.
  return Buffer.concat([
    from.encode(stable),
    literal(4, path),
    literal(23, credentials),
    literal(51, trace),
    literal(60, id),
  ]);
}

/** Without indexing, the value Huffman coded. */
function literal(name: number, value: string): Buffer {
  const bytes = Buffer.alloc(huffmanLength(value));
  encodeHuffman(value, bytes, 0);
  return Buffer.concat([integer(0x00, 0x0f, name), integer(0x80, 0x7f, bytes.length), bytes]);
}

function integer(bits: number, prefix: number, value: number): Buffer {
  if (value < prefix) return Buffer.from([bits | value]);
  const rest = value - prefix;
  const octets = rest < 128 ? [rest] : [(rest & 0x7f) | 0x80, rest >> 7];
  return Buffer.from([bits | prefix, ...octets]);
}
