import assert from "node:assert/strict";
import { test } from "node:test";
import { routeSchema } from "../gate/route-options.ts";
import type { Upstream } from "../http/exchange.ts";
import { serviceSchema } from "../http/service-options.ts";
import { buildRoute, type RouteDeps } from "./build-route.ts";

const upstream = {} as Upstream;
const deps = {
  config: {
    authenticators: {},
    services: {
      one: serviceSchema.parse({ endpoints: ["http://127.0.0.1:1"], connectTimeout: "3s" }),
    },
  },
  upstreams: new Map([["one", upstream]]),
  challenges: () => () => "Bearer",
  instruments: { newTraceparent: () => "" },
} as unknown as RouteDeps;

function connectTimeoutOf(written: object): number {
  const base = { name: "all", path: "/*", service: "one", authenticate: ["anonymous"] };
  const route = buildRoute(routeSchema.parse({ ...base, ...written }), deps);
  assert.ok("plan" in route);
  return route.plan.connectTimeoutMs;
}

test("buildRoute() takes the route's connectTimeout, else the service's", () => {
  assert.equal(connectTimeoutOf({}), 3000);
  assert.equal(connectTimeoutOf({ connectTimeout: "250ms" }), 250);
});
