/** A cluster whose proxies share a Redis, and a limit that they count together. */
import type { TestContext } from "node:test";
import { AUDIENCE } from "../e2e/test-issuer.ts";
import { type Redis, startRedis, whyNoRedis } from "../redis.ts";
import { type Cluster, startCluster } from "./harness.ts";
import { call } from "./load.ts";

export const RATE = 25;

const ROUTES = `
- name: counted
  path: "/counted/*"
  service: orders
  authenticate: [corp]
  audience: [${AUDIENCE}]
  limit: { requests: ${RATE}, per: 24h, by: principal, across: cluster }
- name: busy
  path: "/busy/*"
  service: orders
  authenticate: [corp]
  audience: [${AUDIENCE}]
  limit: { requests: 1000000, per: 1s, by: route, across: cluster }`;

/** Milliseconds: a proxy waits half a second for Redis; the rest is for a busy machine. */
export const ANSWER_MS = 8000;

export async function startWithRedis(
  context: TestContext,
): Promise<{ readonly cluster: Cluster; readonly redis: Redis } | undefined> {
  const missing = whyNoRedis();
  if (missing !== undefined) {
    context.skip(missing);
    return undefined;
  }
  const redis = await startRedis(context);
  const cluster = await startCluster(context, {
    authorities: 1,
    proxies: 2,
    maxStalenessSeconds: 10,
    routes: ROUTES,
    redis: redis.url,
  });
  return cluster && { cluster, redis };
}

/** As often as the rate allows, of each proxy, at once. What was answered with 200. */
export async function count(cluster: Cluster, subject: string): Promise<number> {
  const token = cluster.issuer.token({ sub: subject });
  const asked = cluster.proxies.flatMap(({ edge }) =>
    Array.from({ length: RATE }, (_, index) => call(edge, `/counted/${index}`, { token })),
  );
  return (await Promise.all(asked)).filter(({ status }) => status === 200).length;
}

/** Permits on record of all proxies. */
export function recorded(cluster: Cluster, subject: string): number {
  const found = cluster.proxies
    .flatMap((proxy) => proxy.records())
    .filter((record) => {
      const principal = record["principal"] as { readonly subject?: string } | undefined;
      return (
        record["type"] === "decision" &&
        record["decision"] === "permit" &&
        principal?.subject === subject
      );
    });
  return found.length;
}
