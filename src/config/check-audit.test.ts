import assert from "node:assert/strict";
import { test } from "node:test";
import { checkAuditPlaces, checkAuditWarnings } from "./check-audit.ts";
import type { Draft } from "./draft.ts";

function found(to: string, book?: string): string[] {
  const config = { audit: { path: "data/audit" }, accessLog: { to }, usage: { path: book } };
  return checkAuditPlaces({ config } as unknown as Draft).map(({ path }) => path.join("."));
}

test("checkAuditPlaces() lets nothing else write into the folder of the log", () => {
  const segment = "data/audit/audit-20261124T040506.123Z-17.jsonl";
  for (const to of [segment, "data/audit", "./data/../data/audit/tree/checkpoints.jsonl"]) {
    assert.deepEqual(found(to), ["accessLog.to"], to);
  }
  for (const book of ["data/audit", "data/audit/tree"]) {
    assert.deepEqual(found("stdout", book), ["usage.path"], book);
  }
});

test("checkAuditPlaces() takes what lies beside it", () => {
  for (const to of ["stdout", "data/access.log", "data/audit-access.log", "/var/log/access.log"]) {
    assert.deepEqual(found(to), [], to);
  }
  for (const book of ["data/audit/usage", "data/usage", "data/..audit"]) {
    assert.deepEqual(found("stdout", book), [], book);
  }
});

function warned(redact: readonly string[], ...listeners: readonly object[]): string[] {
  const named = listeners.map((listener, index) => ({ name: `l${index}`, ...listener }));
  const config = { audit: { path: "data/audit", redact }, listeners: named };
  return checkAuditWarnings({ config } as unknown as Draft).map(({ message }) => message);
}

test("checkAuditWarnings() tells of addresses that stay in clear beside a redacted one", () => {
  const direct = {};
  const behind = { trustedProxies: ["10.0.0.0/8"] };
  const proxied = { proxyProtocol: { from: ["10.0.0.0/8"] } };
  const both = ["clientAddress", "peerAddress"];
  for (const [redact, listeners, left] of [
    [["clientAddress"], [direct], /listener "l0" stay in clear, in peerAddress$/],
    [["clientAddress"], [behind, direct], /listener "l1" stay in clear, in peerAddress$/],
    [["peerAddress"], [direct, behind], /listener "l1" stay in clear, in clientAddress$/],
    [["peerAddress"], [proxied], /listener "l0" stay in clear, in clientAddress$/],
  ] as const) {
    const [message = "", ...more] = warned(redact, ...listeners);
    assert.match(message, left);
    assert.deepEqual(more, []);
  }
  assert.deepEqual(warned(["clientAddress"], behind, proxied), []);
  assert.deepEqual(warned(["peerAddress"], direct), []);
  assert.deepEqual(warned(both, direct, behind), []);
  assert.deepEqual(warned(["principal.subject"], direct, behind), []);
});
