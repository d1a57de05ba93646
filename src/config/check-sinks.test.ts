import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createRoot } from "../../test/certificates.ts";
import { auditSchema, type AuditInput } from "../audit/audit-options.ts";
import { checkSinks, checkSinksWarnings } from "./check-sinks.ts";
import type { Draft } from "./draft.ts";

type SinkInput = NonNullable<AuditInput["sinks"]>[number];
const HOOK = { name: "hook", type: "webhook", url: "https://hook.example/" } as const;

function draftOf(...sinks: readonly SinkInput[]): Draft {
  const config = { audit: auditSchema.parse({ path: "audit", sinks }) };
  return { config } as unknown as Draft;
}

test("checkSinks() finds a file of authorities that is none", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-sinks-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "ca.pem"), createRoot("root").pem);
  writeFileSync(join(folder, "empty.pem"), "");
  const check = (ca: string) =>
    checkSinks(draftOf({ name: "out", type: "stdout" }, { ...HOOK, ca }), folder);
  assert.deepEqual(check("ca.pem"), []);
  for (const file of ["empty.pem", "absent.pem"]) {
    const [problem] = check(file);
    assert.deepEqual(problem?.path, ["audit", "sinks", 1, "ca"]);
    assert.match(problem?.message ?? "", new RegExp(file));
  }
});

test("checkSinksWarnings() warns of records that cross the network in plain HTTP", () => {
  assert.deepEqual(checkSinksWarnings(draftOf(HOOK)), []);
  const [warning] = checkSinksWarnings(draftOf({ ...HOOK, insecureHttp: true }));
  assert.deepEqual(warning?.path, ["audit", "sinks", 0, "insecureHttp"]);
});
