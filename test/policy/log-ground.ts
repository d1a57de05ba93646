/** Folders with a configuration, policies and an audit log, and the command line in them. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { Lines } from "../../src/audit/lines.ts";
import { createQueryMask } from "../../src/audit/query-mask.ts";
import { Serializer } from "../../src/audit/serialize.ts";
import { createValueHash } from "../../src/audit/value-hash.ts";
import type { DecisionRecord } from "../../src/model/records.ts";
import { completion } from "../audit-kit.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

const CONFIG = `version: 1
listeners: [{ name: edge, address: "127.0.0.1:0" }]
authenticators:
  corp:
    type: jwt
    issuer: https://login.example.com
    audience: [https://api.example.com]
    principal: { kind: workload, roles: { claim: roles, allow: [AdminService] } }
services:
  billing: { endpoints: ["http://127.0.0.1:9001"] }
routes:
  - { name: billing, path: /billing/*, service: billing, authenticate: [corp] }
  - { name: orders, path: /orders/*, service: billing, authenticate: [corp] }
policies: { enforce: [policies] }
audit: { path: data/audit }
`;
const POLICY = `@id("billing-admins")
permit (principal in Sallyport::Role::"AdminService", action, resource);
`;

/** A folder with a configuration and a log of these decisions, in two files. */
export function ground(context: TestContext, records: readonly DecisionRecord[]): string {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-replay-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "policies"));
  mkdirSync(join(folder, "log"));
  writeFileSync(join(folder, "sallyport.yaml"), CONFIG);
  writeFileSync(join(folder, "policies", "all.cedar"), POLICY);
  const half = Math.ceil(records.length / 2);
  write(join(folder, "log", "audit-20261124T040506.123Z-1.jsonl"), records.slice(0, half));
  write(join(folder, "log", "audit-20261125T040506.123Z-1.jsonl"), records.slice(half));
  return folder;
}

function write(file: string, records: readonly DecisionRecord[]): void {
  const serializer = new Serializer({
    maskQuery: createQueryMask({ values: "masked", keep: [] }),
    hash: createValueHash(new Uint8Array(32)),
  });
  const lines = new Lines(1024);
  for (const record of records) {
    serializer.decision(lines, record, record.principal === undefined);
    lines.end();
    serializer.completion(lines, completion({ decisionId: record.decisionId }));
    lines.end();
  }
  writeFileSync(file, lines.copy());
}

/** Runs the command line in a folder, on the runtime that runs this test. */
export function runIn(folder: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, "src/cli/main.ts"), ...args],
    { encoding: "utf8", cwd: folder },
  );
  return { status, stdout, stderr };
}
