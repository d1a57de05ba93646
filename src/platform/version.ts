/** Which version of us this is. */
import { readFileSync } from "node:fs";

/** As in the package's manifest. */
export function productVersion(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { readonly version: string }).version;
}

/** `bun 1.4.5`, `node 26.10.0`. */
export function runtimeVersion(): string {
  const bun = process.versions["bun"];
  return bun === undefined ? `node ${process.versions.node}` : `bun ${bun}`;
}
