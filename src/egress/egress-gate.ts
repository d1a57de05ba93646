/**
 * The sidecar before the gate: each service that may be reached is a route of its own, found by Host, and the list
 * itself is the policy. Who calls is the workload beside us, as which the listener stands for it: only who is on
 * this machine, or may open the socket, gets so far.
 */
import { hash } from "node:crypto";
import { createRouter, type RoutePattern } from "../gate/router.ts";
import type { GateRoute, GateSnapshot } from "../gate/snapshot.ts";
import { LOCAL_AUTHENTICATOR } from "../model/admin-operations.ts";
import { EGRESS_POLICY, egressRoute } from "../model/egress-names.ts";
import type { Policies, PolicyDecision } from "../model/policy.ts";
import type { Principal } from "../model/principal.ts";
import { METHODS } from "../model/vocabulary.ts";
import { parseAuthority } from "../wire/authority.ts";
import type {
  EgressListenerOptions,
  EgressOptions,
  EgressServiceOptions,
} from "./egress-options.ts";

/** A listener, as the handler asks for it. */
export interface EgressDoor {
  readonly snapshot: GateSnapshot;
  /** Whether callers have to send the field that no page in a browser can set. */
  readonly asksForField: boolean;
  /** The service of each route. */
  readonly services: ReadonlyMap<GateRoute, string>;
}

/** By the name of the listener. */
export function createEgressDoors(options: EgressOptions): ReadonlyMap<string, EgressDoor> {
  const policies = allowing(options);
  return new Map(
    options.listeners.map((listener) => [listener.name, doorOf(listener, options, policies)]),
  );
}

function doorOf(
  listener: EgressListenerOptions,
  { allow }: EgressOptions,
  policies: Policies,
): EgressDoor {
  const services = new Map<GateRoute, string>();
  const local = workloadAt(listener.name);
  const routes = Object.entries(allow).flatMap(([name, service]) => {
    if (listener.service !== undefined && listener.service !== name) return [];
    const value = routeOf(name, service, local);
    services.set(value, name);
    return hostsOf(listener, service).map((host): RoutePattern & { readonly value: GateRoute } => ({
      name: value.name,
      host,
      path: "/*",
      methods: undefined,
      value,
    }));
  });
  return {
    asksForField: listener.socket === undefined,
    services,
    snapshot: { router: createRouter(routes, METHODS), anyPathParameters: true, policies },
  };
}

function routeOf(name: string, { upgrades }: EgressServiceOptions, local: Principal): GateRoute {
  return {
    name: egressRoute(name),
    service: name,
    local,
    bearer: undefined,
    anonymous: false,
    audience: undefined,
    namesHost: true,
    params: [],
    // What they mean is the service's to say, and its ingress decides about them.
    pathParameters: true,
    websocket: upgrades.includes("websocket"),
  };
}

/** Where the listener is for one service, callers may know it by the listener's own place. */
function hostsOf(
  { service, address, socket }: EgressListenerOptions,
  { host }: EgressServiceOptions,
): string[] {
  if (service === undefined) return [host];
  const own = address === undefined ? undefined : parseAuthority(address)?.host;
  const local = socket === undefined ? ["localhost", "127.0.0.1", "[::1]"] : ["localhost"];
  return [...new Set([host, ...local, ...(own === undefined ? [] : [own])])];
}

function workloadAt(listener: string): Principal {
  return Object.freeze({
    kind: "workload",
    authenticator: LOCAL_AUTHENTICATOR,
    subject: listener,
    roles: Object.freeze([]),
    groups: Object.freeze([]),
    attributes: Object.freeze({}),
  });
}

const PERMITTED: PolicyDecision = Object.freeze({
  reason: "permitted",
  determining: Object.freeze([EGRESS_POLICY]),
  erroring: Object.freeze([]),
  reads: Object.freeze([]),
});

/** What has a route is in the list. */
function allowing({ allow }: EgressOptions): Policies {
  return {
    hash: `sha256-${hash("sha256", JSON.stringify(allow), "base64url")}`,
    decide: () => PERMITTED,
  };
}
