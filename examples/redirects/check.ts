import assert from "node:assert/strict";
import { request } from "node:http";
import type { Example, World } from "../example.ts";
import { type Seen, startService } from "../services.ts";

/** Where a GET is sent; `fetch` would not let us write Host. */
function locationOf(
  world: World,
  path: string,
  host = "api.example",
): Promise<{ readonly status: number | undefined; readonly location: string | undefined }> {
  const [address, port] = world.address("edge").split(":");
  return new Promise((resolve, reject) => {
    request({ host: address, port, path, headers: { host }, agent: false }, (response) => {
      response.resume();
      const { statusCode: status, headers } = response;
      response.on("end", () => resolve({ status, location: headers.location }));
    })
      .on("error", reject)
      .end();
  });
}

export const example: Example = {
  prepare: (ground) => startService(ground, 9001, "shop"),
  tries: [
    {
      shows: "plain HTTP is sent to HTTPS on the same host",
      async run(world) {
        assert.deepEqual(await locationOf(world, "/cart?a=1", "eu.shop.example"), {
          status: 308,
          location: "https://eu.shop.example/cart?a=1",
        });
      },
    },
    {
      shows: "an old address leads to the new one, with its parameter",
      async run(world) {
        assert.deepEqual(await locationOf(world, "/articles/7%2A"), {
          status: 301,
          location: "https://www.shop.example/items/7%2A",
        });
      },
    },
    {
      shows: "a path moves within its host",
      async run(world) {
        assert.deepEqual(await locationOf(world, "/old/7?from=mail"), {
          status: 307,
          location: "/items/7",
        });
      },
    },
    {
      shows: "no caller chooses where it leads",
      async run(world) {
        const { status, location } = await locationOf(world, "/cart", "evil.example");
        assert.equal(status, 404);
        assert.equal(location, undefined);
      },
    },
    {
      shows: "the service gets another path and another Host",
      async run(world) {
        const response = await fetch(`http://${world.address("edge")}/items/7`);
        const seen = (await response.json()) as Seen;
        assert.equal(seen.target, "/v2/catalogue/7/view");
        assert.equal(seen.headers["host"], "shop.internal");
      },
    },
  ],
};
