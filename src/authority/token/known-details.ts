/**
 * `authorization_details` against what is configured: a key that is narrowed to what nobody knows would be
 * good for nothing, and whoever asked for it would be told so by each service instead of here.
 *
 * Refuses names of services, routes and operations that are none of ours, and routes and operations of
 * services that the entry, or the key, is not for. Says which member is wrong, and no name: neither those
 * that it was given nor those that there are.
 */
import type { AccessDetail } from "../../model/access-detail.ts";
import type { Targets } from "./targets.ts";

/** Undefined: every name can fit. `services`: those of the key. */
export function unknownDetail(
  details: readonly AccessDetail[],
  services: readonly string[],
  targets: Targets,
): string | undefined {
  for (const detail of details) {
    const fault = faultOf(detail, services, targets);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function faultOf(
  { services: within, routes = [], operations = [] }: AccessDetail,
  services: readonly string[],
  targets: Targets,
): string | undefined {
  if (within?.some((name) => !targets.services.has(name)) === true) {
    return "services of an entry name one that does not exist";
  }
  const bounds = [within, services];
  const named = [
    ["routes", routes, targets.routes],
    ["operations", operations, targets.operations],
  ] as const;
  for (const [member, names, known] of named) {
    for (const name of names) {
      const service = known.get(name);
      if (service === undefined) return `${member} of an entry name one that no service has`;
      if (bounds.some((bound) => bound?.includes(service) === false)) {
        return `${member} of an entry name one of a service that it is not for`;
      }
    }
  }
  return undefined;
}
