import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dpopClient } from "../../test/identity/dpop-client.ts";
import { headerOf, keySetOf, signToken, testKey } from "../../test/issuer.ts";
import type { Example, World } from "../example.ts";
import { startService } from "../services.ts";

const login = testKey("login-1", "ES256");
const client = dpopClient("ES256", "shop-frontend");
const thief = dpopClient("ES256", "thief");

/** As the provider gives it out: bound to the key that the client has shown there. */
function token(cnf?: object): string {
  const now = Math.floor(Date.now() / 1000);
  const [iss, aud] = ["https://login.example.com", "https://api.example.com"];
  const claims = { iss, aud, sub: "shop-frontend", iat: now, exp: now + 300, cnf };
  return signToken(login, headerOf(login), claims);
}

const bound = token({ jkt: client.thumbprint });

interface Answer {
  /** Status and, where it is a refusal, the reason. */
  readonly said: string;
  readonly nonce: string | undefined;
  readonly challenges: string;
}

async function ask(world: World, scheme: string, sent: string, proof?: string): Promise<Answer> {
  const headers = { authorization: `${scheme} ${sent}`, ...(proof && { dpop: proof }) };
  const response = await fetch(`http://${world.address("edge")}/orders/7`, { headers });
  const { reason = "" } = (await response.json()) as { readonly reason?: string };
  return {
    said: `${response.status} ${reason}`.trim(),
    nonce: response.headers.get("dpop-nonce") ?? undefined,
    challenges: response.headers.get("www-authenticate") ?? "",
  };
}

const at = { method: "GET", url: "https://api.example.com/orders/7", token: bound } as const;

/** The nonce that the proxy gives out now. */
async function nonceOf(world: World): Promise<string> {
  const { nonce } = await ask(world, "DPoP", bound, client.proof(at));
  assert.ok(nonce !== undefined);
  return nonce;
}

export const example: Example = {
  async prepare(ground) {
    mkdirSync(join(ground.folder, "keys"), { recursive: true });
    writeFileSync(join(ground.folder, "keys/login.json"), JSON.stringify(keySetOf(login)));
    await startService(ground, 9001, "orders");
  },
  tries: [
    {
      shows: "who has no token is told that there is DPoP, and which algorithms",
      async run(world) {
        const response = await fetch(`http://${world.address("edge")}/orders/7`);
        assert.equal(response.status, 401);
        const challenges = response.headers.get("www-authenticate") ?? "";
        assert.match(challenges, /Bearer realm="orders".*DPoP algs="ES256 EdDSA Ed25519"/);
      },
    },
    {
      shows: "the first proof has no nonce, and its answer has one to make the next with",
      async run(world) {
        const first = await ask(world, "DPoP", bound, client.proof(at));
        assert.equal(first.said, "401 use-dpop-nonce");
        assert.match(first.challenges, /error="use_dpop_nonce"/);
        const second = client.proof({ ...at, nonce: first.nonce });
        assert.equal((await ask(world, "DPoP", bound, second)).said, "200");
      },
    },
    {
      shows: "a proof counts once, for one method, one resource and one token",
      async run(world) {
        const nonce = await nonceOf(world);
        const proof = client.proof({ ...at, nonce });
        assert.equal((await ask(world, "DPoP", bound, proof)).said, "200");
        assert.equal((await ask(world, "DPoP", bound, proof)).said, "401 replayed-proof");
        for (const other of [
          { method: "DELETE" },
          { url: "https://api.example.com/orders/8" },
          { token: token({ jkt: client.thumbprint, more: 1 }) },
        ]) {
          const made = client.proof({ ...at, nonce, ...other });
          assert.equal((await ask(world, "DPoP", bound, made)).said, "401 invalid-proof");
        }
      },
    },
    {
      shows: "who has found the token can do nothing with it, with or without a key of their own",
      async run(world) {
        const nonce = await nonceOf(world);
        assert.equal((await ask(world, "Bearer", bound)).said, "401 missing-proof");
        assert.equal((await ask(world, "DPoP", bound)).said, "401 missing-proof");
        const theirs = thief.proof({ ...at, nonce });
        assert.equal((await ask(world, "DPoP", bound, theirs)).said, "401 wrong-proof-key");
      },
    },
    {
      shows: "a token that is bound to nobody is not taken on this route",
      async run(world) {
        assert.equal((await ask(world, "Bearer", token())).said, "401 unbound-token");
      },
    },
  ],
};
