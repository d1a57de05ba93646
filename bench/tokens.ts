/**
 * A million callers, each with a token of its own: what was verified is remembered, and what is
 * remembered must be bounded.
 *
 * Tokens are signed with ES256, which is the cheapest to make by the million.
 */
import { claims, createSigner, signToken } from "./load/credentials.ts";
import { startService } from "./load/service.ts";
import { sendTokens } from "./load/token-client.ts";
import type { Cores } from "./machine/cores.ts";
import { groupResidentBytes, groupUsage } from "./machine/process-stat.ts";
import type { Site } from "./machine/site.ts";
import { startSallyport } from "./peers/sallyport.ts";
import type { Runtime } from "./peers/sallyport.ts";
import { figure, megabytes } from "./report.ts";
import type { Section } from "./report.ts";

export interface TokensOptions {
  readonly cores: Cores;
  readonly quick: boolean;
  readonly progress: (line: string) => void;
}

export interface TokensResult {
  readonly runtime: Runtime;
  readonly tokens: number;
  readonly seconds: number;
  readonly cpuUsPerRequest: number;
  readonly residentBeforeBytes: number;
  readonly residentMostBytes: number;
  readonly residentAfterBytes: number;
}

const TOKENS = 1_000_000;
const QUICK_TOKENS = 20_000;
const CONNECTIONS = 32;
const SAMPLE_MS = 200;
const RESIDENT_GOAL_MB = 300;

export async function benchTokens(site: Site, options: TokensOptions): Promise<Section> {
  const results: TokensResult[] = [];
  for (const runtime of ["bun", "node"] as const) {
    results.push(await measure(site, runtime, options));
  }
  return {
    name: "tokens",
    title: "A million different tokens",
    table: {
      columns: ["runtime", "tokens", "CPU µs/request", "resident MB before", "most", "after"],
      rows: results.map((result) => [
        `Sallyport on ${result.runtime}`,
        figure(result.tokens),
        figure(result.cpuUsPerRequest),
        megabytes(result.residentBeforeBytes),
        megabytes(result.residentMostBytes),
        megabytes(result.residentAfterBytes),
      ]),
    },
    goals: results.map((result) => ({
      what: `sallyport-${result.runtime}, resident at most with ${figure(result.tokens)} tokens`,
      unit: " MB",
      measured: result.residentMostBytes / 1e6,
      bound: { atMost: RESIDENT_GOAL_MB },
    })),
    data: results,
  };
}

async function measure(
  site: Site,
  runtime: Runtime,
  options: TokensOptions,
): Promise<TokensResult> {
  const count = options.quick ? QUICK_TOKENS : TOKENS;
  const service = await startService(site, options.cores.load);
  const signer = createSigner("ES256");
  const started = await startSallyport(site, {
    name: `tokens-${runtime}`,
    core: options.cores.proxy,
    runtime,
    service: service.port,
    signers: [signer],
  });
  const { pid: group } = started.program;
  const token = (index: number): string => signToken(signer, claims(index));
  const load = { port: started.port, path: "/billing/records/1", connections: CONNECTIONS, token };
  // Connections and code are warm before; what grows after is what the tokens cost.
  await sendTokens({ ...load, count: 1000, token: (index) => token(count + index) });

  const before = groupUsage(group);
  const seenBefore = await service.requestsSeen();
  let most = before.residentBytes;
  const sampling = setInterval(() => {
    most = Math.max(most, groupResidentBytes(group));
  }, SAMPLE_MS);
  const startedAt = performance.now();
  try {
    await sendTokens({ ...load, count });
  } finally {
    clearInterval(sampling);
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const after = groupUsage(group);
  const seen = (await service.requestsSeen()) - seenBefore;
  if (seen !== count) throw new Error(`the service saw ${seen} of ${count} requests`);
  await Promise.all([started.program.stop(), service.program.stop()]);

  const result: TokensResult = {
    runtime,
    tokens: count,
    seconds,
    cpuUsPerRequest: ((after.cpuMs - before.cpuMs) * 1000) / count,
    residentBeforeBytes: before.residentBytes,
    residentMostBytes: Math.max(most, after.residentBytes),
    residentAfterBytes: after.residentBytes,
  };
  options.progress(
    `${runtime}: ${count} tokens in ${figure(seconds)} s, resident at most ${megabytes(result.residentMostBytes)} MB`,
  );
  return result;
}
