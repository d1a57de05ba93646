import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Cluster, startCluster } from "../../test/kubernetes-api.ts";
import type { Example, World } from "../example.ts";
import { startService } from "../services.ts";

let cluster: Cluster;

const FOR_US = { audiences: ["sallyport"] };

async function ask(world: World, method: string, token: string): Promise<string> {
  const response = await fetch(`http://${world.address("edge")}/orders/1`, {
    method,
    headers: { authorization: `Bearer ${token}` },
  });
  const { reason } = (await response.json()) as { readonly reason?: string };
  return `${response.status}${reason === undefined ? "" : ` ${reason}`}`;
}

export const example: Example = {
  async prepare(ground) {
    cluster = await startCluster({ port: ground.port(6443) });
    ground.onEnd(() => cluster.close());
    const folder = join(ground.folder, "cluster");
    mkdirSync(folder);
    writeFileSync(join(folder, "ca.crt"), cluster.ca);
    writeFileSync(join(folder, "token"), cluster.delegatorToken(), { mode: 0o600 });
    await startService(ground, 9001, "orders");
  },
  tries: [
    {
      shows: "pods of the namespace read orders, and only checkout writes them",
      async run(world) {
        const checkout = cluster.token(FOR_US);
        const cart = cluster.token({ ...FOR_US, serviceAccount: "cart" });
        assert.equal(await ask(world, "GET", cart), "200");
        assert.equal(await ask(world, "PUT", cart), "403 no-permit");
        assert.equal(await ask(world, "PUT", checkout), "200");
        const elsewhere = cluster.token({ ...FOR_US, namespace: "dev" });
        assert.equal(await ask(world, "GET", elsewhere), "403 no-permit");
      },
    },
    {
      shows: "the token that every pod has is for the API server, and opens nothing here",
      async run(world) {
        assert.equal(await ask(world, "GET", cluster.token()), "401 wrong-audience");
      },
    },
    {
      shows: "a token of old, which never ends, is refused",
      async run(world) {
        const old = cluster.token({ ...FOR_US, pod: null, claims: { exp: undefined } });
        assert.equal(await ask(world, "GET", old), "401 missing-claim");
      },
    },
    {
      shows: "a token ends with its pod",
      async run(world) {
        const token = cluster.token({ ...FOR_US, pod: "checkout-7f" });
        assert.equal(await ask(world, "GET", token), "200");
        cluster.deletePod("shop", "checkout-7f");
        const deadline = performance.now() + 20_000;
        while ((await ask(world, "GET", token)) === "200" && performance.now() < deadline);
        assert.equal(await ask(world, "GET", token), "401 inactive-token");
      },
    },
  ],
};
