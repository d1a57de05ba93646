/**
 * What is left of `authorization_details` when one list narrows another: exactly the requests that fit
 * both.
 *
 * An entry names requests by all of its members, a list by any of its entries; so two entries meet member
 * by member, and two lists in the pairs of their entries.
 */
import { ACCESS_DETAIL_TYPE, type AccessDetail } from "../model/access-detail.ts";
import {
  ACCESS_DETAIL_MEMBERS,
  type AccessDetailMember,
  parseAccessDetails,
} from "../wire/access-details.ts";

/** The names that there are. */
export interface AccessNames {
  service(name: string): boolean;
  route(name: string): boolean;
  /** In capitals. */
  method(name: string): boolean;
  operation(id: string): boolean;
}

const NAMED: Readonly<Record<AccessDetailMember, keyof AccessNames>> = {
  services: "service",
  routes: "route",
  methods: "method",
  operations: "operation",
};

/** What a request asks for. A name that there is not is refused: it would narrow to nothing, unnoticed. */
export function askedDetails(
  text: string,
  names: AccessNames,
): readonly AccessDetail[] | { readonly fault: string } {
  const details = parseAccessDetails(text);
  if ("fault" in details) return details;
  for (const detail of details) {
    for (const member of ACCESS_DETAIL_MEMBERS) {
      const kind = NAMED[member];
      if (detail[member]?.every((name) => names[kind](name)) === false) {
        return { fault: `${member} has a name that no ${kind} has` };
      }
    }
  }
  return details;
}

/** The requests that fit both; empty: there are none. Undefined stands for all requests. */
export function meetDetails(
  one: readonly AccessDetail[] | undefined,
  other: readonly AccessDetail[] | undefined,
): readonly AccessDetail[] | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  const met = one.flatMap((a) => other.flatMap((b) => meetEntries(a, b) ?? []));
  return withoutCovered(met);
}

/** Those that lead to one of the services, and to no other. */
export function withinServices(
  details: readonly AccessDetail[],
  services: readonly string[],
): readonly AccessDetail[] {
  return withoutCovered(
    details.flatMap((detail) => {
      if (detail.services === undefined) return [detail];
      return meetEntries(detail, { type: ACCESS_DETAIL_TYPE, services }) ?? [];
    }),
  );
}

function meetEntries(one: AccessDetail, other: AccessDetail): AccessDetail | undefined {
  const met: { type: AccessDetail["type"] } & Partial<
    Record<AccessDetailMember, readonly string[]>
  > = { type: ACCESS_DETAIL_TYPE };
  for (const member of ACCESS_DETAIL_MEMBERS) {
    const [a, b] = [one[member], other[member]];
    const names = a === undefined || b === undefined ? (a ?? b) : both(a, b);
    if (names === undefined) continue;
    if (names.length === 0) return undefined;
    met[member] = names;
  }
  return Object.freeze(met);
}

function both(one: readonly string[], other: readonly string[]): readonly string[] {
  const names = new Set(other);
  return one.filter((name) => names.has(name));
}

/** Without entries that say nothing which another does not say already. */
function withoutCovered(details: readonly AccessDetail[]): readonly AccessDetail[] {
  const kept: AccessDetail[] = [];
  for (const detail of details) {
    if (kept.some((other) => covers(other, detail))) continue;
    for (let at = kept.length - 1; at >= 0; at--) {
      const other = kept[at];
      if (other !== undefined && covers(detail, other)) kept.splice(at, 1);
    }
    kept.push(detail);
  }
  return kept;
}

function covers(wide: AccessDetail, narrow: AccessDetail): boolean {
  return ACCESS_DETAIL_MEMBERS.every((member) => {
    const names = wide[member];
    return names === undefined || narrow[member]?.every((name) => names.includes(name)) === true;
  });
}
