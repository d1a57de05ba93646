import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { encodeGrpcMessage, grpcStatusFields, readGrpcStatus } from "./status-fields.ts";

test("grpcStatusFields() writes number and message", () => {
  assert.deepEqual(grpcStatusFields("PERMISSION_DENIED", "100% no"), [
    "grpc-status",
    "7",
    "grpc-message",
    "100%25 no",
  ]);
});

test("encodeGrpcMessage() leaves only visible ASCII and space, and decodes to what it was", () => {
  assert.equal(encodeGrpcMessage("a~ z!\n\u007f%ä"), "a~ z!%0A%7F%25%C3%A4");
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (message) => {
      const encoded = encodeGrpcMessage(message);
      assert.match(encoded, /^[ -~]*$/);
      assert.equal(decodeURIComponent(encoded), message);
    }),
  );
});

test("readGrpcStatus() reads one status from 0 to 16 and guesses nothing", () => {
  assert.equal(readGrpcStatus(["x", "1", "grpc-status", "0"]), 0);
  assert.equal(readGrpcStatus(["grpc-status", "16"]), 16);
  for (const value of ["", "17", "-1", "00", "07", "1x", "100"]) {
    assert.equal(readGrpcStatus(["grpc-status", value]), undefined, value);
  }
  assert.equal(readGrpcStatus(["grpc-status", "0", "grpc-status", "7"]), undefined);
  assert.equal(readGrpcStatus([]), undefined);
});
