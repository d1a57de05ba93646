import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "../config/schema.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { registerPlaces } from "./place-metrics.ts";

test("registerPlaces() shows how full listeners are, and where routes lead as it is now", () => {
  const metrics = createMetrics();
  let routes = [{ name: "bills", service: "billing" }, { name: "moved" }];
  registerPlaces(metrics, {
    fill: () => [{ name: "edge", open: 3, most: 100 }],
    config: () => ({ routes }) as unknown as Pick<Config, "routes">,
  });
  const first = metrics.render().body;
  assert.match(first, /^sallyport_listener_connections\{listener="edge"\} 3$/m);
  assert.match(first, /^sallyport_listener_connections_max\{listener="edge"\} 100$/m);
  assert.match(first, /^sallyport_route_info\{route="bills",service="billing"\} 1$/m);
  assert.doesNotMatch(first, /moved/, "a redirect leads to no service");
  routes = [{ name: "bills", service: "other" }];
  assert.match(metrics.render().body, /\{route="bills",service="other"\} 1$/m);
});
