/**
 * `npm run docs`: writes what the documentation says about the source from the source itself:
 * docs/configuration.md, docs/errors.md, docs/openapi.json and docs/sallyport.schema.json. With
 * `--check` it writes nothing and fails where a file differs.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { adminOpenApi } from "../src/admin/operations.ts";
import { configurationReference } from "./docs/configuration-reference.ts";
import { editorSchema } from "./docs/editor-schema.ts";
import { errorCatalogue } from "./docs/error-catalogue.ts";

/** File under `docs/` → text. */
export function generateDocs(): ReadonlyMap<string, string> {
  return new Map([
    ["configuration.md", configurationReference()],
    ["errors.md", errorCatalogue()],
    ["openapi.json", `${JSON.stringify(adminOpenApi(), null, 2)}\n`],
    ["sallyport.schema.json", `${JSON.stringify(editorSchema(), null, 2)}\n`],
  ]);
}

if (import.meta.main) {
  const folder = fileURLToPath(new URL("../docs/", import.meta.url));
  const checking = process.argv.includes("--check");
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of generateDocs()) {
    const path = folder + name;
    if (!checking) {
      writeFileSync(path, text);
    } else if (read(path) !== text) {
      console.error(`docs/${name} is not what the source says; run: npm run docs`);
      process.exitCode = 1;
    }
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
