/**
 * Packs the package, installs the tarball in an empty folder as a user would, and uses it there on
 * both runtimes: the command line, the proxy, the library's gate, its types. What works in a checkout and not
 * in the package (a file that was left out, a `.ts` import under node_modules) fails here.
 */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import {
  copyFileSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const RUNTIMES = ["node", "bun"] as const;

/** Runs a command and gives its output. Throws, with what it printed, when it fails. */
function run(
  command: readonly string[],
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): string {
  const [program = "", ...args] = command;
  const result = spawnSync(program, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    encoding: "utf8",
  });
  if (result.status === 0) return result.stdout;
  const said = `${result.stdout}${result.stderr}${result.error?.message ?? ""}`;
  throw new Error(`${command.join(" ")} ended with ${result.status}:\n${said}`);
}

function checkContents(installed: string): void {
  const files = globSync("**/*", { cwd: installed }).map((file) => file.replaceAll("\\", "/"));
  const wanted = [
    "LICENSE",
    "README.md",
    "CHANGELOG.md",
    "bin/sallyport",
    "bin/runtime.sh",
    "dist/index.js",
    "dist/index.d.ts",
    "dist/cli/main.js",
    "docs/configuration.md",
    "docs/sallyport.schema.json",
  ];
  const missing = wanted.filter((file) => !files.includes(file));
  const stray = files.filter((file) =>
    /\.test\.|(?<!\.d)\.ts$|^(?:src|test|tools|bench)\//.test(file),
  );
  if (missing.length > 0) throw new Error(`the package lacks ${missing.join(", ")}`);
  if (stray.length > 0) throw new Error(`the package holds ${stray.join(", ")}`);
}

function checkTypes(folder: string): void {
  const config = {
    compilerOptions: {
      target: "ES2024",
      module: "NodeNext",
      moduleResolution: "NodeNext",
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      skipLibCheck: false,
      types: ["node"],
      typeRoots: [`${root}/node_modules/@types`],
    },
    include: ["consumer.ts"],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  run([`${root}/node_modules/.bin/tsc`, "-p", "."], { cwd: folder });
}

async function checkRuntime(folder: string, runtime: (typeof RUNTIMES)[number]): Promise<void> {
  const env = { SALLYPORT_RUNTIME: runtime };
  const sallyport = join(folder, "node_modules/.bin/sallyport");
  const gate = join(folder, `gate-${runtime}`);
  run([sallyport, "--version"], { cwd: folder, env });
  // With an authority: its store runs in a thread of its own, whose entry point is another file here.
  run([sallyport, "init", "--dir", gate, "--jwks", "file:keys.json", "--authority"], {
    cwd: folder,
    env,
  });
  const { publicKey } = generateKeyPairSync("ed25519");
  const keys = { keys: [publicKey.export({ format: "jwk" })] };
  writeFileSync(join(gate, "keys.json"), JSON.stringify(keys));
  run([sallyport, "check"], { cwd: gate, env });
  copyFileSync(join(folder, "consumer.ts"), join(gate, "consumer.ts"));
  run([`${root}/tools/with-runtime`, runtime, "consumer.ts"], { cwd: gate });
  await checkRun([sallyport, "run"], { cwd: gate, env });
}

/** Starts the proxy on free ports, is answered 401, and stops it. */
async function checkRun(
  [program, ...args]: readonly [string, string],
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<void> {
  const config = join(options.cwd, "sallyport.yaml");
  const text = readFileSync(config, "utf8");
  writeFileSync(config, text.replaceAll(/127\.0\.0\.1:(?:8080|9900)/g, "127.0.0.1:0"));
  const proxy = spawn(program, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(proxy, "exit");
  const origin = await listening(proxy);
  if (origin === undefined) throw new Error("sallyport run printed no listener");
  try {
    const { status } = await fetch(`${origin}/hello/`);
    if (status !== 401) throw new Error(`the packed proxy answered ${status}, not 401`);
  } finally {
    proxy.kill("SIGTERM");
  }
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Error(`sallyport run ended with ${code} after SIGTERM`);
}

/** What it prints for the listener; undefined when it ends without. Its output is read to the end. */
function listening(proxy: ChildProcessByStdio<null, Readable, null>): Promise<string | undefined> {
  return new Promise((resolve) => {
    let printed = "";
    proxy.stdout.setEncoding("utf8");
    proxy.stdout.on("data", (chunk: string) => {
      printed += chunk;
      const origin = /^listening {2}edge {2}(\S+)$/m.exec(printed)?.[1];
      if (origin !== undefined) resolve(origin);
    });
    proxy.stdout.once("end", () => resolve(undefined));
  });
}

if (import.meta.main) {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-package-"));
  try {
    run(["npm", "pack", "--pack-destination", folder], { cwd: root });
    const [tarball = ""] = globSync("*.tgz", { cwd: folder });
    const user = join(folder, "user");
    mkdirSync(user);
    writeFileSync(join(user, "package.json"), '{ "private": true, "type": "module" }\n');
    const quiet = ["--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts"];
    run(["npm", "install", ...quiet, join(folder, tarball)], { cwd: user });
    copyFileSync(`${root}/tools/package/consumer.ts`, join(user, "consumer.ts"));
    checkContents(join(user, "node_modules/sallyport"));
    checkTypes(user);
    for (const runtime of RUNTIMES) await checkRuntime(user, runtime);
    console.log(`${tarball}: installs, checks, decides and runs on ${RUNTIMES.join(" and ")}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
