import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Example, World } from "../example.ts";
import { startService } from "../services.ts";

export const example: Example = {
  prepare: (ground) => startService(ground, 9001, "catalogue"),
  tries: [
    {
      shows: "a policy that is renamed into place is in force a moment later",
      async run(world) {
        assert.equal(await status(world), 200);
        put(world, '@id("closed") forbid (principal, action, resource);');
        await until(async () => (await status(world)) === 403);
      },
    },
    {
      shows: "one that does not parse changes nothing, and readiness says why",
      async run(world) {
        put(world, "permit (");
        await until(async () => (await ready(world)).includes('"notReloaded"'));
        assert.match(await ready(world), /^\{"status":"ready"/);
        assert.match(await ready(world), /catalogue\.cedar:\d+:\d+/);
        assert.equal(await status(world), 403);
      },
    },
    {
      shows: "the next good one clears it",
      async run(world) {
        put(world, '@id("open") permit (principal, action, resource);');
        await until(async () => (await status(world)) === 200);
        await until(async () => !(await ready(world)).includes('"notReloaded"'));
      },
    },
  ],
};

/** By one rename, so that nobody reads half of it. */
function put(world: World, policy: string): void {
  writeFileSync(join(world.folder, "next.cedar"), policy);
  renameSync(join(world.folder, "next.cedar"), join(world.folder, "policies", "catalogue.cedar"));
}

async function ready(world: World): Promise<string> {
  return await (await fetch(`http://${world.address("admin")}/readyz`)).text();
}

async function status(world: World): Promise<number> {
  const response = await fetch(`http://${world.address("edge")}/catalogue/items`);
  await response.arrayBuffer();
  return response.status;
}

async function until(look: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await look())) {
    assert.ok(performance.now() < deadline, "not in time");
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
}
