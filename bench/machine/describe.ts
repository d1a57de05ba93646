/** The machine and the versions that a figure belongs to; no host name, no path. */
import { spawnSync } from "node:child_process";
import { cpus, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { findProgram } from "./requirements.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface MachineDescription {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGB: number;
  readonly kernel: string;
  /** `name version`, for what took part and could be asked. */
  readonly versions: readonly string[];
}

export function describeMachine(): MachineDescription {
  const [first] = cpus();
  const versions = [
    `Node ${process.versions.node}`,
    version("Bun", `${root}/tools/with-runtime`, ["bun", "--version"], /^(\S+)/),
    version("nginx", findProgram("nginx"), ["-v"], /nginx\/(\S+)/),
    version("HAProxy", findProgram("haproxy"), ["-v"], /version (\S+)/),
    version("Envoy", findProgram("envoy"), ["--version"], /\/([\d.]+)\//),
    version("h2load", findProgram("h2load"), ["--version"], /nghttp2\/(\S+)/),
    version("wrk", findProgram("wrk"), ["-v"], /^wrk (\S+)/),
  ];
  return {
    processor: first?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGB: Math.round(totalmem() / 1e9),
    kernel: `Linux ${release()}`,
    versions: versions.filter((text) => text !== undefined),
  };
}

function version(
  name: string,
  program: string | undefined,
  args: readonly string[],
  pattern: RegExp,
): string | undefined {
  if (program === undefined) return undefined;
  // Some answer on standard error, and wrk with a status of 1.
  const { stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  const found = pattern.exec(`${stdout}${stderr}`);
  return found === null ? undefined : `${name} ${found[1]}`;
}
