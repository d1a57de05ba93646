/**
 * The demo's own process. `main.ts` starts everything and shows what to try until Ctrl-C;
 * `main.ts --check` tries it all and ends with 0 only if every answer was right, 1 if one was not,
 * 2 if it could not be tried.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { check } from "./check.ts";
import { bold, red } from "./paint.ts";
import type { Arrival } from "./services.ts";
import { arrivalLine, table, welcome } from "./show.ts";
import { startWorld, type Ports, type World } from "./world.ts";

/** Where the demo listens if nobody else does. */
const PORTS: Ports = {
  proxy: 4080,
  mesh: 4443,
  admin: 4090,
  provider: 4000,
  sidecar: 4070,
  services: { billing: 4001, orders: 4002, catalogue: 4003 },
};
/** For `--check`, which may run beside another demo. */
const ANY_PORTS: Ports = {
  proxy: 0,
  mesh: 0,
  admin: 0,
  provider: 0,
  sidecar: 0,
  services: { billing: 0, orders: 0, catalogue: 0 },
};

const checking = process.argv.includes("--check");
const interrupted = new Promise<"interrupted">((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => resolve("interrupted"));
  }
});
process.exitCode = await (checking ? runCheck() : runShow());
process.exit();

async function runShow(): Promise<number> {
  const world = await startOrExplain({ ports: PORTS, arrived: showArrival });
  if (typeof world === "number") return world;
  console.log(welcome(world));
  const end = await Promise.race([interrupted, world.broken]);
  await world.stop();
  // Nobody can use the tokens any more: their provider and its keys are gone.
  rmSync(join(world.folder, "tokens"), { recursive: true, force: true });
  if (end === "interrupted") {
    console.log(`\nEnded. The config, the logs and the audit log stay in ${world.folder}`);
    return 0;
  }
  console.error(red(`${end}; its log is in ${world.folder}`));
  return 2;
}

function showArrival(arrival: Arrival): void {
  console.log(arrivalLine(arrival));
}

async function runCheck(): Promise<number> {
  const arrivals: Arrival[] = [];
  const arrived = (arrival: Arrival): void => void arrivals.push(arrival);
  const world = await startOrExplain({ ports: ANY_PORTS, arrived });
  if (typeof world === "number") return world;
  const verdicts = await Promise.race([
    interrupted,
    check(world, arrivals).catch((error: unknown) => error as Error),
  ]);
  await world.stop();
  if (verdicts === "interrupted") {
    rmSync(world.folder, { recursive: true, force: true });
    return 2;
  }
  if (verdicts instanceof Error) {
    console.error(red(`The demo broke off: ${verdicts.message}`));
    console.error(`Its logs are in ${world.folder}`);
    return 2;
  }
  const wrong = verdicts.filter(({ faults }) => faults.length > 0).length;
  console.log(table(verdicts));
  if (wrong === 0) {
    rmSync(world.folder, { recursive: true, force: true });
    console.log(`\n${bold(`${verdicts.length} of ${verdicts.length} answers were right.`)}`);
    return 0;
  }
  console.log(`\n${red(`${wrong} of ${verdicts.length} answers were wrong.`)} See ${world.folder}`);
  return 1;
}

async function startOrExplain(options: Parameters<typeof startWorld>[0]): Promise<World | number> {
  try {
    return await startWorld(options);
  } catch (error) {
    console.error(red("The demo could not start."));
    console.error(error instanceof Error ? error.message : String(error));
    return 2;
  }
}
