import assert from "node:assert/strict";
import type { Example, World } from "../example.ts";
import { type Seen, startService } from "../services.ts";

/** Names of the services that answered, in order. */
async function answeredBy(
  world: World,
  path: string,
  headers: readonly Record<string, string>[],
): Promise<string[]> {
  const names: string[] = [];
  for (const one of headers) {
    const response = await fetch(`http://${world.address("edge")}${path}`, { headers: one });
    assert.equal(response.status, 200);
    names.push(((await response.json()) as Seen).service);
  }
  return names;
}

/** Requests that the second service holds back. */
const held: unknown[] = [];

async function holding(): Promise<void> {
  while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
}

const EIGHT = Array.from({ length: 8 }, () => ({}));

export const example: Example = {
  async prepare(ground) {
    await startService(ground, 9001, "first");
    // Holds back what it is asked to, so that it has requests in flight.
    await startService(ground, 9002, "second", (request) => {
      if (request.url?.endsWith("/hold") !== true) return false;
      held.push(request);
      return true;
    });
  },
  tries: [
    {
      shows: "weights: three of four requests go to the first endpoint, never bunched",
      async run(world) {
        const names = await answeredBy(world, "/turns/x", EIGHT);
        assert.equal(names.filter((name) => name === "first").length, 6);
        assert.equal(names.slice(0, 4).filter((name) => name === "second").length, 1);
      },
    },
    {
      shows: "consistent-hash: a tenant stays at its endpoint, and tenants are spread",
      async run(world) {
        const tenants = Array.from({ length: 20 }, (_, index) => ({ "x-tenant": `t${index}` }));
        const once = await answeredBy(world, "/sticky/x", tenants);
        assert.deepEqual(await answeredBy(world, "/sticky/x", tenants), once);
        assert.equal(new Set(once).size, 2);
      },
    },
    {
      shows: "least-requests: an endpoint that is busy is passed over",
      async run(world) {
        const leaving = new AbortController();
        const url = `http://${world.address("edge")}/least/hold`;
        const asked: Promise<unknown>[] = [];
        // The first endpoint answers at once; sooner or later one goes to the second and stays there.
        while (held.length === 0) {
          const response = fetch(url, { signal: leaving.signal });
          const settled = response.then((one) => one.arrayBuffer());
          asked.push(settled.catch(() => undefined));
          await Promise.race([settled, holding()]);
        }
        assert.deepEqual(new Set(await answeredBy(world, "/least/x", EIGHT)), new Set(["first"]));
        leaving.abort();
        await Promise.all(asked);
      },
    },
    {
      shows: "dns: a name stands for its addresses",
      async run(world) {
        assert.deepEqual(await answeredBy(world, "/named/x", [{}, {}]), ["first", "first"]);
      },
    },
  ],
};
