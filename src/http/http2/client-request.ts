/**
 * A request as HTTP/2 carries it to a service: the same request as over HTTP/1.1, with what the two
 * say differently said this way. A WebSocket is an extended CONNECT (RFC 8441) without the fields by
 * which HTTP/1.1 proves that it was understood.
 */
import type { Fields } from "../../model/http.ts";
import { getAllFields, getField } from "../../wire/fields.ts";
import { requestFields } from "../../wire/http2/write-fields.ts";
import { keepNeverIndexed } from "../../wire/never-indexed.ts";
import type { ServiceRequest, ServiceRequestBody } from "../service-connection.ts";

/** Where a request goes. */
export interface Destination {
  readonly scheme: "http" | "https";
  /** `host:port`: the authority of a request that names no host (HTTP/1.0). */
  readonly name: string;
}

/** The header list of a request. */
export function requestList(
  request: ServiceRequest,
  body: ServiceRequestBody,
  destination: Destination,
): Fields {
  return keepNeverIndexed(request.received, writeList(request, body, destination));
}

function writeList(
  request: ServiceRequest,
  body: ServiceRequestBody,
  { scheme, name }: Destination,
): Fields {
  const { method, target, websocket, received } = request;
  const host = getField(request.fields, "host") ?? "";
  // HTTP/1.0 may name no host, which HTTP/1.1 says by an empty Host and HTTP/2 has no word for.
  const authority = host === "" ? name : host;
  const fields = host === "" ? without("host", request.fields) : request.fields;
  if (websocket) {
    const line = { method: "CONNECT", scheme, authority, target, protocol: "websocket" as const };
    // RFC 8441 section 5: the key and its answer are not used.
    return requestFields(line, without("sec-websocket-key", fields));
  }
  // RFC 9113 section 8.2.2. Services that speak gRPC take it as the sign that the way to them carries
  // trailers, and refuse requests without it.
  const sent = takesTrailers(received) ? [...fields, "te", "trailers"] : fields;
  const length = body.bodyKind === "length" ? body.contentLength : undefined;
  return requestFields({ method, scheme, authority, target }, sent, length);
}

function takesTrailers(received: Fields): boolean {
  const said = getAllFields(received, "te");
  return said.length === 1 && said[0]?.toLowerCase() === "trailers";
}

function without(left: string, fields: Fields): string[] {
  const kept: string[] = [];
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] ?? "";
    if (name !== left) kept.push(name, fields[index + 1] ?? "");
  }
  return kept;
}
