import assert from "node:assert/strict";
import type { Example, World } from "../example.ts";
import { startService } from "../services.ts";

export const example: Example = {
  prepare: (ground) => startService(ground, 9001, "catalogue"),
  tries: [
    {
      shows: "two workers serve, and readiness and metrics are those of both",
      async run(world) {
        assert.match(await admin(world, "/readyz"), /"workers":"2 of 2 ready"/);
        assert.match(await admin(world, "/metrics"), /^sallyport_workers 2$/m);
      },
    },
    {
      shows:
        "what they let through is what one process would: fifty requests, over any connections",
      async run(world) {
        let through = 0;
        // Whatever one of them has been granted and does not use, it gives back in a moment.
        while (through < 50) through += await ask(world, 20);
        assert.equal(through, 50);
        assert.equal(await ask(world, 20), 0);
      },
    },
    {
      shows: "a worker that is killed is started again",
      async run(world) {
        const pid = Number(
          /"pid":(\d+),"event":"supervisor: a worker serves"/.exec(world.log())?.[1],
        );
        process.kill(pid, "SIGKILL");
        while (!(await admin(world, "/metrics")).includes("sallyport_worker_restarts_total{"))
          await turn();
        while (!(await admin(world, "/readyz")).includes('"workers":"2 of 2 ready"')) await turn();
      },
    },
  ],
};

async function admin(world: World, path: string): Promise<string> {
  return await (await fetch(`http://${world.address("admin")}${path}`)).text();
}

/** How many of so many requests were let through. */
async function ask(world: World, requests: number): Promise<number> {
  const url = `http://${world.address("edge")}/catalogue/items`;
  const answers = await Promise.all(
    Array.from({ length: requests }, async () => {
      const response = await fetch(url, { headers: { connection: "close" } });
      await response.arrayBuffer();
      return response.status;
    }),
  );
  return answers.filter((status) => status === 200).length;
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 50);
  });
}
