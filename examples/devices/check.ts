import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Example, World } from "../example.ts";
import { startService } from "../services.ts";

/** Two issuers, whose public keys the configuration names as files. */
const keys = { login: newKey(), fleet: newKey() };

function newKey() {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function token(issuer: keyof typeof keys, claims: object): string {
  const now = Math.floor(Date.now() / 1000);
  const common = {
    iss: `https://${issuer}.example.com`,
    aud: "https://api.example.com",
    iat: now,
    exp: now + 300,
  };
  const input = [
    { alg: "ES256", typ: "at+jwt", kid: issuer },
    { ...common, ...claims },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return `${input}.${signature(keys[issuer].privateKey, input)}`;
}

function signature(key: KeyObject, input: string): string {
  return sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }).toString(
    "base64url",
  );
}

async function ask(world: World, method: string, path: string, bearer: string) {
  const response = await fetch(`http://${world.address("edge")}${path}`, {
    method,
    headers: { authorization: `Bearer ${bearer}` },
  });
  const { reason } = (await response.json()) as { readonly reason?: string };
  return `${response.status}${reason === undefined ? "" : ` ${reason}`}`;
}

const alice = { sub: "alice" };
const laptop = { id: "laptop-7", managed: true, platform: "linux" };

export const example: Example = {
  async prepare(ground) {
    mkdirSync(join(ground.folder, "keys"), { recursive: true });
    for (const [name, { publicKey }] of Object.entries(keys)) {
      const key = { ...publicKey.export({ format: "jwk" }), kid: name, alg: "ES256", use: "sig" };
      writeFileSync(join(ground.folder, `keys/${name}.json`), JSON.stringify({ keys: [key] }));
    }
    await startService(ground, 9001, "records");
    await startService(ground, 9002, "telemetry");
  },
  tries: [
    {
      shows: "alice reads records from anywhere",
      async run(world) {
        assert.equal(await ask(world, "GET", "/records/1", token("login", alice)), "200");
      },
    },
    {
      shows: "alice changes them from her managed laptop, and from nothing else",
      async run(world) {
        const managed = token("login", { ...alice, device: laptop });
        assert.equal(await ask(world, "PUT", "/records/1", managed), "200");
        const own = token("login", { ...alice, device: { ...laptop, managed: false } });
        assert.equal(await ask(world, "PUT", "/records/1", own), "403 no-permit");
        assert.equal(await ask(world, "PUT", "/records/1", token("login", alice)), "403 no-permit");
      },
    },
    {
      shows: "a token that names a device and says nothing of it is refused",
      async run(world) {
        const vague = token("login", { ...alice, device: { id: "laptop-7" } });
        assert.equal(await ask(world, "GET", "/records/1", vague), "401 missing-claim");
      },
    },
    {
      shows: "an agent that acts for alice reads as she does, and changes nothing",
      async run(world) {
        const act = { sub: "summariser" };
        const agent = token("login", { ...alice, device: laptop, act });
        assert.equal(await ask(world, "GET", "/records/1", agent), "200");
        assert.equal(await ask(world, "PUT", "/records/1", agent), "403 forbidden");
      },
    },
    {
      shows: "a meter reports what it measures; a camera does not, and neither reads records",
      async run(world) {
        const meter = token("fleet", { sub: "meter-17", managed: true, model: "meter" });
        assert.equal(await ask(world, "POST", "/telemetry", meter), "200");
        const camera = token("fleet", { sub: "camera-3", managed: true, model: "camera" });
        assert.equal(await ask(world, "POST", "/telemetry", camera), "403 no-permit");
        assert.equal(await ask(world, "GET", "/records/1", meter), "401 unknown-issuer");
      },
    },
  ],
};
