import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type IntrospectionProvider,
  startIntrospectionProvider,
} from "../../test/introspection-provider.ts";
import type { Example, World } from "../example.ts";
import { startService } from "../services.ts";

const SECRET = "of-the-example-only";
const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });

let provider: IntrospectionProvider;

async function ask(world: World, path: string, token: string): Promise<string> {
  const response = await fetch(`http://${world.address("edge")}${path}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const { reason } = (await response.json()) as { readonly reason?: string };
  return `${response.status}${reason === undefined ? "" : ` ${reason}`}`;
}

/** What the provider tells about a token of ann's. */
function ann(more: object = {}): object {
  const exp = Math.floor(Date.now() / 1000) + 600;
  const aud = "https://api.example.com";
  return {
    sub: "ann",
    grant: "authorization_code",
    roles: ["Clerk"],
    scope: "orders",
    aud,
    exp,
    ...more,
  };
}

export const example: Example = {
  async prepare(ground) {
    const folder = join(ground.folder, "secrets");
    mkdirSync(folder, { mode: 0o700 });
    writeFileSync(join(folder, "introspection"), SECRET, { mode: 0o600 });
    const pem = privateKey.export({ type: "pkcs8", format: "pem" });
    writeFileSync(join(folder, "client.key"), pem, { mode: 0o600 });
    provider = await startIntrospectionProvider({
      port: ground.port(9100),
      clients: { gateway: { secret: SECRET, method: "basic" }, "payments-gateway": { publicKey } },
    });
    ground.onEnd(() => provider.close());
    await startService(ground, 9001, "orders");
  },
  tries: [
    {
      shows:
        "a token opens what its scopes and roles permit; twenty requests at once make one call",
      async run(world) {
        provider.tokens.set("ann-1", ann());
        const all = Array.from({ length: 20 }, () => ask(world, "/orders/1", "ann-1"));
        assert.deepEqual([...new Set(await Promise.all(all))], ["200"]);
        assert.deepEqual(provider.asked, ["ann-1"]);
        provider.tokens.set("ann-2", ann({ scope: "profile" }));
        assert.equal(await ask(world, "/orders/1", "ann-2"), "403 no-permit");
      },
    },
    {
      shows: "one that the provider does not know, or made for another API, opens nothing",
      async run(world) {
        assert.equal(await ask(world, "/orders/1", "made-up"), "401 inactive-token");
        provider.tokens.set("ann-3", ann({ aud: "https://other.example.com" }));
        assert.equal(await ask(world, "/orders/1", "ann-3"), "401 wrong-audience");
      },
    },
    {
      shows: "with cache.max 0s, a token that is revoked is over with the next request",
      async run(world) {
        provider.tokens.set("ann-4", ann({ scope: "pay" }));
        assert.equal(await ask(world, "/payments/1", "ann-4"), "200");
        provider.tokens.delete("ann-4");
        assert.equal(await ask(world, "/payments/1", "ann-4"), "401 inactive-token");
      },
    },
    {
      shows: "while the provider fails, new tokens are refused and nobody is blamed for it",
      async run(world) {
        provider.misbehave = (_request, response) => response.writeHead(500).end();
        assert.equal(await ask(world, "/orders/1", "ann-1"), "200");
        provider.tokens.set("ann-5", ann());
        assert.equal(await ask(world, "/orders/1", "ann-5"), "503 identity-unavailable");
        provider.misbehave = undefined;
        assert.equal(await ask(world, "/orders/1", "ann-5"), "200");
      },
    },
  ],
};
