/**
 * What finding the route costs among 10 and among 10 000: the look-up alone, and a whole request
 * through the proxy by CPU.
 */
import { createRouter } from "../src/gate/router.ts";
import { METHODS } from "../src/model/vocabulary.ts";
import { createWrk } from "./load/wrk.ts";
import type { Site } from "./machine/site.ts";
import { sallyportPeer } from "./peers/sallyport.ts";
import { figure, median } from "./report.ts";
import type { Section } from "./report.ts";
import { benchThroughput } from "./throughput.ts";
import type { ThroughputOptions } from "./throughput.ts";
import { cpuRatio } from "./throughput-report.ts";

export interface RoutingOptions extends Omit<ThroughputOptions, "peers" | "tool"> {
  readonly quick: boolean;
  readonly connections: number;
}

/** Nanoseconds of one look-up. */
export interface LookupResult {
  readonly name: string;
  readonly nanoseconds: number;
}

const FEW = 10;
const MANY = 10_000;
/** Requests cycle through this many paths, spread evenly over the routes in use. */
const PATHS = 1_000;
/** A whole request may cost this much more with MANY routes. */
const GOAL = 1.1;

/**
 * The same traffic among few and among many routes, which is the goal; and traffic to a thousand of
 * the many, where what each route keeps no longer fits the processor's caches.
 */
const SUBJECTS = [
  { name: "routes-10", title: "10 routes", routes: FEW, used: FEW },
  { name: "routes-10000", title: "10 000 routes, 10 in use", routes: MANY, used: FEW },
  { name: "routes-10000-all", title: "10 000 routes, 1 000 in use", routes: MANY, used: PATHS },
] as const;

export async function benchRouting(site: Site, options: RoutingOptions): Promise<Section> {
  const lookups = benchLookup(options);
  const peers = SUBJECTS.map(({ name, title, routes, used }) =>
    sallyportPeer(name, title, {
      runtime: "bun",
      routes: makeRoutes(routes),
      paths: makePaths(routes, used),
    }),
  );
  const cells = await benchThroughput(site, { ...options, peers, tool: createWrk(options) });
  const ratio = cpuRatio(cells, "routes-10", "routes-10000");
  if (ratio === undefined) throw new Error("a measurement is missing");
  return {
    name: "routing",
    title: "Routing among 10 and 10 000 routes",
    table: {
      columns: ["routes", "look-up alone, ns", "whole request, CPU µs"],
      rows: SUBJECTS.map(({ name, title }, index) => {
        const own = cells.filter((cell) => cell.peer === name);
        return [
          title,
          figure(lookups[index]?.nanoseconds ?? NaN),
          figure(median(own.map((cell) => cell.cpuUsPerRequest))),
        ];
      }),
    },
    goals: [
      {
        what: "CPU per request with 10 000 routes to that with 10, same traffic, on Bun",
        unit: " ×",
        measured: ratio,
        bound: { atMost: GOAL },
      },
    ],
    data: { lookups, cells },
  };
}

/** The router by itself, on the runtime that runs this; medians of interleaved rounds. */
export function benchLookup(options: { readonly quick: boolean }): LookupResult[] {
  const rounds = options.quick ? 3 : 15;
  const lookups = options.quick ? 20_000 : 200_000;
  const subjects = SUBJECTS.map(({ name, routes, used }) => ({
    name,
    router: createRouter(
      makeRoutes(routes).map((route) => ({
        ...route,
        host: undefined,
        methods: undefined,
        value: route.name,
      })),
      METHODS,
    ),
    paths: makePaths(routes, used),
    samples: [] as number[],
  }));
  // One round more than counted: the first compiles.
  for (let round = 0; round <= rounds; round++) {
    for (const subject of subjects) {
      const { router, paths, samples } = subject;
      let found = 0;
      const startedAt = performance.now();
      for (let index = 0; index < lookups; index++) {
        const match = router.find("api.bench.example", paths[index % PATHS] ?? "");
        if (match?.method("GET") !== undefined) found += 1;
      }
      const elapsedMs = performance.now() - startedAt;
      if (found !== lookups) throw new Error(`only ${found} of ${lookups} look-ups found a route`);
      if (round > 0) samples.push((elapsedMs * 1e6) / lookups);
    }
  }
  return subjects.map(({ name, samples }) => ({ name, nanoseconds: median(samples) }));
}

function makeRoutes(count: number): { name: string; path: string }[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `route-${index}`,
    // As such sets look: a tenth take a parameter, the rest is literal with a tail.
    path:
      index % 10 === 0
        ? `/billing/area-${index}/{account}/records/{record}`
        : `/billing/area-${index}/records/*`,
  }));
}

/** Paths to `used` of the `count` routes, spread over all of them. */
function makePaths(count: number, used: number): string[] {
  return Array.from({ length: PATHS }, (_, index) => {
    const turn = index % used;
    // Of every ten routes in use one takes a parameter, however many there are.
    const route = count === used ? turn : turn * (count / used) + (turn % 10);
    return route % 10 === 0
      ? `/billing/area-${route}/acme/records/${index}`
      : `/billing/area-${route}/records/2026/${index}`;
  });
}
