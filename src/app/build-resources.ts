/** What OAuth clients are told of the routes of a configuration, where listeners tell it. */
import type { Config } from "../config/schema.ts";
import { ofRouteOrService } from "../gate/identity-options.ts";
import type { RouteOptions } from "../gate/route-options.ts";
import type { GateRoute } from "../gate/snapshot.ts";
import { authorizationServerOf } from "../identity/authorization-servers.ts";
import {
  createProtectedResources,
  type ProtectedResources,
  type ProtectedRoute,
} from "../proxy/protected-resources.ts";

/** Undefined where no listener does, or there is nothing to tell. */
export function buildResources(
  config: Config,
  routes: readonly { readonly options: RouteOptions; readonly value: GateRoute }[],
): ProtectedResources | undefined {
  const listeners = config.listeners.flatMap(({ name, serve, publicOrigin, tls }) =>
    serve.includes("well-known") && publicOrigin !== undefined && isPrivate(publicOrigin)
      ? [{ name, publicOrigin, certificates: tls?.clients !== undefined }]
      : [],
  );
  const told = routes.flatMap(({ options, value }) => protectedRoute(config, options, value));
  if (listeners.length === 0 || told.length === 0) return undefined;
  return createProtectedResources(told, { listeners, proofAlgorithms: config.dpop.algorithms });
}

function protectedRoute(
  { authenticators, services }: Config,
  options: RouteOptions,
  route: GateRoute,
): ProtectedRoute[] {
  if (options.resource === false) return [];
  const own = services[options.service ?? ""]?.resource;
  const authorizationServers = options.authenticate.flatMap((name) => {
    const authenticator = authenticators[name];
    return (authenticator && authorizationServerOf(authenticator)) ?? [];
  });
  if (authorizationServers.length === 0) return [];
  const { host, path, confirmation } = options;
  return [
    {
      route,
      host,
      path,
      options: ofRouteOrService(options.resource, own) ?? {},
      name: options.service ?? options.name,
      authorizationServers,
      bound: confirmation === "required",
    },
  ];
}

/** Section 1.2: a resource is an https: URL; http: is for those who try it on their own machine. */
function isPrivate(origin: string): boolean {
  const { protocol, hostname } = new URL(origin);
  return protocol === "https:" || /^(?:localhost|\[::1\]|127(?:\.\d+){3})$/.test(hostname);
}
