import assert from "node:assert/strict";
import { test } from "node:test";
import { checkAuditPlaces } from "./check-audit.ts";
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
