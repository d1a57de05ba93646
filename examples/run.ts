/**
 * Tries the examples: `npm run examples`, or some of them by name. With `--keep NAME`, one is started
 * and left running until Ctrl-C, to be tried by hand. Ends with 1 where one does not do what it says, with 2 where there is none of that name.
 */
import { type Example, exampleNames, withExample, type World } from "./example.ts";

const [first, ...rest] = process.argv.slice(2);
const kept = first === "--keep";
const asked = kept ? [rest[0] ?? ""] : first === undefined ? exampleNames() : [first, ...rest];
const unknown = asked.filter((name) => !exampleNames().includes(name));
if (unknown.length > 0) {
  process.stderr.write(
    `there is no example "${unknown.join('", "')}"; one of ${exampleNames().join(", ")}\n`,
  );
  process.exitCode = 2;
} else if (kept) await keep(asked[0] ?? "");
else await tryAll(asked);

async function tryAll(names: readonly string[]): Promise<void> {
  for (const name of names) {
    process.stdout.write(`${name}\n`);
    const started = performance.now();
    try {
      await withExample(name, { writtenPorts: false }, tryOne);
    } catch (error) {
      process.stdout.write(`  ✘ ${String(error)}\n`);
      process.exitCode = 1;
    }
    process.stdout.write(`  ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
  }
}

async function tryOne(example: Example, world: World): Promise<void> {
  for (const one of example.tries) {
    try {
      await one.run(world);
    } catch (error) {
      process.stdout.write(`${world.log().slice(-2000)}\n`);
      throw new Error(`${one.shows}\n    ${String(error)}`, { cause: error });
    }
    process.stdout.write(`  ✔ ${one.shows}\n`);
  }
}

async function keep(name: string): Promise<void> {
  await withExample(name, { writtenPorts: true }, async (example, world) => {
    process.stdout.write(`${world.proxy.output()}\nin ${world.folder}; it shows:\n`);
    for (const one of example.tries) process.stdout.write(`  ${one.shows}\n`);
    process.stdout.write("Ctrl-C ends it.\n");
    await new Promise<void>((resolve) => {
      process.once("SIGINT", resolve);
      process.once("SIGTERM", resolve);
    });
  });
}
