/**
 * A service that takes one request at once and lets two wait, and more callers than that. Now and then it fails its
 * health checks, and is used all the same, for there is no other.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { TestContext } from "node:test";
import { json, startServer } from "../e2e/sidecar.ts";
import { call, type Part } from "./part.ts";

const LIMITS = {
  /** Milliseconds that the service takes: one that waits gets its turn in time, the second does not. */
  answer: 300,
  wait: 400,
} as const;

export async function startCrowd(t: Pick<TestContext, "after">): Promise<Part> {
  let checks = 0;
  const service = await startServer(t, (response, { url }) => {
    if (url === "/healthz") {
      checks += 1;
      return json(response, checks % 6 < 4 ? 200 : 503, {});
    }
    void sleep(LIMITS.answer).then(() => json(response, 200, {}));
  });
  return {
    options: {
      services: `  crowded:
    endpoints: ["${service.origin}"]
    health: { path: /healthz, interval: 1s, healthy: 1, unhealthy: 1 }
    breaker: { requests: 1, queue: 2, queueTimeout: ${LIMITS.wait}ms }
`,
      routes: `  - { name: crowded, path: "/crowded/*", service: crowded, authenticate: [anonymous] }\n`,
    },
    aside({ stage }, round) {
      const callers = round % 25 === 0 ? 4 : round % 8 === 0 ? 2 : 0;
      return Array.from({ length: callers }, () => call(stage.proxy, "/crowded/x"));
    },
  };
}
