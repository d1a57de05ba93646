/**
 * Whether a request is a gRPC call (PROTOCOL-HTTP2 of grpc.io): a POST over HTTP/2 whose content-type
 * is `application/grpc`, with or without a `+codec` or parameters.
 *
 * gRPC-Web (`application/grpc-web`) is none: its status travels in the body, so that it is a plain POST
 * to everybody on the way. Over HTTP/1.1 there is no gRPC: whoever sends the type there gets the
 * answers of HTTP.
 */
import type { RequestHead } from "../../model/http.ts";
import { getField } from "../fields.ts";

const CALL_TYPE = /^application\/grpc(?:$|[+; \t])/i;

export function isGrpcCall(head: RequestHead): boolean {
  if (head.version !== "2" || head.method !== "POST") return false;
  return isGrpcType(getField(head.fields, "content-type"));
}

/** Whether a content-type is that of gRPC, in requests and in answers. */
export function isGrpcType(type: string | undefined): boolean {
  return type !== undefined && CALL_TYPE.test(type);
}
