/** What operators see of listeners and routes: how full each listener is, and which service a route leads to. */
import type { Config } from "../config/schema.ts";
import type { Metrics } from "../model/ports.ts";
import type { ListenerSet } from "./listener-set.ts";

export function registerPlaces(
  metrics: Metrics,
  {
    fill,
    config,
  }: { readonly fill: ListenerSet["fill"]; readonly config: () => Pick<Config, "routes"> },
): void {
  metrics.sampledEach("sallyport_listener_connections", "Connections open, by listener.", {
    labels: ["listener"],
    read: () => fill().map(({ name, open }) => ({ labels: [name], value: open })),
  });
  metrics.sampledEach(
    "sallyport_listener_connections_max",
    "Connections that may be open, by listener: `limits.connections`.",
    {
      labels: ["listener"],
      read: () => fill().map(({ name, most }) => ({ labels: [name], value: most })),
    },
  );
  metrics.sampledEach(
    "sallyport_route_info",
    "The service that a route leads to: always 1. For joins.",
    {
      labels: ["route", "service"],
      read: () =>
        config().routes.flatMap(({ name, service }) =>
          service === undefined ? [] : [{ labels: [name, service], value: 1 }],
        ),
    },
  );
}
