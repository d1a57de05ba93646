/**
 * `npm run bench`: Sallyport beside its peers, on this machine, in one run. `--help` lists the options.
 *
 * Exit status: 0 when everything asked for was measured (whether or not a goal was reached), 1 when
 * a peer misbehaved or a measurement failed, 2 when it could not run.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { writeMarkedParts } from "./docs.ts";
import { EIGHT_BY_SIXTEEN } from "./load/h2load.ts";
import { chooseCores, moveToCore } from "./machine/cores.ts";
import type { Cores } from "./machine/cores.ts";
import { describeMachine } from "./machine/describe.ts";
import type { MachineDescription } from "./machine/describe.ts";
import { describeMissing, missing } from "./machine/requirements.ts";
import type { Requirement } from "./machine/requirements.ts";
import { openSite, putFirst } from "./machine/site.ts";
import { USAGE, parseBenchOptions } from "./options.ts";
import type { BenchOptions } from "./options.ts";
import { formatSection } from "./report.ts";
import type { Peer } from "./peers/peer.ts";
import type { Section } from "./report.ts";
import { SECTIONS } from "./sections.ts";
import type { SectionPlan } from "./sections.ts";

const DOCS = fileURLToPath(new URL("../docs/benchmarks.md", import.meta.url));

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: BenchOptions | undefined;
  let plans: SectionPlan[];
  try {
    options = parseBenchOptions(args);
    if (options === undefined) {
      console.log(`${USAGE}\nsections: ${names(SECTIONS)}\npeers: ${names(peersOf(SECTIONS))}`);
      return 0;
    }
    plans = choosePlans(options);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    console.error(`bench: ${error.message}`);
    return 2;
  }
  const cores = process.platform === "linux" ? chooseCores() : undefined;
  if (cores === undefined) {
    console.error(
      "bench: needs Linux and two cores, one for the proxy and one for load and service",
    );
    return 2;
  }
  const lacking = missing(requirementsOf(plans, options));
  if (lacking.length > 0) {
    console.error(describeMissing(lacking));
    return 2;
  }
  return runPlans(plans, options, cores);
}

async function runPlans(
  plans: readonly SectionPlan[],
  options: BenchOptions,
  cores: Cores,
): Promise<number> {
  const machine = describeMachine();
  const startedAt = new Date().toISOString();
  console.log(formatMachine(machine, options));
  moveToCore(cores.load);
  if (options.priority) putFirst();
  const sections: Section[] = [];
  let failed = 0;
  for (const plan of plans) {
    console.log(`\n## ${plan.title}\n`);
    const site = openSite(options);
    try {
      const section = await plan.run(site, { ...options, cores, progress: console.error });
      console.log(formatSection(section));
      sections.push(section);
    } catch (error) {
      failed += 1;
      console.error(`bench: ${plan.name}:`, error);
    } finally {
      await site.close();
    }
    if (options.keep) console.error(`bench: left ${site.folder}`);
  }
  if (options.json !== undefined) {
    const report = { version: 1, startedAt, machine, options, sections };
    writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  }
  if (options.writeDocs && failed === 0) {
    const parts = new Map(sections.map((section) => [section.name, formatSection(section)]));
    for (const { machine: mark = "machine" } of plans) {
      parts.set(mark, formatMachine(machine, options));
    }
    writeMarkedParts(DOCS, parts);
  }
  return failed === 0 ? 0 : 1;
}

/** All of them, or those that `--only` names; peers stand for the sections that they are in. */
function choosePlans(options: BenchOptions): SectionPlan[] {
  if (options.only.length === 0) return [...SECTIONS];
  const peers = peersOf(SECTIONS);
  const known = new Set([...SECTIONS, ...peers].map(({ name }) => name));
  const unknown = options.only.filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new TypeError(
      `--only does not know ${unknown.join(", ")}; sections: ${names(SECTIONS)}; peers: ${names(peers)}`,
    );
  }
  return SECTIONS.filter((plan) =>
    [plan, ...peersOf([plan])].some(({ name }) => options.only.includes(name)),
  );
}

/** Each once, though several sections have some of them. */
function peersOf(plans: readonly SectionPlan[]): readonly Peer[] {
  return [...new Set(plans.flatMap(({ peers = [] }) => peers))];
}

function requirementsOf(plans: readonly SectionPlan[], options: BenchOptions): Requirement[] {
  return [...new Set(plans.flatMap((plan) => plan.requires(options)))];
}

function formatMachine(machine: MachineDescription, options: BenchOptions): string {
  return [
    `${machine.processor}, ${machine.cores} cores, ${machine.memoryGB} GB, ${machine.kernel}.`,
    `${machine.versions.join(", ")}.`,
    `${options.rounds} rounds of ${options.seconds} s after ${options.warmUpSeconds} s of warm-up, ${options.connections} connections; HTTP/2: ${EIGHT_BY_SIXTEEN.connections} connections of ${EIGHT_BY_SIXTEEN.streams} streams.`,
  ].join("\n");
}

function names(list: readonly { readonly name: string }[]): string {
  return list.map(({ name }) => name).join(", ");
}
