import assert from "node:assert/strict";
import { test } from "node:test";
import { findLockFaults } from "./check-lockfile.ts";

const hash = { version: "1.0.0", integrity: "sha512-x" };

test("findLockFaults() accepts nested packages, and foreign builds without a hash", () => {
  const packages = {
    "": { dependencies: { a: "1.0.0" }, optionalDependencies: { "b-darwin": "1.0.0" } },
    "node_modules/a": { ...hash, dependencies: { "@s/c": "^1.0.0", d: "^1.0.0" } },
    "node_modules/a/node_modules/@s/c": { ...hash, dependencies: { d: "^1.0.0" } },
    "node_modules/d": hash,
    "node_modules/b-darwin": { version: "1.0.0", optional: true, os: ["darwin"], cpu: ["x64"] },
  };
  assert.deepEqual(findLockFaults({ packages }), []);
});

test("findLockFaults() names ranges, packages that are missing, and builds of ours without a hash", () => {
  const packages = {
    "": { devDependencies: { a: "^1.0.0" } },
    "node_modules/a": { version: "1.0.0", optionalDependencies: { "b-win32": "1.0.0" } },
    "node_modules/c": { version: "1.0.0", os: ["linux"], cpu: ["x64"], libc: ["glibc"] },
  };
  assert.deepEqual(findLockFaults({ packages }), [
    'a is "^1.0.0", which is not one version',
    "node_modules/a needs b-win32",
    "node_modules/a has no integrity hash",
    "node_modules/c has no integrity hash",
  ]);
});
