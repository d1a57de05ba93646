import assert from "node:assert/strict";
import { createServer, type IncomingMessage } from "node:http";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from "jose";
import { headerOf, keySetOf, signToken, testKey } from "../../test/issuer.ts";
import type { Example, Ground, World } from "../example.ts";

const login = testKey("login-1", "ES256");

/** What reached the services last. */
const seen: { billing?: IncomingMessage["headers"]; legacy?: IncomingMessage["headers"] } = {};

function token(claims: object): string {
  const now = Math.floor(Date.now() / 1000);
  const common = { iss: "https://login.example.com", aud: "https://api.example.com" };
  return signToken(login, headerOf(login), { ...common, iat: now, exp: now + 300, ...claims });
}

const alice = { sub: "alice", roles: ["Clerk", "night,shift"], tenant: "acme" };

async function ask(world: World, path: string, fields: Record<string, string> = {}) {
  const answer = await fetch(`http://${world.address("edge")}${path}`, { headers: fields });
  await answer.text();
  return answer.status;
}

/** As a service checks it: type, issuer, audience, times and signature. */
async function checked(world: World, audience: string): Promise<JWTPayload> {
  const url = `http://${world.address("edge")}/.well-known/sallyport/assertions.json`;
  const assertion = seen.billing?.["x-sallyport-assertion"];
  assert.ok(typeof assertion === "string");
  const { payload } = await jwtVerify(assertion, createRemoteJWKSet(new URL(url)), {
    typ: "sallyport-assertion+jwt",
    algorithms: ["EdDSA", "ES256"],
    issuer: "https://sallyport.example.com/assertions",
    audience,
  });
  return payload;
}

async function startService(ground: Ground, port: number, name: keyof typeof seen): Promise<void> {
  const server = createServer((request, response) => {
    seen[name] = request.headers;
    response.end();
  });
  await new Promise<void>((resolve) => {
    server.listen(ground.port(port), "127.0.0.1", resolve);
  });
  ground.onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
}

export const example: Example = {
  async prepare(ground) {
    writeFileSync(join(ground.folder, "login.json"), JSON.stringify(keySetOf(login)));
    await startService(ground, 9001, "billing");
    await startService(ground, 9002, "legacy");
  },
  tries: [
    {
      shows: "the service checks who calls, by the keys that the proxy publishes",
      async run(world) {
        const authorization = `Bearer ${token(alice)}`;
        assert.equal(await ask(world, "/billing/17", { authorization }), 200);
        const { sub, kind, roles, attributes } = await checked(world, "billing");
        assert.deepEqual(
          { sub, kind, roles, attributes },
          {
            sub: "corp/alice",
            kind: "user",
            roles: ["Clerk", "corp/night,shift"],
            attributes: { tenant: "acme" },
          },
        );
        assert.equal(seen.billing?.authorization, undefined);
      },
    },
    {
      shows: "at another service the same assertion is refused",
      run: (world) => assert.rejects(checked(world, "orders")),
    },
    {
      shows: "the same token gets the same assertion: nothing is signed anew",
      async run(world) {
        const authorization = `Bearer ${token(alice)}`;
        await ask(world, "/billing/17", { authorization });
        const first = seen.billing?.["x-sallyport-assertion"];
        await ask(world, "/billing/18", { authorization });
        assert.equal(seen.billing?.["x-sallyport-assertion"], first);
      },
    },
    {
      shows: "a caller whom nobody knows has none, whatever he sends",
      async run(world) {
        const forged = { "x-sallyport-assertion": "forged", x_sallyport_subject: "corp/alice" };
        assert.equal(await ask(world, "/billing/prices", forged), 200);
        const names = Object.keys(seen.billing ?? {});
        assert.deepEqual(
          names.filter((name) => /sallyport.(?:assertion|subject)/.test(name)),
          [],
        );
      },
    },
    {
      shows: "an assertion is no credential: 401",
      async run(world) {
        await ask(world, "/billing/17", { authorization: `Bearer ${token(alice)}` });
        const assertion = String(seen.billing?.["x-sallyport-assertion"]);
        assert.equal(await ask(world, "/legacy/x", { authorization: `Bearer ${assertion}` }), 401);
      },
    },
    {
      shows: "an older service reads plain fields, each name of a list encoded by itself",
      async run(world) {
        const authorization = `Bearer ${token(alice)}`;
        assert.equal(await ask(world, "/legacy/x", { authorization }), 200);
        assert.equal(seen.legacy?.["x-sallyport-subject"], "corp/alice");
        assert.equal(seen.legacy?.["x-sallyport-roles"], "Clerk,corp/night%2Cshift");
        assert.equal(seen.legacy?.["x-sallyport-assertion"], undefined);
      },
    },
  ],
};
