import assert from "node:assert/strict";
import { test } from "node:test";
import { workloadAddress, workloadApiSchema } from "./workload-api-options.ts";

const resolve = (path: string): string => (path.startsWith("/") ? path : `/etc/${path}`);

test("workloadAddress() gives what gRPC takes, and the same of what it gave", () => {
  const cases: readonly (readonly [written: string, address: string])[] = [
    ["unix:///run/agent.sock", "unix:/run/agent.sock"],
    ["unix:/run/agent.sock", "unix:/run/agent.sock"],
    ["unix:run/agent.sock", "unix:/etc/run/agent.sock"],
    ["tcp://127.0.0.1:8081", "tcp:127.0.0.1:8081"],
    ["tcp:127.0.0.2:8081", "tcp:127.0.0.2:8081"],
    ["tcp://[::1]:8081", "tcp:[::1]:8081"],
  ];
  for (const [written, address] of cases) {
    assert.equal(workloadApiSchema.parse({ address: written }).address, written);
    assert.equal(workloadAddress(written, resolve), address);
    assert.equal(workloadAddress(address, resolve), address);
    assert.ok(workloadApiSchema.safeParse({ address }).success, address);
  }
});

test("workloadApiSchema refuses addresses at which anybody could answer, or that are none", () => {
  const refused = [
    "",
    "/run/agent.sock",
    "unix:",
    "unix://host/run/agent.sock",
    "unix:////run/agent.sock",
    "unix:/run/agent.sock?x",
    "unix:/run/agent.sock#x",
    "unix:/run/a\0gent.sock",
    `unix:/${"x".repeat(107)}`,
    "tcp://localhost:8081",
    "tcp://10.0.0.1:8081",
    "tcp://0.0.0.0:8081",
    "tcp://[::]:8081",
    "tcp://[::ffff:127.0.0.1]:8081",
    "tcp://127.0.0.1",
    "tcp://127.0.0.1:0",
    "tcp://127.0.0.1:65536",
    "tcp://127.0.0.1:8081/path",
    "tcp://127.1:8081",
    "http://127.0.0.1:8081",
  ];
  for (const address of refused) {
    // An authority of two slashes stands for itself: `unix://host/…` names a host.
    assert.ok(!workloadApiSchema.safeParse({ address }).success, address);
  }
  for (const id of ["spiffe://example.org", "spiffe://example.org/", "example.org/x"]) {
    assert.ok(!workloadApiSchema.safeParse({ address: "unix:/x", id }).success, id);
  }
});
