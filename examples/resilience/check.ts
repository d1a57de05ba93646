import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import type { Example, World } from "../example.ts";
import { type Seen, startService } from "../services.ts";

/** Requests that reached the fragile service, by method and path. */
const arrived = new Map<string, number>();
/** Answers that the narrow service holds back. */
const held: ServerResponse[] = [];
let well = true;

export const example: Example = {
  async prepare(ground) {
    await startService(ground, 9001, "fragile", (request, response) => {
      const key = `${request.method} ${request.url}`;
      const count = (arrived.get(key) ?? 0) + 1;
      arrived.set(key, count);
      if (count === 1) response.socket?.resetAndDestroy();
      return count === 1;
    });
    await startService(ground, 9002, "checked", (request, response) => {
      if (request.url !== "/healthz") return false;
      response.writeHead(well ? 200 : 503).end();
      return true;
    });
    await startService(ground, 9003, "failing", (_request, response) => {
      response.writeHead(500).end();
      return true;
    });
    await startService(ground, 9004, "well");
    await startService(ground, 9005, "narrow", (request, response) => {
      if (request.url !== "/narrow/hold") return false;
      held.push(response);
      return true;
    });
  },
  tries: [
    {
      shows: "a GET that was reset is sent again",
      async run(world) {
        const response = await ask(world, "/fragile/a");
        assert.equal(response.status, 200);
        assert.equal(((await response.json()) as Seen).service, "fragile");
        assert.equal(arrived.get("GET /fragile/a"), 2);
      },
    },
    {
      shows: "a POST that was reset may have been acted on: 502, and it arrived once",
      async run(world) {
        const response = await ask(world, "/fragile/b", { method: "POST", body: "pay" });
        assert.equal(response.status, 502);
        assert.equal(await reasonOf(response), "upstream-unreachable");
        assert.equal(arrived.get("POST /fragile/b"), 1);
      },
    },
    {
      shows: "a service that fails its checks is 503 with retry-after, until it is well again",
      async run(world) {
        assert.equal(await settled(world, "/checked/x", 200), undefined);
        well = false;
        assert.equal(await settled(world, "/checked/x", 503), "no-endpoint");
        const response = await ask(world, "/checked/x");
        assert.equal(response.headers.get("retry-after"), "5");
        await response.arrayBuffer();
        well = true;
        assert.equal(await settled(world, "/checked/x", 200), undefined);
      },
    },
    {
      shows: "an endpoint that fails twice in a row is put out",
      async run(world) {
        const statuses: number[] = [];
        for (let count = 0; count < 10; count += 1) {
          const response = await ask(world, "/failing/x");
          statuses.push(response.status);
          await response.arrayBuffer();
        }
        assert.equal(statuses.filter((status) => status === 500).length, 2, statuses.join(" "));
        const metrics = await (await fetch(`http://${world.address("admin")}/metrics`)).text();
        assert.match(metrics, /sallyport_upstream_endpoints{service="failing",state="ejected"} 1/);
        assert.match(world.log(), /an endpoint failed too often and is put out/);
      },
    },
    {
      shows: "beyond what an endpoint may have at once one waits, and the next is 503",
      async run(world) {
        const first = ask(world, "/narrow/hold");
        await until(() => held.length === 1);
        const second = ask(world, "/narrow/x");
        await untilMetric(world, 'sallyport_upstream_waiting{service="narrow"} 1');
        const third = await ask(world, "/narrow/x");
        assert.equal(third.status, 503);
        assert.equal(await reasonOf(third), "overloaded");
        assert.equal(third.headers.get("retry-after"), "1");
        held[0]?.end("{}");
        assert.deepEqual([(await first).status, (await second).status], [200, 200]);
        await (await second).arrayBuffer();
      },
    },
    {
      shows: "a service that nobody is at is 502",
      async run(world) {
        const response = await ask(world, "/absent/x");
        assert.equal(response.status, 502);
        assert.equal(await reasonOf(response), "upstream-unreachable");
      },
    },
  ],
};

function ask(world: World, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://${world.address("edge")}${path}`, init);
}

async function reasonOf(response: Response): Promise<string | undefined> {
  return ((await response.json()) as { readonly reason?: string }).reason;
}

/** Asks until the answer has the status; its reason. */
async function settled(world: World, path: string, status: number): Promise<string | undefined> {
  for (;;) {
    const response = await ask(world, path);
    const reason = await reasonOf(response);
    if (response.status === status) return reason;
  }
}

async function untilMetric(world: World, line: string): Promise<void> {
  for (;;) {
    const response = await fetch(`http://${world.address("admin")}/metrics`);
    if ((await response.text()).includes(line)) return;
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
