import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fields, ResponseHead } from "../../model/http.ts";
import { ManualClock } from "../../platform/clock.ts";
import { Deadlines } from "../deadlines.ts";
import type {
  ResponseReceiver,
  ServiceConnection,
  ServiceRequest,
  ServiceRequestBody,
} from "../service-connection.ts";
import { GrpcProbe } from "./grpc-probe.ts";

const SERVING = Buffer.from([0, 0, 0, 0, 2, 0x08, 0x01]);
const NOT_SERVING = Buffer.from([0, 0, 0, 0, 2, 0x08, 0x02]);
const GRPC: Fields = ["content-type", "application/grpc"];
const OK: Fields = ["grpc-status", "0"];

/** A way to a service that the test plays. */
class Way {
  receiver: ResponseReceiver | undefined;
  request: ServiceRequest | undefined;
  body: ServiceRequestBody | undefined;
  readonly written: Buffer[] = [];
  ended = false;
  destroyed = false;
  expiresAt = 0;

  assign(receiver: ResponseReceiver): void {
    this.receiver = receiver;
  }
  begin(request: ServiceRequest, body: ServiceRequestBody): void {
    this.request = request;
    this.body = body;
  }
  write(bytes: Buffer): boolean {
    this.written.push(bytes);
    return true;
  }
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    this.destroyed = true;
  }
}

/** A check that has asked; what it reported is in `verdicts`. */
function asked(service = "shop.Orders"): { readonly way: Way; readonly verdicts: string[] } {
  const way = new Way();
  const verdicts: string[] = [];
  const probe = new GrpcProbe(
    { service, host: "orders.internal" },
    {
      deadlines: new Deadlines(new ManualClock(0)),
      timeoutMs: 2000,
      connect: () => way as unknown as ServiceConnection,
      done: (fault) => verdicts.push(fault ?? "passed"),
    },
  );
  probe.connected();
  return { way, verdicts };
}

function head(status: number, fields: Fields): ResponseHead {
  return { status, fields, bodyKind: "chunked", contentLength: 0 } as unknown as ResponseHead;
}

/** What comes of an answer. */
function verdict(answer: {
  readonly status?: number;
  readonly head?: Fields;
  readonly chunks?: readonly Buffer[];
  readonly trailers?: Fields | undefined;
}): string {
  const { way, verdicts } = asked();
  way.receiver?.responseHead(head(answer.status ?? 200, answer.head ?? GRPC));
  for (const chunk of answer.chunks ?? [SERVING]) way.receiver?.responseChunk(chunk);
  way.receiver?.responseEnd("trailers" in answer ? answer.trailers : OK);
  assert.equal(verdicts.length, 1);
  assert.equal(way.destroyed, true);
  return verdicts[0] ?? "";
}

test("GrpcProbe calls Health/Check about the service, as gRPC asks for it", () => {
  const { way } = asked();
  assert.equal(way.request?.method, "POST");
  assert.equal(way.request.target, "/grpc.health.v1.Health/Check");
  assert.deepEqual(way.request.fields, [
    "host",
    "orders.internal",
    "content-type",
    "application/grpc",
    "user-agent",
    "sallyport-health",
  ]);
  assert.deepEqual(way.request.received, ["te", "trailers"]);
  const sent = Buffer.concat(way.written);
  assert.deepEqual(way.body, { bodyKind: "length", contentLength: sent.length });
  assert.equal(sent.subarray(7).toString(), "shop.Orders");
  assert.equal(way.ended, true);
  assert.equal(way.expiresAt, 2000);
});

test("GrpcProbe passes SERVING, also in pieces", () => {
  assert.equal(verdict({}), "passed");
  const pieces = [...SERVING].map((byte) => Buffer.from([byte]));
  assert.equal(verdict({ chunks: pieces }), "passed");
});

test("GrpcProbe passes nothing else", () => {
  const cases: readonly (readonly [string, Parameters<typeof verdict>[0]])[] = [
    ["NOT_SERVING", { chunks: [NOT_SERVING] }],
    ["status 503", { status: 503 }],
    ["not a gRPC answer", { head: ["content-type", "text/html"] }],
    ["not a gRPC answer", { head: [] }],
    ["grpc-status 12", { head: [...GRPC, "grpc-status", "12"], chunks: [], trailers: undefined }],
    ["grpc-status 5", { trailers: ["grpc-status", "5"] }],
    ["no grpc-status", { trailers: [] }],
    ["no grpc-status", { trailers: undefined }],
    ["no whole message", { chunks: [] }],
    ["not exactly one message", { chunks: [SERVING, SERVING] }],
    ["an answer that is too long", { chunks: [Buffer.alloc(2000)] }],
  ];
  for (const [fault, answer] of cases) assert.equal(verdict(answer), fault);
});

test("GrpcProbe reports a failure and a timeout once", () => {
  const failed = asked();
  failed.way.receiver?.failed({
    reason: "upstream-unreachable",
    detail: "ECONNREFUSED",
    connecting: true,
    stale: false,
    unprocessed: false,
  });
  failed.way.receiver?.responseEnd(OK);
  assert.deepEqual(failed.verdicts, ["ECONNREFUSED"]);
  const late = asked();
  late.way.receiver?.expired();
  late.way.receiver?.responseEnd(OK);
  assert.deepEqual(late.verdicts, ["no answer in time"]);
});
