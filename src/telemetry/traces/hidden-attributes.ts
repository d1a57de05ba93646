/**
 * What spans leave out because it is redacted in the audit log: who reads traces would have beside the
 * decision's id what its record hides.
 */
import type { Span } from "./span.ts";

interface Hiding {
  readonly attributes: readonly string[];
  /** Members of a record, by the names of `audit.redact`; each stands for those below it as well. */
  readonly by: readonly string[];
}

const ADDRESSES = ["clientAddress", "peerAddress"];

/** Anybody's: a path may hold it. */
const OF_PEOPLE = [
  "actor.subject",
  "device.attributes",
  "device.subject",
  "principal.attributes",
  "principal.groups",
  "principal.subject",
  "workload.subject",
];

const OF_SERVER: readonly Hiding[] = [
  // Where no proxy is in front, one is the other.
  { attributes: ["client.address", "network.peer.address", "network.peer.port"], by: ADDRESSES },
  { attributes: ["server.address", "server.port"], by: ["host"] },
  { attributes: ["url.path"], by: ["path", "params", "host", ...ADDRESSES, ...OF_PEOPLE] },
  { attributes: ["url.query"], by: ["query"] },
  { attributes: ["sallyport.principal"], by: ["principal.subject"] },
];

/** Of an attempt; `server.address` is the endpoint there, which the configuration names. */
const OF_CLIENT: readonly Hiding[] = OF_SERVER.filter(({ attributes }) =>
  attributes.includes("url.path"),
);

/** Undefined where nothing is left out. `redact`: names as `audit.redact` has them. */
export function hidingSpans(redact: readonly string[]): ((span: Span) => Span) | undefined {
  const server = hidden(OF_SERVER, redact);
  const client = hidden(OF_CLIENT, redact);
  if (server.size === 0) return undefined;
  return (span) => ({
    ...span,
    attributes: Object.fromEntries(
      Object.entries(span.attributes).filter(
        ([name]) => !(span.kind === "server" ? server : client).has(name),
      ),
    ),
  });
}

function hidden(from: readonly Hiding[], redact: readonly string[]): ReadonlySet<string> {
  const names = from.flatMap(({ attributes, by }) =>
    redact.some((name) => by.some((one) => name === one || name.startsWith(`${one}.`)))
      ? attributes
      : [],
  );
  return new Set(names);
}
