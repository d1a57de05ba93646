/**
 * What an example is: a configuration that reads and runs as it stands, and a `check.ts` beside it
 * that says what it shows and tries it. The checks run on a copy in which free ports stand in for
 * the written ones, so that nothing on the machine is in their way.
 */
import { readdirSync, readFileSync, writeFileSync, cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type RunningChild, startChild } from "./children.ts";
import { freePort, quietPort } from "./ports.ts";

/** `check.ts` of an example exports one of these as `example`. */
export interface Example {
  /** Where ports are written, relative to its folder; `sallyport.yaml` when left out. */
  readonly files?: readonly string[];
  /** Before the proxy starts: writes the files that the configuration names, starts services. */
  prepare?(ground: Ground): Promise<void> | void;
  /** Starts what is more than one `sallyport run` in the folder. */
  start?(ground: Ground): Promise<Started>;
  readonly tries: readonly Try[];
}

/** One thing that the example shows. */
export interface Try {
  /** A sentence: who does what, and what happens. */
  readonly shows: string;
  /** Throws where it does not happen. */
  run(world: World): Promise<void>;
}

export interface Ground {
  /** The copy of the example's folder that the proxy runs in. */
  readonly folder: string;
  /** The port that stands in for the one that is written in the configuration. */
  port(written: number): number;
  /** Runs when the example ends, last first. */
  onEnd(action: () => Promise<unknown> | void): void;
}

export interface Started {
  /** `host:port` of a listener by its name; `admin` is one too. */
  address(listener: string): string;
  readonly proxy: RunningChild;
  /** All that the proxy wrote to standard error until now. */
  log(): string;
}

export interface World extends Ground, Started {}

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const SALLYPORT = fileURLToPath(new URL("../bin/sallyport", import.meta.url));
/** An address on loopback as the examples write it. */
const ADDRESS = /\b(127\.0\.0\.1|localhost):(\d{4,5})\b/g;

/** Names of the examples that can be tried. */
export function exampleNames(): string[] {
  return readdirSync(FOLDER, { withFileTypes: true })
    .filter(
      (entry) => entry.isDirectory() && readdirSync(join(FOLDER, entry.name)).includes("check.ts"),
    )
    .map(({ name }) => name)
    .filter((name) => name !== "demo")
    .toSorted();
}

export interface ExampleOptions {
  /** Whether it has the ports that are written where these are free; false: any, since others may run beside it. */
  readonly writtenPorts: boolean;
}

/** Starts one in a folder of its own, hands it to `use`, and ends all that was started. */
export async function withExample(
  name: string,
  options: ExampleOptions,
  use: (example: Example, world: World) => Promise<void>,
): Promise<void> {
  const { example } = (await import(`./${name}/check.ts`)) as { readonly example: Example };
  const folder = mkdtempSync(join(tmpdir(), `sallyport-example-${name}-`));
  const endings: (() => Promise<unknown> | void)[] = [
    () => rmSync(folder, { recursive: true, force: true }),
  ];
  try {
    cpSync(join(FOLDER, name), folder, { recursive: true });
    const files = example.files ?? ["sallyport.yaml"];
    const ports = await standIns(
      files.map((file) => join(folder, file)),
      options,
    );
    const ground: Ground = {
      folder,
      port: (written) => {
        const port = ports.get(written);
        if (port === undefined)
          throw new TypeError(`port ${written} is not in ${files.join(", ")}`);
        return port;
      },
      onEnd: (action) => void endings.push(action),
    };
    await example.prepare?.(ground);
    const started = await (example.start?.(ground) ?? startOne(name, ground));
    const world: World = { ...ground, ...started };
    await use(example, world);
  } finally {
    for (const end of endings.toReversed()) await end();
  }
}

/** What most examples are: one proxy, as anybody would run it. */
async function startOne(name: string, ground: Ground): Promise<Started> {
  const log = join(ground.folder, "sallyport.log");
  const proxy = await startChild({ name, command: [SALLYPORT, "run"], cwd: ground.folder, log });
  ground.onEnd(() => proxy.stop());
  // Of all listeners, the operators' is printed last.
  await proxy.until(/^listening\s+admin\s.*\n/m);
  return {
    proxy,
    address: (listener) => addressOf(proxy.output(), listener),
    log: () => readFileSync(log, "utf8"),
  };
}

/** Puts a free port in the place of each port on loopback. */
async function standIns(
  files: readonly string[],
  { writtenPorts }: ExampleOptions,
): Promise<Map<number, number>> {
  const ports = new Map<number, number>();
  const texts = files.map((file) => readFileSync(file, "utf8"));
  for (const match of texts.join("\n").matchAll(ADDRESS)) {
    const written = Number(match[2]);
    if (ports.has(written)) continue;
    ports.set(written, await (writtenPorts ? freePort(written) : quietPort()));
  }
  for (const [index, file] of files.entries()) {
    const replaced = texts[index]?.replace(ADDRESS, (_all, host: string, port: string) => {
      return `${host}:${ports.get(Number(port)) ?? port}`;
    });
    writeFileSync(file, replaced ?? "", { mode: 0o600 });
  }
  return ports;
}

/** From the line that `sallyport run` prints for each listener. */
function addressOf(output: string, listener: string): string {
  for (const line of output.split("\n")) {
    const [word, name, url = ""] = line.split(/\s+/);
    if (word === "listening" && name === listener) return url.replace(/^\w+:\/\//, "");
  }
  throw new TypeError(`no listener ${listener} in: ${output}`);
}
