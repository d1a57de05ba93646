/**
 * What a start loads before its configuration asks for it. Each package here takes 1 to 8 % of the CPU of a
 * start that has no use for it, and one import statement brings it back for all.
 */
import { test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Entry of a process or a thread → packages that it loads only where there is something for them to do. */
const LATER: Readonly<Record<string, readonly string[]>> = {
  "src/cli/main.ts": ["zod"],
  "src/app/start.ts": [
    "@hono/zod-openapi",
    "ajv/dist/2020.js",
    "ajv-formats",
    "@bufbuild/protobuf/wire",
    "openid-client",
  ],
  "src/app/keeping/keeping-worker.ts": ["zod", "yaml", "node:http"],
  "src/policy/official/load-worker.ts": ["zod", "yaml", "node:http"],
};

/** Only what has no name is left out: `import { type A }` is loaded by Node, though nothing of it is used. */
const STATEMENT = /^(?:import|export) (?!type\b)(?:[^;"]*?\bfrom )?"([^"\n]+)"/gm;

/** The file, and what it loads as it is loaded: from each specifier to the file that has it. */
function loadedBy(entry: string): ReadonlyMap<string, string> {
  const loaded = new Map([[entry, ""]]);
  for (const file of loaded.keys()) {
    if (!file.startsWith("src/")) continue;
    for (const [, specifier = ""] of readFileSync(`${root}/${file}`, "utf8").matchAll(STATEMENT)) {
      const relative = specifier.startsWith(".");
      const target = relative ? posix.join(posix.dirname(file), specifier) : specifier;
      if (!loaded.has(target)) loaded.set(target, file);
    }
  }
  return loaded;
}

for (const [entry, packages] of Object.entries(LATER)) {
  void test(`${entry} loads ${packages.join(", ")} only when asked to`, () => {
    const loaded = loadedBy(entry);
    const brought = packages.flatMap((name) => {
      const by = loaded.get(name);
      return by === undefined ? [] : [`${by} imports ${name}: import it where it is used`];
    });
    assert.deepEqual(brought, []);
  });
}

void test("a start is read with all that it loads", () => {
  const loaded = loadedBy("src/app/start.ts");
  for (const one of ["zod", "yaml", "src/gate/gate.ts", "src/http/listener.ts"]) {
    assert.ok(loaded.has(one), one);
  }
});
