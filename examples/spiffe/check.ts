import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:https";
import { join } from "node:path";
import { createRoot, type TestCertificate } from "../../test/certificates.ts";
import { createJwtAuthority, spiffeBundle } from "../../test/spiffe.ts";
import type { Example, Ground, World } from "../example.ts";
import { startService } from "../services.ts";

const root = createRoot("Example Root");
const edge = root.issue({ name: "mesh", dns: ["billing.prod.example"] });
const prod = createRoot("prod.example", { uri: ["spiffe://prod.example"] });
const jwt = createJwtAuthority("jwt-1");
const partner = createRoot("partner.example", { uri: ["spiffe://partner.example"] });

const HOURS = 3_600_000;

/** An X.509-SVID that lives for twelve hours. */
function svid(id: string, issuer: TestCertificate, hours = 12): TestCertificate {
  return issuer.issue({
    name: "svid",
    uri: [id],
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() - 60_000 + hours * HOURS),
  });
}

const api = "spiffe://prod.example/ns/payments/sa/api";
const audience = "https://billing.prod.example";

export const example: Example = {
  async prepare(ground) {
    const certs = join(ground.folder, "certs");
    mkdirSync(certs);
    writeFileSync(join(certs, "mesh.pem"), edge.chainPem);
    writeFileSync(join(certs, "mesh.key"), edge.keyPem, { mode: 0o600 });
    writeFileSync(join(certs, "prod-bundle.json"), JSON.stringify(spiffeBundle([prod], [jwt])));
    writeFileSync(join(certs, "partner-endpoint.pem"), partner.pem);
    await startEndpoint(ground);
    await startService(ground, 9001, "billing");
  },
  tries: [
    {
      shows: "a workload is known by its X.509-SVID, and its path says what it may",
      async run(world) {
        assert.equal(await ask(world, { shown: svid(api, prod) }), "200");
        const other = svid("spiffe://prod.example/ns/shop/sa/web", prod);
        assert.equal(await ask(world, { shown: other }), "403 no-permit");
      },
    },
    {
      shows: "the same workload by a JWT-SVID, for us and for nobody else",
      async run(world) {
        assert.equal(await ask(world, { token: jwt.token({ sub: api, aud: audience }) }), "200");
        const elsewhere = jwt.token({ sub: api, aud: "https://shop.prod.example" });
        assert.equal(await ask(world, { token: elsewhere }), "401 wrong-audience");
        const forged = createJwtAuthority("jwt-1").token({ sub: api, aud: audience });
        assert.equal(await ask(world, { token: forged }), "401 invalid-signature");
      },
    },
    {
      shows: "a federated workload, by the bundle of its own trust domain",
      async run(world) {
        const shop = svid("spiffe://partner.example/shop", partner);
        assert.equal(await ask(world, { shown: shop }), "200");
        const other = svid("spiffe://partner.example/batch", partner);
        assert.equal(await ask(world, { shown: other }), "403 no-permit");
      },
    },
    {
      shows: "the partner's authority makes no workloads of ours",
      async run(world) {
        assert.equal(await ask(world, { shown: svid(api, partner) }), "401 wrong-identity");
      },
    },
    {
      shows: "certificates that break the rules of X.509-SVIDs, or live too long, are refused",
      async run(world) {
        const two = prod.issue({ name: "x", uri: [api, "spiffe://prod.example/ns/a/sa/b"] });
        assert.equal(await ask(world, { shown: two }), "401 wrong-identity");
        assert.equal(await ask(world, { shown: svid(api, prod, 25) }), "401 wrong-identity");
      },
    },
    {
      shows: "a workload that is forbidden does not get in by adding a token",
      async run(world) {
        const batch = svid("spiffe://prod.example/ns/payments/sa/batch", prod);
        assert.equal(await ask(world, { shown: batch }), "403 forbidden");
        const token = jwt.token({ sub: api, aud: audience });
        assert.equal(await ask(world, { shown: batch, token }), "403 forbidden");
      },
    },
  ],
};

/** The partner's SPIRE server, as far as its bundle endpoint goes. */
async function startEndpoint(ground: Ground): Promise<void> {
  const own = svid("spiffe://partner.example/spire/server", partner);
  const bundle = spiffeBundle([partner], [], { spiffe_sequence: 1, spiffe_refresh_hint: 300 });
  const server = createServer({ cert: own.pem, key: own.keyPem }, (_, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(bundle));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(ground.port(9443), "127.0.0.1", resolve);
  });
  ground.onEnd(() => {
    server.close();
  });
}

function ask(
  world: World,
  { shown, token }: { readonly shown?: TestCertificate; readonly token?: string },
): Promise<string> {
  const own = shown === undefined ? {} : { cert: shown.chainPem, key: shown.keyPem };
  const credential = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new Promise((resolve, reject) => {
    const sent = request(
      `https://${world.address("mesh")}/billing/1`,
      {
        agent: false,
        ca: root.pem,
        servername: "billing.prod.example",
        headers: { host: "billing.prod.example", ...credential },
        ...own,
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => {
          const reason = /"reason":"([^"]+)"/.exec(text)?.[1];
          resolve(`${response.statusCode ?? 0}${reason === undefined ? "" : ` ${reason}`}`);
        });
      },
    );
    sent.on("error", reject);
    sent.end();
  });
}
