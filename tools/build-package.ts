/**
 * Builds `dist/` for the npm package: the sources with their types stripped (Node strips none under
 * `node_modules`), and declarations. Runs as `prepack`; `--clean` (as `postpack`) takes it away
 * again, so that a checkout runs from its sources and from nothing else.
 *
 * Stripping keeps lines and columns, so a stack trace of the package fits the sources.
 */
import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = `${root}/dist`;

/** Relative specifiers of imports, type imports and workers: `"./x.ts"` becomes `"./x.js"`. */
const SPECIFIER = /(\bfrom\s*|\bimport\s*\(?\s*|\bnew URL\(\s*)"(\.{1,2}\/[^"\n]+)\.ts"/g;

export function toJavaScriptSpecifiers(code: string): string {
  return code.replaceAll(SPECIFIER, '$1"$2.js"');
}

function buildJavaScript(): void {
  for (const file of globSync("**/*.ts", { cwd: `${root}/src` })) {
    if (file.endsWith(".test.ts") || file.endsWith(".d.ts")) continue;
    const source = readFileSync(`${root}/src/${file}`, "utf8");
    const target = `${dist}/${file.replace(/\.ts$/, ".js")}`;
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, toJavaScriptSpecifiers(stripTypeScriptTypes(source, { mode: "strip" })));
  }
}

function buildDeclarations(): void {
  const result = spawnSync(`${root}/node_modules/.bin/tsc`, ["-p", "tools/tsconfig.package.json"], {
    cwd: root,
    encoding: "utf8",
  });
  if (result.status !== 0) throw new Error(`tsc: ${result.stdout}${result.stderr}`);
  for (const file of globSync("**/*.d.ts", { cwd: dist })) {
    const path = `${dist}/${file}`;
    writeFileSync(path, toJavaScriptSpecifiers(readFileSync(path, "utf8")));
  }
}

if (import.meta.main) {
  rmSync(dist, { recursive: true, force: true });
  if (!process.argv.includes("--clean")) {
    buildJavaScript();
    buildDeclarations();
  }
}
