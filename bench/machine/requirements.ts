/** What a run needs of the machine. Installs nothing; says what is missing and where it comes from. */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";

export interface Requirement {
  readonly program: string;
  readonly why: string;
  /** Debian's package that holds it. */
  readonly package: string;
}

export const REQUIREMENTS = {
  taskset: { program: "taskset", why: "gives each side its core", package: "util-linux" },
  wrk: { program: "wrk", why: "makes the load", package: "wrk" },
  nginx: { program: "nginx", why: "is the service, and a peer", package: "nginx-light" },
  haproxy: { program: "haproxy", why: "is a peer", package: "haproxy" },
} as const satisfies Record<string, Requirement>;

/** Those that are neither on PATH nor where Debian puts servers. */
export function missing(requirements: readonly Requirement[]): Requirement[] {
  return requirements.filter((requirement) => findProgram(requirement.program) === undefined);
}

/** Absolute path of a program, or undefined. */
export function findProgram(program: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"];
  return folders.map((folder) => join(folder, program)).find(isExecutable);
}

/** One line each, and the command that would bring them all. */
export function describeMissing(requirements: readonly Requirement[]): string {
  const lines = requirements.map(({ program, why }) => `  ${program}  (${why})`);
  const packages = [...new Set(requirements.map((requirement) => requirement.package))];
  return [
    "The bench installs nothing by itself. Missing on this machine:",
    ...lines,
    `On Debian: apt-get install ${packages.join(" ")}`,
  ].join("\n");
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
