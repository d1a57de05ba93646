/** Programs of others that speak HTTP/2, where this machine has them. */
import { spawn, spawnSync } from "node:child_process";

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Why a test is skipped; false when the program is there and knows the option. */
export function absent(program: string, knows: RegExp = /./): string | false {
  const { status, stdout, stderr } = spawnSync(program, ["--version"], { encoding: "utf8" });
  if (status !== 0) return `${program} is not here`;
  return knows.test(stdout + stderr) ? false : `${program} is built without HTTP/2`;
}

/** Runs it to its end, with `input` on its standard input. */
export async function runTool(
  program: string,
  args: readonly string[],
  input: Buffer | string = "",
): Promise<Ran> {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString("latin1")));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString("latin1")));
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { code, stdout, stderr };
}
