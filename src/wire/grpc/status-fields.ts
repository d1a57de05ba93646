/**
 * `grpc-status` and `grpc-message` (PROTOCOL-HTTP2 of grpc.io), written and read. In the trailers of
 * an answer, or in its head where it has nothing else (trailers-only).
 */
import type { Fields } from "../../model/http.ts";
import { GRPC_STATUS, type GrpcStatusName } from "../../model/grpc-status.ts";
import { getAllFields } from "../fields.ts";

const STATUS = /^(?:[0-9]|1[0-6])$/;

/** What may stand as it is in `grpc-message`: visible ASCII and space, without `%`. */
const UNENCODED = /^[ -$&-~]*$/;

export function grpcStatusFields(status: GrpcStatusName, message: string): string[] {
  return ["grpc-status", String(GRPC_STATUS[status]), "grpc-message", encodeGrpcMessage(message)];
}

/** Percent-encoded, byte by byte of UTF-8. */
export function encodeGrpcMessage(message: string): string {
  if (UNENCODED.test(message)) return message;
  let encoded = "";
  for (const byte of Buffer.from(message, "utf8")) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += plain
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}

/** The one status that the fields name; undefined where they name none, or what is none. */
export function readGrpcStatus(fields: Fields): number | undefined {
  const [value, ...more] = getAllFields(fields, "grpc-status");
  return value !== undefined && more.length === 0 && STATUS.test(value) ? Number(value) : undefined;
}
