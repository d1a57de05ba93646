/**
 * Debian's Chromium, driven for tests. Names lead to loopback and certificates are not asked about, so that pages
 * can be of any site.
 */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium, type Browser } from "playwright-core";

const NAMES = ["chromium", "chromium-browser"] as const;

/** Where it is; undefined where there is none. */
export function chromiumPath(): string | undefined {
  const folders = ["/usr/bin", ...(process.env["PATH"] ?? "").split(delimiter)];
  for (const folder of folders) {
    for (const name of NAMES) {
      const path = join(folder, name);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not there.
      }
    }
  }
  return undefined;
}

/** `hosts`: `name:443` → `127.0.0.1:port`. */
export async function openChromium(hosts: Readonly<Record<string, string>>): Promise<Browser> {
  const executablePath = chromiumPath();
  if (executablePath === undefined) throw new TypeError("there is no Chromium");
  const rules = Object.entries(hosts).map(([name, address]) => `MAP ${name} ${address}`);
  return await chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--ignore-certificate-errors",
      `--host-resolver-rules=${rules.join(", ")}`,
    ],
  });
}
