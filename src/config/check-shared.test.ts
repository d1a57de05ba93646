import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createRoot } from "../../test/certificates.ts";
import { dpopSchema } from "../identity/dpop/dpop-options.ts";
import { sharedSchema } from "../memory/shared-options.ts";
import { checkShared, checkSharedWarnings } from "./check-shared.ts";
import type { Draft } from "./draft.ts";

const FEED = { feed: ["https://authority.example:9443"], identity: "identity" };
const SHARED = sharedSchema.parse({ redis: "unix:/run/redis.sock" });

/** A whole configuration, of which only these parts are looked at. */
function draftOf(parts: object): Draft {
  return { config: { dpop: dpopSchema.parse(undefined), ...parts } } as unknown as Draft;
}

test("checkSharedWarnings() warns of proxies that know nothing of each other's used proofs", () => {
  const off = dpopSchema.parse({ nonce: "off" });
  const [warning, ...others] = checkSharedWarnings(draftOf({ dpop: off, authority: FEED }));
  assert.deepEqual(warning?.path, ["dpop", "nonce"]);
  assert.deepEqual(others, []);
  for (const parts of [
    { dpop: off },
    { dpop: off, authority: FEED, shared: SHARED },
    { authority: FEED },
    { dpop: dpopSchema.parse({ nonce: "required" }), authority: FEED },
  ]) {
    assert.deepEqual(checkSharedWarnings(draftOf(parts)), []);
  }
});

test("checkShared() finds a file of authorities that is none", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-shared-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const check = (ca: string) => checkShared(draftOf({ shared: { ...SHARED, ca } }), folder);
  writeFileSync(join(folder, "ca.pem"), createRoot("root").pem);
  writeFileSync(join(folder, "empty.pem"), "");
  assert.deepEqual(check("ca.pem"), []);
  for (const file of ["empty.pem", "absent.pem"]) {
    const [problem] = check(file);
    assert.deepEqual(problem?.path, ["shared", "ca"]);
    assert.match(problem?.message ?? "", new RegExp(file));
  }
});
