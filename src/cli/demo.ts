/**
 * `sallyport demo`: a real OpenID provider, three services and the proxy on loopback.
 *
 * It needs a checkout: the packed package carries neither the demo nor the provider, which is a
 * development dependency, and says so.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export interface DemoOptions {
  /** Tries everything by itself and answers with the exit code instead of waiting for Ctrl-C. */
  readonly check: boolean;
}

/** Runs the demo on the runtime that runs this; resolves to the exit code (0, 1 or 2). */
export function demo(options: DemoOptions): Promise<number> {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const main = join(root, "examples", "demo", "main.ts");
  const missing = [main, join(root, "node_modules", "oidc-provider", "package.json")].find(
    (path) => !existsSync(path),
  );
  if (missing !== undefined) {
    console.error(`sallyport demo: ${missing} is missing.`);
    console.error("The demo runs from a checkout of the project, after npm ci.");
    return Promise.resolve(2);
  }
  const args = [...process.execArgv, main, ...(options.check ? ["--check"] : [])];
  const child = spawn(process.execPath, args, { stdio: "inherit" });
  // Ctrl-C reaches the child by itself; what is sent to this process alone is passed on.
  process.on("SIGINT", ignore);
  for (const signal of ["SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => child.kill(signal));
  }
  return new Promise((resolve) => {
    child.once("error", (error) => {
      console.error(`sallyport demo: ${error.message}`);
      resolve(2);
    });
    child.once("exit", (code) => resolve(code ?? 2));
  });
}

function ignore(): void {
  // The child ends everything and then itself.
}
