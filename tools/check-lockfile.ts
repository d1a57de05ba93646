/**
 * Fails where package-lock.json would make `npm ci` fail on somebody else's machine: npm leaves out
 * of it the optional packages that the registry at hand does not have (builds for other systems),
 * and then refuses it as incomplete. Also refuses versions that are not exact, and packages without
 * an integrity hash that this machine, or any machine that we test on, would install.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

interface LockEntry {
  readonly version?: string;
  readonly integrity?: string;
  readonly optional?: boolean;
  readonly os?: string | readonly string[];
  readonly cpu?: string | readonly string[];
  readonly libc?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface Lockfile {
  readonly packages: Readonly<Record<string, LockEntry>>;
}

const EXACT = /^\d+\.\d+\.\d+(?:-[\w.]+)?$/;

/** One sentence a fault. */
export function findLockFaults({ packages }: Lockfile): string[] {
  const faults: string[] = [];
  const root = packages[""] ?? {};
  for (const kind of ["dependencies", "devDependencies", "optionalDependencies"] as const) {
    for (const [name, version] of Object.entries(root[kind] ?? {})) {
      if (!EXACT.test(version)) faults.push(`${name} is "${version}", which is not one version`);
    }
  }
  for (const [path, entry] of Object.entries(packages)) {
    for (const name of Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })) {
      if (!isLocked(packages, path, name)) faults.push(`${path || "the package"} needs ${name}`);
    }
    if (path !== "" && entry.integrity === undefined && runsWhereWeTest(entry)) {
      faults.push(`${path} has no integrity hash`);
    }
  }
  return faults;
}

/** Node looks beside the package, then in each folder above it. */
function isLocked(packages: Lockfile["packages"], from: string, name: string): boolean {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    if (packages[`${at === "" ? "" : `${at}/`}node_modules/${name}`] !== undefined) return true;
    if (at === "") return false;
    if (!at.includes("/node_modules/")) return packages[`node_modules/${name}`] !== undefined;
  }
}

function runsWhereWeTest({ os = "linux", cpu = "x64", libc = ["glibc"] }: LockEntry): boolean {
  return [os].flat().includes("linux") && [cpu].flat().includes("x64") && libc.includes("glibc");
}

if (import.meta.main) {
  const path = fileURLToPath(new URL("../package-lock.json", import.meta.url));
  const faults = findLockFaults(JSON.parse(readFileSync(path, "utf8")) as Lockfile);
  for (const fault of faults) console.error(`package-lock.json: ${fault}`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}
