/**
 * Which records are asked for, and whether one is among them. The side index narrows by the same
 * filter, and what it finds is held against this again, as are the records that `tail` and `export` read.
 */
import type { EventName } from "../../model/events.ts";
import type { RecordLine } from "../../model/record-feed.ts";
import { type Cidr, cidrContains, parseAddress } from "../../wire/address.ts";

/** All that is said must hold; of a list, one of it. Empty lists and what is undefined ask for nothing. */
export interface RecordFilter {
  /** `<authenticator>/<subject>`, as records have it. */
  readonly principals: readonly string[];
  readonly routes: readonly string[];
  readonly services: readonly string[];
  readonly decision: "permit" | "deny" | undefined;
  readonly reasons: readonly string[];
  readonly events: readonly EventName[];
  /** Decision ids. */
  readonly ids: readonly string[];
  readonly addresses: readonly Cidr[];
  /** Milliseconds since the epoch, from this one on. */
  readonly fromMs: number | undefined;
  /** Until this one, which is not among them. */
  readonly toMs: number | undefined;
}

export const EVERYTHING: RecordFilter = {
  principals: [],
  routes: [],
  services: [],
  decision: undefined,
  reasons: [],
  events: [],
  ids: [],
  addresses: [],
  fromMs: undefined,
  toMs: undefined,
};

/**
 * Whether the filter says nothing but times and ids, which all records have. By anything else only
 * decisions and events are found: completions belong to their decisions, summaries to nobody.
 */
export function asksOnlyWhen(filter: RecordFilter): boolean {
  const { principals, routes, services, decision, reasons, events, addresses } = filter;
  const lists = [principals, routes, services, reasons, events, addresses];
  return decision === undefined && lists.every((list) => list.length === 0);
}

export function createMatcher(filter: RecordFilter): (record: RecordLine) => boolean {
  const onlyWhen = asksOnlyWhen(filter);
  return (record) => {
    if (!isWithin(filter, Date.parse(record.time))) return false;
    if (!hasId(filter.ids, record)) return false;
    if (onlyWhen) return true;
    if (record.type === "decision") return matchesDecision(filter, record);
    return record.type === "event" && matchesEvent(filter, record);
  };
}

/** `<authenticator>/<subject>` of a decision or an event; `anonymous` for callers without an identity. */
export function principalOf(record: RecordLine): string | undefined {
  if (record.type === "event") return record.principal;
  if (record.type !== "decision" || record.principal === undefined) return undefined;
  const { kind, authenticator, subject } = record.principal;
  return kind === "anonymous" ? ANONYMOUS : `${authenticator}/${subject}`;
}

/** No name of anybody else: those have a slash. */
export const ANONYMOUS = "anonymous";

/** Whether the member stands in the record as a keyed hash. */
export function hides(record: RecordLine, member: string): boolean {
  return record.type === "decision" && record.redacted?.includes(member) === true;
}

/** Whether an address, or the network that an event names, is among those that are asked for. */
export function isAmong(addresses: readonly Cidr[], text: string | undefined): boolean {
  if (text === undefined) return false;
  const address = parseAddress(text.replace(/\/\d+$/, ""));
  return address !== undefined && addresses.some((one) => cidrContains(one, address));
}

function isWithin({ fromMs, toMs }: RecordFilter, timeMs: number): boolean {
  return (fromMs === undefined || timeMs >= fromMs) && (toMs === undefined || timeMs < toMs);
}

function hasId(ids: readonly string[], record: RecordLine): boolean {
  if (ids.length === 0) return true;
  return "decisionId" in record && ids.includes(record.decisionId);
}

type DecisionOf = Extract<RecordLine, { readonly type: "decision" }>;
type EventOf = Extract<RecordLine, { readonly type: "event" }>;

function matchesDecision(filter: RecordFilter, record: DecisionOf): boolean {
  const { decision, addresses } = filter;
  return (
    filter.events.length === 0 &&
    (decision === undefined || record.decision === decision) &&
    isOneOf(filter.principals, principalOf(record)) &&
    isOneOf(filter.routes, record.route) &&
    isOneOf(filter.services, record.service) &&
    isOneOf(filter.reasons, record.reason) &&
    (addresses.length === 0 ||
      isAmong(addresses, record.peerAddress) ||
      isAmong(addresses, record.clientAddress))
  );
}

function matchesEvent(filter: RecordFilter, record: EventOf): boolean {
  const { decision, routes, services, reasons } = filter;
  if (decision !== undefined || [routes, services, reasons].some((list) => list.length > 0)) {
    return false;
  }
  return (
    isOneOf(filter.principals, record.principal) &&
    isOneOf(filter.events, record.event) &&
    (filter.addresses.length === 0 || isAmong(filter.addresses, record.address))
  );
}

function isOneOf(wanted: readonly string[], value: string | undefined): boolean {
  return wanted.length === 0 || (value !== undefined && wanted.includes(value));
}
