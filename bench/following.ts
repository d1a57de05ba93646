/**
 * What following the feed costs the request path: the same proxy alone, and as one that gets its
 * configuration from an authority and holds what it revokes. The authority runs beside the load.
 */
import { createWrk } from "./load/wrk.ts";
import type { Site } from "./machine/site.ts";
import { startCluster } from "./peers/cluster.ts";
import { RECORD_PATHS } from "./peers/peer.ts";
import type { Peer } from "./peers/peer.ts";
import type { Runtime } from "./peers/sallyport.ts";
import { sallyports } from "./peers/sallyport.ts";
import { BILLING_POLICIES, publishedConfig } from "./peers/sallyport-config.ts";
import type { Section } from "./report.ts";
import { benchThroughput } from "./throughput.ts";
import type { ThroughputOptions } from "./throughput.ts";
import { reportThroughput } from "./throughput-report.ts";
import type { ThroughputReport } from "./throughput-report.ts";

const RUNTIMES: readonly Runtime[] = ["bun", "node"];
const ROUTES = [{ name: "billing", path: "/billing/*" }];
/** One that is not in turn is stopped, and would come back stale. */
const PATIENCE = "10m";

const REPORT: ThroughputReport = {
  name: "following",
  title: "What following the feed costs",
  ratios: [{ heading: "to the same alone", to: (peer) => aloneOf(peer) }],
  goals: RUNTIMES.map((runtime) => ({
    peer: `sallyport-${runtime}-following`,
    to: `sallyport-${runtime}`,
    atLeast: 0.95,
  })),
};

function aloneOf(peer: string): string | undefined {
  return peer.endsWith("-following") ? peer.replace("-following", "") : undefined;
}

export type FollowingOptions = Omit<ThroughputOptions, "peers" | "tool"> & {
  readonly connections: number;
};

export async function benchFollowing(site: Site, options: FollowingOptions): Promise<Section> {
  const alone = RUNTIMES.map((runtime) =>
    sallyports.find(({ name }) => name === `sallyport-${runtime}`),
  );
  const following = RUNTIMES.map((runtime) => followingPeer(runtime, options.cores.load));
  const peers = [...alone, ...following].filter((peer) => peer !== undefined);
  const cells = await benchThroughput(site, { ...options, peers, tool: createWrk(options) });
  return reportThroughput(REPORT, cells, peers);
}

function followingPeer(runtime: Runtime, authorities: number): Peer {
  const name = `sallyport-${runtime}-following`;
  return {
    name,
    title: `Sallyport on ${runtime === "bun" ? "Bun" : "Node"}, following an authority`,
    authenticates: "RS256",
    authorizes: true,
    paths: RECORD_PATHS,
    requires: [],
    async start({ site, core, service, credentials }) {
      const cluster = await startCluster(site, {
        name,
        runtime,
        cores: { authorities, proxies: core },
        authorities: 1,
        proxies: 1,
        signers: [credentials.RS256.signer, credentials.ES256.signer],
        published: publishedConfig({ service: `http://127.0.0.1:${service.port}`, routes: ROUTES }),
        policies: BILLING_POLICIES,
        maxStaleness: PATIENCE,
      });
      const [proxy] = cluster.proxies;
      if (proxy === undefined) throw new TypeError("a cluster of one proxy has one");
      return proxy;
    },
  };
}
