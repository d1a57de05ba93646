/** A service that takes one request at once and lets two wait, and a few more callers than that at times. */
import { setTimeout as sleep } from "node:timers/promises";
import type { TestContext } from "node:test";
import { json, startServer } from "../e2e/sidecar.ts";
import { call, type Part } from "./part.ts";

const LIMITS = {
  /** Milliseconds that the service takes: one that waits gets its turn in time, the second does not. */
  answer: 150,
  wait: 200,
} as const;

export async function startCrowd(t: Pick<TestContext, "after">): Promise<Part> {
  const service = await startServer(t, (response) => {
    void sleep(LIMITS.answer).then(() => json(response, 200, {}));
  });
  return {
    options: {
      services: `  crowded:
    endpoints: ["${service.origin}"]
    breaker: { requests: 1, queue: 2, queueTimeout: ${LIMITS.wait}ms }
`,
      routes: `  - { name: crowded, path: "/crowded/*", service: crowded, authenticate: [anonymous] }\n`,
    },
    aside({ stage }, round) {
      const callers = round % 25 === 0 ? 4 : round % 10 === 0 ? 2 : 0;
      return Array.from({ length: callers }, () => call(stage.proxy, "/crowded/x"));
    },
  };
}
