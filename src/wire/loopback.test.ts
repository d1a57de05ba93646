import assert from "node:assert/strict";
import { test } from "node:test";
import { isLoopbackHost } from "./loopback.ts";

test("isLoopbackHost() takes addresses of this machine and localhost, and nothing else", () => {
  for (const host of ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LOCALHOST"]) {
    assert.ok(isLoopbackHost(host), host);
  }
  for (const host of [
    "10.0.0.1",
    "0.0.0.0",
    "::",
    "[::]",
    "localhost.example.com",
    "127.0.0.1.example.com",
    "",
  ]) {
    assert.ok(!isLoopbackHost(host), host);
  }
});
