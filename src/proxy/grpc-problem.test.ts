import assert from "node:assert/strict";
import { test } from "node:test";
import type { Admission } from "../limits/route-limits.ts";
import { GRPC_STATUS } from "../model/grpc-status.ts";
import { type Reason, REASONS, reasonInfo } from "../model/reason.ts";
import { getAllFields, getField } from "../wire/fields.ts";
import { responseFields, trailerFields } from "../wire/http2/write-fields.ts";
import { grpcProblem, grpcProblemTrailers } from "./grpc-problem.ts";

const ALL = Object.keys(REASONS) as Reason[];
const decisionId = "01KAT9T5KVH7Q2M4X8Z0R3B6CD";

/** What clients make of the HTTP status where no gRPC status came ("HTTP to gRPC status code mapping"), and where ours says more. */
const BY_STATUS: Readonly<Record<number, readonly string[]>> = {
  400: ["INTERNAL", "INVALID_ARGUMENT"],
  401: ["UNAUTHENTICATED"],
  403: ["PERMISSION_DENIED"],
  404: ["UNIMPLEMENTED"],
  405: ["UNIMPLEMENTED"],
  429: ["RESOURCE_EXHAUSTED"],
  502: ["UNAVAILABLE"],
  503: ["UNAVAILABLE"],
  504: ["DEADLINE_EXCEEDED"],
};

test("each reason has the gRPC status that its HTTP status stands for", () => {
  for (const reason of ALL) {
    const { status, grpc } = reasonInfo(reason);
    const fitting = BY_STATUS[status];
    if (fitting !== undefined) assert.ok(fitting.includes(grpc), `${reason}: ${grpc}`);
    assert.equal(grpc === "OK", status < 400, reason);
  }
});

test("grpcProblem() is a trailers-only answer that names reason and decision", () => {
  for (const reason of ALL) {
    const { status, fields, body, grpcStatus } = grpcProblem(reason, { decisionId });
    assert.equal(status, 200);
    assert.equal(body, "");
    assert.equal(grpcStatus, GRPC_STATUS[reasonInfo(reason).grpc]);
    assert.deepEqual(getAllFields(fields, "content-type"), ["application/grpc"]);
    assert.deepEqual(getAllFields(fields, "grpc-status"), [String(grpcStatus)]);
    assert.deepEqual(getAllFields(fields, "sallyport-decision"), [decisionId]);
    // Throws for what may not go out over HTTP/2.
    responseFields(status, fields);
    trailerFields(grpcProblemTrailers(reason, decisionId));
    const message = getField(fields, "grpc-message") ?? "";
    assert.match(message, /^[ -~]+$/);
    assert.ok(message.includes(reason) && message.includes(decisionId), message);
  }
});

test("grpcProblem() says when to come back only where that helps, and passes limits on", () => {
  const admission = {
    reason: "rate-limited",
    retryAfterSeconds: 7,
    fields: ["ratelimit", '"a";r=0;t=7'],
  } as unknown as Admission;
  const limited = grpcProblem("rate-limited", { decisionId, admission }).fields;
  assert.equal(getField(limited, "grpc-retry-pushback-ms"), "7000");
  assert.equal(getField(limited, "ratelimit"), '"a";r=0;t=7');
  const far = { ...admission, retryAfterSeconds: 1e9 } as Admission;
  const days = grpcProblem("rate-limited", { decisionId, admission: far }).fields;
  assert.equal(getField(days, "grpc-retry-pushback-ms"), "2147483647");
  const busy = grpcProblem("overloaded", { decisionId }).fields;
  assert.equal(getField(busy, "grpc-retry-pushback-ms"), "1000");
  for (const reason of ["no-permit", "upstream-unreachable", "deadline-exceeded"] as const) {
    const { fields } = grpcProblem(reason, { decisionId });
    assert.equal(getField(fields, "grpc-retry-pushback-ms"), undefined, reason);
  }
});

test("grpcProblem() challenges who is not known", () => {
  const challenge = 'Bearer realm="billing", error="invalid_token"';
  const { fields } = grpcProblem("token-expired", { decisionId, challenge });
  assert.equal(getField(fields, "www-authenticate"), challenge);
  assert.equal(
    getField(grpcProblem("no-permit", { decisionId }).fields, "www-authenticate"),
    undefined,
  );
});

test("grpcProblemTrailers() are the status and its message alone", () => {
  assert.deepEqual(grpcProblemTrailers("token-expired", decisionId), [
    "grpc-status",
    "16",
    "grpc-message",
    `The token has expired (token-expired, decision ${decisionId})`,
  ]);
});
