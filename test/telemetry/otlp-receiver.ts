/**
 * A collector for tests that takes nothing on trust: it reads OTLP's JSON form strictly (opentelemetry-proto,
 * "JSON Protobuf Encoding"), answers 400 to what breaks it, and keeps both.
 */
import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
} from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly traceState: string | undefined;
  readonly flags: number;
  readonly name: string;
  readonly kind: number;
  readonly start: bigint;
  readonly end: bigint;
  readonly attributes: Readonly<Record<string, string | number | boolean | readonly string[]>>;
  readonly failed: boolean;
  readonly resource: ReceivedSpan["attributes"];
}

export interface OtlpReceiver {
  /** Base URL, as it is configured. */
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  readonly headers: readonly IncomingHttpHeaders[];
  /** Everything that came, decoded, as text. */
  readonly texts: readonly string[];
  /** Why something was no valid export. */
  readonly faults: readonly string[];
  /** From now on: 200 for all that is valid, or this status. */
  answer(status: number): void;
  close(): Promise<void>;
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const texts: string[] = [];
  const faults: string[] = [];
  let status = 200;
  /** The status to answer with. */
  function take({ method, url, headers: fields }: IncomingMessage, body: Buffer): number {
    try {
      if (method !== "POST" || url !== "/v1/traces") throw new TypeError(`${method} ${url}`);
      if (fields["content-type"] !== "application/json") throw new TypeError("content-type");
      const zipped = fields["content-encoding"] === "gzip";
      const whole = (zipped ? gunzipSync(body) : body).toString("utf8");
      texts.push(whole);
      headers.push(fields);
      spans.push(...readExport(JSON.parse(whole)));
      return 200;
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error));
      return 400;
    }
  }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      response.writeHead(status === 200 ? take(request, Buffer.concat(chunks)) : status);
      response.end("{}");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    headers,
    texts,
    faults,
    answer: (next) => {
      status = next;
    },
    close: () => closed(server),
  };
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

type Json = Readonly<Record<string, unknown>>;

/** An object with these members and no others; those whose name ends in `?` may be absent. */
function members(value: unknown, ...names: string[]): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`not an object: ${JSON.stringify(value)}`);
  }
  const known = new Set(names.map((name) => name.replace("?", "")));
  for (const name of Object.keys(value)) {
    if (!known.has(name)) throw new TypeError(`unknown member ${name}`);
  }
  for (const name of names) {
    if (!name.endsWith("?") && !Object.hasOwn(value, name)) throw new TypeError(`no ${name}`);
  }
  return value as Json;
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError(`not a list: ${JSON.stringify(value)}`);
  return value;
}

function text(value: unknown, pattern: RegExp): string {
  if (typeof value !== "string" || !pattern.test(value)) {
    throw new TypeError(`${JSON.stringify(value)} is not ${pattern.source}`);
  }
  return value;
}

function readExport(value: unknown): ReceivedSpan[] {
  return list(members(value, "resourceSpans")["resourceSpans"]).flatMap((one) => {
    const { resource, scopeSpans } = members(one, "resource", "scopeSpans");
    const process = readAttributes(members(resource, "attributes")["attributes"]);
    text(process["service.name"], /^.+$/);
    return list(scopeSpans).flatMap((scoped) => {
      const { scope, spans } = members(scoped, "scope", "spans");
      members(scope, "name", "version");
      return list(spans).map((span) => readSpan(span, process));
    });
  });
}

function readSpan(value: unknown, resource: ReceivedSpan["attributes"]): ReceivedSpan {
  const span = members(value, ...SPAN_MEMBERS);
  const { parentSpanId, traceState, flags, kind, status } = span;
  if (typeof flags !== "number" || (flags & 1) !== 1) throw new TypeError("flags");
  if (typeof kind !== "number" || kind < 1 || kind > 5) throw new TypeError("kind");
  const code = status === undefined ? 0 : members(status, "code", "message?")["code"];
  if (code !== 0 && code !== 2) throw new TypeError("status");
  const start = BigInt(text(span["startTimeUnixNano"], NANOS));
  const end = BigInt(text(span["endTimeUnixNano"], NANOS));
  if (end < start) throw new TypeError("it ends before it begins");
  return {
    traceId: text(span["traceId"], /^(?!0{32})[0-9a-f]{32}$/),
    spanId: text(span["spanId"], SPAN_ID),
    parentSpanId: parentSpanId === undefined ? undefined : text(parentSpanId, SPAN_ID),
    traceState: traceState === undefined ? undefined : text(traceState, /^[ -~]+$/),
    flags,
    name: text(span["name"], /^.+$/),
    kind,
    start,
    end,
    attributes: readAttributes(span["attributes"]),
    failed: code === 2,
    resource,
  };
}

const SPAN_MEMBERS = [
  "traceId",
  "spanId",
  "parentSpanId?",
  "traceState?",
  "flags",
  "name",
  "kind",
  "startTimeUnixNano",
  "endTimeUnixNano",
  "attributes",
  "status?",
];
const SPAN_ID = /^(?!0{16})[0-9a-f]{16}$/;
/** Of this century: 19 digits. */
const NANOS = /^[12]\d{18}$/;

function readAttributes(value: unknown): ReceivedSpan["attributes"] {
  const read = list(value).map((one) => {
    const { key, value: given } = members(one, "key", "value");
    return [text(key, /^[a-z][a-z0-9_.]*$/), readValue(given)] as const;
  });
  const attributes = Object.fromEntries(read);
  if (Object.keys(attributes).length !== read.length) throw new TypeError("an attribute twice");
  return attributes;
}

function readValue(value: unknown): string | number | boolean | readonly string[] {
  const [entry, ...more] = Object.entries(members(value, ...VALUE_KINDS.map((kind) => `${kind}?`)));
  if (entry === undefined || more.length > 0) throw new TypeError("not one value");
  const [kind, given] = entry;
  if (kind === "intValue") return Number(text(given, /^-?\d{1,19}$/));
  if (kind === "arrayValue") {
    return list(members(given, "values")["values"]).map((one) => String(readValue(one)));
  }
  const type = kind === "stringValue" ? "string" : kind === "boolValue" ? "boolean" : "number";
  if (typeof given !== type) throw new TypeError(`${kind} is no ${type}`);
  return given as string | number | boolean;
}

const VALUE_KINDS = ["stringValue", "boolValue", "intValue", "doubleValue", "arrayValue"];
