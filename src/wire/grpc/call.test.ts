import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestHead } from "../../model/http.ts";
import { isGrpcCall } from "./call.ts";

function head(type: string | undefined, changes: Partial<RequestHead> = {}): RequestHead {
  return {
    method: "POST",
    target: "/shop.Orders/Get",
    version: "2",
    minorVersion: 1,
    fields: type === undefined ? [] : ["content-type", type],
    host: "api.example.com",
    authorization: undefined,
    authorizationCount: 0,
    bodyKind: "chunked",
    contentLength: 0,
    keepAlive: true,
    expectContinue: false,
    connectionOptions: undefined,
    upgrade: undefined,
    ...changes,
  };
}

test("isGrpcCall() takes application/grpc with any codec and parameters", () => {
  for (const type of [
    "application/grpc",
    "application/grpc+proto",
    "application/grpc+json",
    "application/grpc;charset=utf-8",
    "Application/GRPC",
  ]) {
    assert.equal(isGrpcCall(head(type)), true, type);
  }
});

test("isGrpcCall() takes neither gRPC-Web nor anything else", () => {
  for (const type of [
    undefined,
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/grpcx",
    "application/json",
    "text/application/grpc",
  ]) {
    assert.equal(isGrpcCall(head(type)), false, String(type));
  }
});

test("isGrpcCall() knows no call over HTTP/1.1, and none but a POST", () => {
  assert.equal(isGrpcCall(head("application/grpc", { version: "1.1" })), false);
  assert.equal(isGrpcCall(head("application/grpc", { method: "GET" })), false);
});
