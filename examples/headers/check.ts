import assert from "node:assert/strict";
import type { Example, World } from "../example.ts";
import { type Seen, startService } from "../services.ts";

async function ask(
  world: World,
  target: string,
  headers: Record<string, string> = {},
): Promise<{ readonly response: Response; readonly seen: Seen }> {
  const response = await fetch(`http://${world.address("edge")}${target}`, { headers });
  return { response, seen: (await response.json()) as Seen };
}

export const example: Example = {
  prepare: (ground) =>
    startService(ground, 9001, "shop", (_request, response) => {
      response.setHeader("x-powered-by", "shop 1.0");
      return false;
    }),
  tries: [
    {
      shows: "the service reads the tenant from a field and from the query, as the path has it",
      async run(world) {
        const { seen } = await ask(world, "/tenants/acme/orders?page=2", { "x-tenant": "forged" });
        assert.equal(seen.headers["x-tenant"], "acme");
        assert.equal(seen.headers["x-caller"], "anonymous");
        assert.equal(seen.headers["x-page"], "2");
        assert.equal(seen.target, "/tenants/acme/orders?page=2&tenant=acme");
      },
    },
    {
      shows: "what the caller writes into these fields is gone, also where nothing is set",
      async run(world) {
        const { seen } = await ask(world, "/tenants/acme/orders?%61dmin=1", {
          "x-page": "9",
          "x-debug": "1",
          "x-client": "app",
          "x-shop-client": "forged",
        });
        assert.equal(seen.headers["x-page"], undefined);
        assert.equal(seen.headers["x-debug"], undefined);
        assert.equal(seen.headers["x-shop-client"], "app");
        assert.equal(seen.target, "/tenants/acme/orders?tenant=acme");
      },
    },
    {
      shows: "the answer hides what the service is made of",
      async run(world) {
        const { response } = await ask(world, "/tenants/acme/orders");
        assert.equal(response.headers.get("x-powered-by"), null);
        assert.equal(response.headers.get("x-tenant"), "acme");
      },
    },
    {
      shows: "a value that would end a field is refused, and nothing of it is sent",
      async run(world) {
        const url = `http://${world.address("edge")}/tenants/a%0d%0ax-admin:1/orders`;
        const response = await fetch(url);
        assert.equal(response.status, 400);
        assert.equal(((await response.json()) as { reason: string }).reason, "unfit-value");
      },
    },
  ],
};
