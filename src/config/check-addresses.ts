/** Two things cannot be bound to one address. Port 0 is a new port each time. */
import type { Draft } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";

interface Bound {
  readonly label: string;
  readonly path: Path;
  readonly host: string;
  readonly port: string;
}

/** Addresses that stand for all of a machine's. */
const WILDCARDS: ReadonlySet<string> = new Set(["0.0.0.0", "[::]"]);

export function checkAddresses(draft: Draft): PathProblem[] {
  const bound: Bound[] = draft.listeners.map(({ name, path, options }) =>
    split(`listener "${name}"`, [...path, "address"], options.address),
  );
  if (draft.admin?.address !== undefined) {
    bound.push(split("admin", ["admin", "address"], draft.admin.address));
  }
  const serve = draft.authority?.serve;
  if (serve !== undefined) {
    bound.push(split("the feed", ["authority", "serve", "address"], serve.address));
  }
  for (const [index, { name, address }] of (draft.egress?.listeners ?? []).entries()) {
    if (address === undefined) continue;
    bound.push(split(`listener "${name}"`, ["egress", "listeners", index, "address"], address));
  }
  return bound.flatMap((one, index) => {
    const other = bound.slice(0, index).find((earlier) => overlap(earlier, one));
    if (other === undefined) return [];
    const message = `${other.label} is bound to this address already`;
    return [{ path: one.path, message, remedy: "another port" }];
  });
}

function split(label: string, path: Path, address: string): Bound {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).toLowerCase();
  const port = String(Number(address.slice(colon + 1)));
  return { label, path, host: host === "localhost" ? "127.0.0.1" : host, port };
}

function overlap(one: Bound, other: Bound): boolean {
  if (one.port !== other.port || one.port === "0") return false;
  return one.host === other.host || WILDCARDS.has(one.host) || WILDCARDS.has(other.host);
}
