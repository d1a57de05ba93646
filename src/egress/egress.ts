/** The sidecar as a whole: for each service that may be reached its key, kept at hand, and the way to it. */
import type { Upstream } from "../http/exchange.ts";
import type { WorkloadSource } from "../identity/spiffe/workload-source.ts";
import type { Clock, Counter, Log, Metrics, Timers } from "../model/ports.ts";
import type { exchange } from "../platform/bounded-exchange.ts";
import { createDpopProver } from "./dpop-prover.ts";
import { createEgressDoors, type EgressDoor } from "./egress-gate.ts";
import { type EgressOptions, type EgressServiceOptions, originOf } from "./egress-options.ts";
import type { EgressRoute } from "./egress-route.ts";
import { KeyFault } from "./key-fault.ts";
import { createKeyKeeper, type KeyKeeper } from "./key-keeper.ts";
import { createOwnIdentity, type OwnIdentity } from "./own-identity.ts";
import { createTokenClient } from "./token-client.ts";
import { createTokenEndpoint, type TokenEndpoint } from "./token-endpoint.ts";

export interface EgressDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  /** From 0 to below 1. */
  readonly random: () => number;
  readonly readFile: (path: string) => Uint8Array;
  readonly workload: WorkloadSource | undefined;
  readonly send: typeof exchange;
  /** The way to a service; closed with the sidecar. */
  readonly reach: (name: string, service: EgressServiceOptions) => Upstream;
}

export interface Egress {
  /** By the name of the listener. */
  readonly doors: ReadonlyMap<string, EgressDoor>;
  /** By the name of the service. */
  readonly routes: ReadonlyMap<string, EgressRoute>;
  /** Asks for the first keys. Resolves after the first try of each; never rejects. */
  start(): Promise<void>;
  /** Whether every service can be reached as far as keys go, and how each does. */
  readiness(): { readonly ready: boolean; readonly text: string };
  close(): void;
}

export function createEgress(options: EgressOptions, deps: EgressDeps): Egress {
  const { authority, identity, allow } = options;
  const { issuer, tokenEndpoint, ca } = authority;
  const audience = issuer ?? tokenEndpoint ?? "";
  const own = createOwnIdentity(identity, { ca, audience }, deps);
  const endpoint = createTokenEndpoint(authority, { send: deps.send, tls: () => own.tls() });
  const families = registerFamilies(deps.metrics);
  const routes = new Map<string, EgressRoute>();
  for (const [name, service] of Object.entries(allow)) {
    const counted = (outcome: string): Counter => families.keys.with(name, outcome);
    routes.set(name, routeOf(name, service, { ...deps, own, endpoint, counted }));
  }
  families.show(routes);
  return {
    doors: createEgressDoors(options),
    routes,
    async start() {
      const parts = [...routes.values()];
      await Promise.all(
        parts.flatMap(({ keeper, upstream }) => [keeper.start(), upstream.start()]),
      );
    },
    readiness: () => readinessOf(routes),
    close() {
      for (const { keeper, upstream } of routes.values()) {
        keeper.close();
        upstream.close();
      }
      routes.clear();
    },
  };
}

interface RouteDeps extends EgressDeps {
  readonly own: OwnIdentity;
  readonly endpoint: TokenEndpoint;
  readonly counted: (outcome: string) => Counter;
}

function routeOf(name: string, service: EgressServiceOptions, deps: RouteDeps): EgressRoute {
  const prover = service.bind === "dpop" ? createDpopProver(deps) : undefined;
  const origin = originOf(service);
  return {
    upstream: deps.reach(name, service),
    keeper: keeperOf(name, service, { ...deps, prover }),
    origin,
    host: new URL(origin).host,
    prover,
    nonce: { current: undefined },
    connectTimeoutMs: service.connectTimeout,
    responseTimeoutMs: service.responseTimeout,
    totalTimeoutMs: service.timeout,
    idleTimeoutMs: service.idleTimeout,
    lifetimeMs: service.lifetime,
  };
}

function keeperOf(
  name: string,
  service: EgressServiceOptions,
  deps: RouteDeps & Pick<EgressRoute, "prover">,
): KeyKeeper {
  const { endpoint, own, log, counted } = deps;
  let failing = false;
  return createKeyKeeper({
    ...deps,
    obtain: createTokenClient(name, service, {
      ...deps,
      endpoint: () => endpoint.find(),
      identity: () => own.present(),
    }),
    noted(outcome) {
      if (outcome instanceof KeyFault) {
        const { reason, detail } = outcome;
        // What was found may have moved.
        if (reason === "key-unavailable") endpoint.forget();
        log.warn("no key was obtained", { service: name, reason, detail });
        counted(reason === "key-refused" ? "refused" : "unavailable").inc();
      } else {
        if (failing) log.info("keys are obtained again", { service: name });
        counted("obtained").inc();
      }
      failing = outcome instanceof KeyFault;
    },
  });
}

function readinessOf(routes: ReadonlyMap<string, EgressRoute>): {
  readonly ready: boolean;
  readonly text: string;
} {
  const standings = [...routes].map(([name, { keeper }]) => ({ name, ...keeper.standing() }));
  return {
    ready: standings.every(({ ready }) => ready),
    text: standings.map(({ name, text }) => `${name}: ${text}`).join("; "),
  };
}

function registerFamilies(metrics: Metrics) {
  return {
    keys: metrics.counter(
      "sallyport_egress_keys_total",
      "Times that a key was asked for, by service and outcome (obtained, refused, unavailable).",
      ["service", "outcome"],
    ),
    show(routes: ReadonlyMap<string, EgressRoute>): void {
      metrics.sampledEach(
        "sallyport_egress_key_seconds",
        "Seconds that the key at hand is good for, by service; 0: there is none.",
        {
          labels: ["service"],
          read: () =>
            [...routes].map(([name, { keeper }]) => ({
              labels: [name],
              value: (keeper.standing().leftMs ?? 0) / 1000,
            })),
        },
      );
    },
  };
}
