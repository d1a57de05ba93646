/**
 * The sections of HTTP/2 load: who takes part, and what is to be reached. They run as the HTTP/1.1
 * section does (`throughput.ts`), with h2load instead of wrk.
 */
import { EIGHT_BY_SIXTEEN, createH2Load } from "./load/h2load.ts";
import type { Site } from "./machine/site.ts";
import { envoysHttp2 } from "./peers/envoy.ts";
import { haproxyHttp2, haproxyHttp2Both, haproxyHttp2Tls } from "./peers/haproxy.ts";
import { nginxHttp2 } from "./peers/nginx.ts";
import { nodeHttp2Sketches } from "./peers/node-http2.ts";
import { choosePeers } from "./peers/choose.ts";
import type { Peer } from "./peers/peer.ts";
import { sallyportsHttp2 } from "./peers/sallyport.ts";
import type { Section } from "./report.ts";
import { benchThroughput } from "./throughput.ts";
import type { ThroughputOptions } from "./throughput.ts";
import { reportThroughput } from "./throughput-report.ts";
import type { ThroughputReport } from "./throughput-report.ts";

export interface Http2Section extends ThroughputReport {
  readonly peers: readonly Peer[];
}

/** Prior knowledge, to the service over HTTP/1.1. */
export const HTTP2: Http2Section = {
  name: "http2",
  title: "HTTP/2 requests, cleartext",
  peers: [
    ...sallyportsHttp2.toHttp1,
    ...nodeHttp2Sketches,
    haproxyHttp2,
    nginxHttp2,
    ...envoysHttp2,
  ],
  ratios: [
    { heading: "to `node:http2`, same runtime", to: sketchOf },
    { heading: "to HAProxy", to: () => "haproxy-h2" },
  ],
  goals: [
    { peer: "sallyport-bun-h2", to: "node-http2-bun", atLeast: 2 },
    { peer: "sallyport-node-h2", to: "node-http2-node", atLeast: 2 },
    { peer: "sallyport-bun-h2", to: "haproxy-h2", atLeast: 0.7 },
  ],
};

/** ALPN h2. */
export const HTTP2_TLS: Http2Section = {
  name: "http2-tls",
  title: "HTTP/2 requests over TLS",
  peers: [...sallyportsHttp2.overTls, haproxyHttp2Tls],
  ratios: [{ heading: "to HAProxy over TLS", to: () => "haproxy-h2-tls" }],
  goals: [{ peer: "sallyport-bun-h2-tls", to: "haproxy-h2-tls", atLeast: 0.7 }],
};

/** The same service over HTTP/2, beside itself over HTTP/1.1. */
export const HTTP2_SERVICE: Http2Section = {
  name: "http2-service",
  title: "HTTP/2 requests to an HTTP/2 service",
  peers: [...sallyportsHttp2.toHttp2, ...sallyportsHttp2.toHttp1, haproxyHttp2Both],
  ratios: [
    { heading: "to itself with the HTTP/1.1 service", to: sameToHttp1 },
    { heading: "to HAProxy", to: () => "haproxy-h2-h2c" },
  ],
  goals: [
    { peer: "sallyport-bun-h2-h2c", to: "sallyport-bun-h2", atLeast: 1 },
    { peer: "sallyport-node-h2-h2c", to: "sallyport-node-h2", atLeast: 1 },
  ],
};

export async function benchHttp2(
  { peers, ...report }: Http2Section,
  site: Site,
  options: Omit<ThroughputOptions, "tool" | "peers"> & { readonly only: readonly string[] },
): Promise<Section> {
  const chosen = choosePeers(peers, options.only);
  const tool = createH2Load(EIGHT_BY_SIXTEEN);
  const cells = await benchThroughput(site, { ...options, peers: chosen, tool });
  return reportThroughput(report, cells, chosen);
}

function sketchOf(peer: string): string | undefined {
  if (peer === "sallyport-bun-h2") return "node-http2-bun";
  return peer === "sallyport-node-h2" ? "node-http2-node" : undefined;
}

function sameToHttp1(peer: string): string | undefined {
  const isSallyport = peer.startsWith("sallyport-");
  return isSallyport && peer.endsWith("-h2c") ? peer.slice(0, -"-h2c".length) : undefined;
}
