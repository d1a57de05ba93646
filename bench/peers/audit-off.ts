/**
 * Sallyport without its audit log, which nobody can configure: a copy of the sources in which the log
 * takes every record and writes none. What recording costs is measured beside it.
 */
import { cpSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Site } from "../machine/site.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const NO_LOG = `export async function createAuditLog() {
  return {
    torn: [],
    writable: () => true,
    decision: () => "recorded",
    completion() {},
    event() {},
    durable: () => undefined,
    close: async () => undefined,
  };
}
`;

const ENTRY = `import { main } from "./src/cli/main.ts";
process.exitCode = await main(["run", "-c", process.argv[2]]);
`;

/** Makes the copy; the file that runs it with a configuration as its argument. */
export function copyWithoutAudit(site: Site): string {
  const copy = site.path("audit-off-sources");
  cpSync(join(ROOT, "src"), join(copy, "src"), { recursive: true });
  cpSync(join(ROOT, "package.json"), join(copy, "package.json"));
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  writeFileSync(join(copy, "src", "audit", "log.ts"), NO_LOG);
  writeFileSync(join(copy, "entry.ts"), ENTRY);
  return join(copy, "entry.ts");
}
