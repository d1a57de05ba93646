import assert from "node:assert/strict";
import type { Example } from "../example.ts";
import { type Seen, startService } from "../services.ts";

export const example: Example = {
  prepare: (ground) => startService(ground, 9001, "catalogue"),
  tries: [
    {
      shows: "anybody reads the catalogue",
      async run(world) {
        const response = await fetch(`http://${world.address("edge")}/catalogue/items`);
        assert.equal(response.status, 200);
        assert.equal(((await response.json()) as Seen).target, "/catalogue/items");
      },
    },
    {
      shows: "nobody writes to it, and the refusal says why",
      async run(world) {
        const url = `http://${world.address("edge")}/catalogue/items`;
        const response = await fetch(url, { method: "POST", body: "{}" });
        assert.equal(response.status, 403);
        assert.equal(((await response.json()) as { reason: string }).reason, "no-permit");
      },
    },
    {
      shows: "what no route names does not exist",
      async run(world) {
        const response = await fetch(`http://${world.address("edge")}/internal`);
        assert.equal(response.status, 404);
        await response.arrayBuffer();
      },
    },
  ],
};
