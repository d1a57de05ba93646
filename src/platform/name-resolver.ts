/**
 * Names to addresses. A fully qualified name (with a dot at its end) is asked of DNS, which says how
 * long the answer holds; any other goes through the system's own way, hosts file and search list
 * included, which does not say.
 */
import { promises as dns } from "node:dns";
import type { NameResolver } from "../model/ports.ts";

/** What of `node:dns` is used; a test turns it, or points it at a server of its own. */
export interface DnsQueries {
  resolve4(name: string, options: { ttl: true }): Promise<{ address: string; ttl: number }[]>;
  resolve6(name: string, options: { ttl: true }): Promise<{ address: string; ttl: number }[]>;
  lookup(name: string, options: { all: true }): Promise<{ address: string }[]>;
}

/** Codes that say: the name is there, but has no address of this kind. */
const NONE: ReadonlySet<string> = new Set(["ENODATA", "ENOTFOUND"]);

export function createNameResolver(queries: DnsQueries = dns): NameResolver {
  return {
    async resolve(name) {
      if (!name.endsWith(".")) {
        const found = await queries.lookup(name, { all: true });
        return { addresses: found.map(({ address }) => address), ttlSeconds: undefined };
      }
      const kinds = await Promise.allSettled([
        queries.resolve4(name, { ttl: true }),
        queries.resolve6(name, { ttl: true }),
      ]);
      const records = kinds.flatMap((kind) => (kind.status === "fulfilled" ? kind.value : []));
      const failures = kinds.flatMap((kind) =>
        kind.status === "rejected" ? [kind.reason as Error & { code?: string }] : [],
      );
      // One kind that could not be asked for is a failure: half the endpoints would seem gone.
      const failure =
        failures.find(({ code }) => !NONE.has(code ?? "")) ??
        (records.length === 0 ? failures[0] : undefined);
      if (failure !== undefined) throw failure;
      return {
        addresses: records.map(({ address }) => address),
        ttlSeconds: records.reduce((least, { ttl }) => Math.min(least, ttl), Infinity),
      };
    },
  };
}
