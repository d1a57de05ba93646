/**
 * The messages of `grpc.health.v1.Health/Check`, by hand: one text goes out, one enum comes in (health.proto
 * of grpc.io), each in the frame of gRPC (PROTOCOL-HTTP2: a flag byte, four bytes of length).
 *
 * An answer is one whole message, uncompressed, and says SERVING in one reading only, or it does not
 * pass. Fields that a later version may add are skipped, as protobuf asks.
 */

/** The method that is called. */
export const HEALTH_CHECK_PATH = "/grpc.health.v1.Health/Check";

const LIMITS = {
  /** A status takes two bytes; more than this is not one. */
  answerBytes: 1024,
  /** A varint of 64 bits takes ten bytes. */
  varintBytes: 10,
} as const;

const PREFIX_BYTES = 5;
/** Field 1, length-delimited (`HealthCheckRequest.service`). */
const SERVICE_TAG = 0x0a;
/** Field 1, varint (`HealthCheckResponse.status`). */
const STATUS_TAG = 0x08;

/** A field number has 29 bits. */
const MAX_TAG = 2 ** 32 - 1;

/** `ServingStatus` of health.proto. */
const STATUSES = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"] as const;

/** `HealthCheckRequest` for a service by its name; empty: the server as a whole. */
export function healthCheckMessage(service: string): Buffer {
  const name = Buffer.from(service, "utf8");
  const body =
    name.length === 0 ? name : Buffer.from([SERVICE_TAG, ...varint(name.length), ...name]);
  const message = Buffer.alloc(PREFIX_BYTES + body.length);
  message.writeUInt32BE(body.length, 1);
  body.copy(message, PREFIX_BYTES);
  return message;
}

/** What is wrong with the body of an answer, or undefined where it says SERVING. */
export function healthCheckFault(answer: Buffer): string | undefined {
  if (answer.length < PREFIX_BYTES) return "no whole message";
  if (answer[0] !== 0) return "a compressed message";
  if (answer.length - PREFIX_BYTES !== answer.readUInt32BE(1)) return "not exactly one message";
  const status = readStatus(answer.subarray(PREFIX_BYTES));
  if (status === undefined) return "not a HealthCheckResponse";
  return status === 1 ? undefined : (STATUSES[status] ?? "an unknown status");
}

/** Whether an answer of so many bytes is too long to be one. */
export function isTooLongForHealth(bytes: number): boolean {
  return bytes > LIMITS.answerBytes;
}

/** The value of field 1, 0 where it is left out; undefined where the bytes are no message. */
function readStatus(body: Buffer): number | undefined {
  let status = 0;
  let at = 0;
  while (at < body.length) {
    const tag = readVarint(body, at);
    if (tag === undefined || tag.value < STATUS_TAG || tag.value > MAX_TAG) return undefined;
    at = tag.end;
    const field = readField(body, at, tag.value & 7);
    if (field === undefined) return undefined;
    // Protobuf: of a field that is there twice, the last one counts.
    if (tag.value === STATUS_TAG) status = field.value;
    else if (Math.floor(tag.value / 8) === 1) return undefined;
    at = field.end;
  }
  return status;
}

interface Read {
  readonly value: number;
  /** Where the next thing begins. */
  readonly end: number;
}

/** Skips over a field of the wire type; the value matters for varints only. */
function readField(body: Buffer, at: number, wireType: number): Read | undefined {
  if (wireType === 0) return readVarint(body, at);
  const fixed = wireType === 1 ? 8 : wireType === 5 ? 4 : undefined;
  if (fixed !== undefined) return within(body, at + fixed);
  if (wireType !== 2) return undefined;
  const length = readVarint(body, at);
  return length === undefined ? undefined : within(body, length.end + length.value);
}

function within(body: Buffer, end: number): Read | undefined {
  return end <= body.length ? { value: 0, end } : undefined;
}

/** Exact up to 2^53; what is larger is too large for anything that is read here. */
function readVarint(body: Buffer, at: number): Read | undefined {
  let value = 0;
  for (let index = 0; index < LIMITS.varintBytes; index++) {
    const byte = body[at + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, end: at + index + 1 };
  }
  return undefined;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}
