/**
 * For which services a key is asked: `audience` (RFC 8693) names a service, `resource` (RFC 8707) is
 * `urn:sallyport:service:NAME` or an audience that the routes of exactly one service declare. What names no
 * service, or could mean two, is refused.
 */
import { operationAction } from "../../model/vocabulary.ts";
import type { Form } from "./form.ts";
import { TokenFault } from "./token-fault.ts";

const SERVICE_URN = "urn:sallyport:service:";

export interface Targets {
  readonly services: ReadonlySet<string>;
  /** Service by what its routes declare as their audience; those of several services are left out. */
  readonly audiences: ReadonlyMap<string, string>;
  /** Service by name of a route; those without a service take no keys, and are left out. */
  readonly routes: ReadonlyMap<string, string>;
  /** Service by what policies call an operation, such as `billing:getInvoice`. */
  readonly operations: ReadonlyMap<string, string>;
}

/** A route, as far as it says for whom tokens are. */
interface TargetRoute {
  readonly name: string;
  readonly service?: string | undefined;
  readonly audience?: readonly string[] | undefined;
}

/** What a configuration has; `operations` are service and id of each. */
export function createTargets(
  services: Iterable<string>,
  routes: readonly TargetRoute[],
  operations: Iterable<readonly [service: string, id: string]>,
): Targets {
  const found = new Map<string, string | undefined>();
  for (const { service, audience = [] } of routes) {
    if (service === undefined) continue;
    for (const one of audience) {
      found.set(one, found.has(one) && found.get(one) !== service ? undefined : service);
    }
  }
  const audiences = new Map<string, string>();
  for (const [audience, service] of found) {
    if (service !== undefined) audiences.set(audience, service);
  }
  return {
    services: new Set(services),
    audiences,
    routes: new Map(
      routes.flatMap(({ name, service }) => (service === undefined ? [] : [[name, service]])),
    ),
    operations: new Map(
      Array.from(operations, ([service, id]) => [operationAction(service, id), service]),
    ),
  };
}

/** Names of services, each once; none where nothing is named. */
export function targetsOf(form: Form, targets: Targets): readonly string[] | TokenFault {
  const named = new Set<string>();
  for (const audience of form.all("audience")) {
    if (!targets.services.has(audience)) return unknown("audience");
    named.add(audience);
  }
  for (const resource of form.all("resource")) {
    const service = resource.startsWith(SERVICE_URN)
      ? resource.slice(SERVICE_URN.length)
      : targets.audiences.get(resource);
    if (service === undefined || !targets.services.has(service)) return unknown("resource");
    named.add(service);
  }
  return [...named];
}

function unknown(parameter: string): TokenFault {
  return new TokenFault("invalid_target", `${parameter} names no service that keys are made for`);
}
