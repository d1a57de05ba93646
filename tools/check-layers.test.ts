import assert from "node:assert/strict";
import { test } from "node:test";
import { findLayerFaults, readImports } from "./check-layers.ts";

function faults(sources: Record<string, string>): string[] {
  return findLayerFaults({
    sources: new Map(Object.entries(sources)),
    dependencies: new Set(["yaml", "zod", "@scope/thing"]),
    devDependencies: new Set(["fast-check"]),
  });
}

const empty = "export const x = 1;\n";

test("findLayerFaults() accepts imports that go downwards or stay in the folder", () => {
  const found = faults({
    "src/index.ts": 'export { x } from "./gate/a.ts";\n',
    "src/gate/a.ts": 'import { x } from "../model/b.ts";\nimport { y } from "./c.ts";\n',
    "src/gate/c.ts": empty,
    "src/model/b.ts": 'import { z } from "zod";\nimport { readFile } from "node:fs/promises";\n',
    "src/wire/a.ts": 'import { z } from "zod";\n',
  });
  assert.deepEqual(found, []);
});

test("findLayerFaults() names an upward import, also of a type, a worker, or dynamically", () => {
  const upward = "imports src/gate/b.ts: upward (layer 2 to 3)";
  for (const [text, line] of [
    ['import { x } from "../gate/b.ts";\n', 1],
    ['import type { x } from "../gate/b.ts";\n', 1],
    ['\nexport * from "../gate/b.ts";\n', 2],
    ['import "../gate/b.ts";\n', 1],
    ['import {\n  x,\n  y,\n} from "../gate/b.ts";\n', 4],
    ['type T = import("../gate/b.ts").T;\n', 1],
    ['const b = await import("../gate/b.ts");\n', 1],
    ['new Worker(new URL("../gate/b.ts", import.meta.url));\n', 1],
  ] as const) {
    const found = faults({ "src/policy/a.ts": text, "src/gate/b.ts": empty });
    assert.deepEqual(found, [`src/policy/a.ts:${line}  ${upward}`], text);
  }
});

test("findLayerFaults() names a sideways import and an import of the public surface", () => {
  const found = faults({
    "src/policy/a.ts": 'import { x } from "../identity/b.ts";\n',
    "src/identity/b.ts": empty,
    "src/cli/c.ts": 'import { x } from "../index.ts";\n',
    "src/index.ts": empty,
  });
  assert.deepEqual(found, [
    "src/cli/c.ts:1  imports src/index.ts: upward (layer 8 to Infinity)",
    "src/policy/a.ts:1  imports src/identity/b.ts: sideways (layer 2 to 2)",
  ]);
});

test("findLayerFaults() lets a test beside the source use test/, and nothing above it", () => {
  const found = faults({
    "src/wire/a.test.ts": 'import { x } from "../../test/fake.ts";\nimport fc from "fast-check";\n',
    "src/wire/b.test.ts": 'import { x } from "../gate/c.ts";\n',
    "src/wire/d.ts": 'import { x } from "../../test/fake.ts";\n',
    "src/gate/c.ts": empty,
    "test/fake.ts": 'import { x } from "../src/gate/c.ts";\n',
  });
  assert.deepEqual(found, [
    "src/wire/b.test.ts:1  imports src/gate/c.ts: upward (layer 1 to 3)",
    "src/wire/d.ts:1  src/ imports test/fake.ts, which lies outside",
  ]);
});

test("findLayerFaults() names a circle of files, through types too", () => {
  const found = faults({
    "src/wire/a.ts": 'import { b } from "./b.ts";\n',
    "src/wire/b.ts": 'import type { c } from "./c.ts";\n',
    "src/wire/c.ts": 'import type { a } from "./a.ts";\n',
  });
  assert.deepEqual(found, [
    "src/wire/a.ts:1  a circle: src/wire/a.ts → src/wire/b.ts → src/wire/c.ts → src/wire/a.ts",
  ]);
});

test("findLayerFaults() names packages that are unknown, only for development, or owned elsewhere", () => {
  const found = faults({
    "src/config/a.ts": 'import { parse } from "yaml";\nimport x from "@scope/thing/deep";\n',
    "src/config/b.ts": 'import { parse } from "yaml/util";\n',
    "src/config/c.ts": 'import fc from "fast-check";\nimport x from "left-pad";\n',
    "src/config/d.test.ts": 'import { parse } from "yaml";\n',
    "tools/e.ts": 'import x from "left-pad";\nimport y from "sallyport";\n',
    "src/config/f.ts": 'import y from "sallyport";\n',
  });
  assert.deepEqual(found, [
    "src/config/b.ts:1  the package yaml belongs to src/config/a.ts",
    "src/config/c.ts:1  the package fast-check is not among the dependencies in package.json",
    "src/config/c.ts:2  the package left-pad is not among the dependencies in package.json",
    "src/config/f.ts:1  the package sallyport is not among the dependencies in package.json",
    "tools/e.ts:1  the package left-pad is not in package.json",
  ]);
});

test("findLayerFaults() names builtins without node:, missing files, computed names, new folders", () => {
  const found = faults({
    "src/wire/a.ts": 'import fs from "fs";\nimport x from "./gone.ts";\nawait import(name);\n',
    "src/wire/b.ts": 'import { Database } from "node:nothing";\nimport { x } from "left-pad";\n',
    "src/utils/c.ts": empty,
  });
  assert.deepEqual(found, [
    "src/utils/c.ts:1  the folder src/utils has no layer; add it to tools/check-layers",
    'src/wire/a.ts:1  "fs" must be written "node:fs"',
    "src/wire/a.ts:2  src/wire/gone.ts does not exist",
    "src/wire/a.ts:3  a dynamic import of a computed name",
    "src/wire/b.ts:1  node:nothing is not a builtin of Node",
    "src/wire/b.ts:2  the package left-pad is not among the dependencies in package.json",
  ]);
});

test("readImports() passes over comments and strings", () => {
  const text = [
    "/**",
    ' * import { a } from "./a.ts";',
    " */",
    '// import { b } from "./b.ts";',
    '  /* import("./c.ts") */',
    `const text = 'say import("./d.ts")';`,
    'export const list = ["./e.ts"];',
    'import { f } from "./f.ts";',
  ].join("\n");
  assert.deepEqual(readImports(text), [{ specifier: "./f.ts", line: 8 }]);
});
