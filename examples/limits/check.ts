import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import type { Example, World } from "../example.ts";
import { startService } from "../services.ts";

/** Reports that were asked for and are not written yet. */
const pending: ServerResponse[] = [];
let arrived = Promise.withResolvers<void>();

export const example: Example = {
  prepare: (ground) =>
    startService(ground, 9001, "catalogue", (request, response) => {
      if (request.url !== "/reports") return false;
      pending.push(response);
      arrived.resolve();
      arrived = Promise.withResolvers();
      return true;
    }),
  tries: [
    {
      shows: "a caller may ask ten times at once; each answer says what is left",
      async run(world) {
        for (let left = 9; left >= 0; left--) {
          const response = await get(world, "/items/1");
          assert.equal(response.status, 200);
          assert.equal(response.headers.get("ratelimit-policy"), '"address";q=2;w=60');
          assert.match(
            response.headers.get("ratelimit") ?? "",
            new RegExp(`^"address";r=${left};`),
          );
        }
      },
    },
    {
      shows: "the eleventh is refused and told when to come back",
      async run(world) {
        const response = await get(world, "/items/1");
        assert.equal(response.status, 429);
        const seconds = Number(response.headers.get("retry-after"));
        assert.ok(seconds > 0 && seconds <= 30, `${seconds}`);
      },
    },
    {
      shows: "a write is refused by policy and costs nothing of the limit",
      async run(world) {
        const response = await get(world, "/search", "POST");
        assert.equal(response.status, 403);
        assert.equal(response.headers.get("ratelimit"), null);
      },
    },
    {
      shows: "two routes draw on one budget",
      async run(world) {
        for (const path of ["/search", "/suggest", "/search", "/suggest", "/search"]) {
          assert.equal((await get(world, path)).status, 200);
        }
        assert.equal((await get(world, "/suggest")).status, 429);
      },
    },
    {
      shows: "two reports are made at a time; a third one has to wait until one is done",
      async run(world) {
        const both = [ask(world), ask(world)];
        while (pending.length < 2) await arrived.promise;
        const third = await get(world, "/reports");
        assert.equal(third.status, 429);
        assert.equal(third.headers.get("retry-after"), "1");
        for (const response of pending.splice(0)) response.end("done");
        for (const response of await Promise.all(both)) assert.equal(response.status, 200);
        const next = ask(world);
        while (pending.length < 1) await arrived.promise;
        pending.pop()?.end("done");
        assert.equal((await next).status, 200);
      },
    },
  ],
};

async function get(world: World, path: string, method = "GET"): Promise<Response> {
  const response = await fetch(`http://${world.address("edge")}${path}`, { method });
  await response.arrayBuffer();
  return response;
}

function ask(world: World): Promise<Response> {
  return get(world, "/reports");
}
