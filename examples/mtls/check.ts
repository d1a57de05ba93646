import assert from "node:assert/strict";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { createRoot, OID, type TestCertificate } from "../../test/certificates.ts";
import type { Example, World } from "../example.ts";
import { startService } from "../services.ts";

const root = createRoot("Example Root");
const partners = createRoot("Partners");
const fleet = createRoot("Fleet");
const edge = root.issue({ name: "edge", dns: ["api.example"] });
const acme = partners.issue({ name: "acme", dns: ["orders.acme.example"] });
const globex = partners.issue({ name: "globex", dns: ["orders.globex.example"] });
const sensor = fleet.issue({ name: "sensor-7", within: [[OID.organization, "Fleet"]] });

export const example: Example = {
  async prepare(ground) {
    const certs = join(ground.folder, "certs");
    mkdirSync(certs);
    writeFileSync(join(certs, "edge.pem"), edge.chainPem);
    writeFileSync(join(certs, "edge.key"), edge.keyPem, { mode: 0o600 });
    writeFileSync(join(certs, "partners-ca.pem"), partners.pem);
    writeFileSync(join(certs, "partners.crl"), partners.crl());
    writeFileSync(join(certs, "devices-ca.pem"), fleet.pem);
    await startService(ground, 9001, "orders");
    await startService(ground, 9002, "telemetry");
  },
  tries: [
    {
      shows:
        "a partner is known by the DNS name in its certificate, and its pattern says what it may",
      async run(world) {
        assert.equal(await ask(world, "POST", "/orders/1", acme), "200");
        assert.equal(await ask(world, "GET", "/orders/1", globex), "200");
        assert.equal(await ask(world, "POST", "/orders/1", globex), "403 no-permit");
      },
    },
    {
      shows: "a name that no pattern fits is nobody's",
      async run(world) {
        const deeper = partners.issue({ name: "x", dns: ["a.b.acme.example"] });
        assert.equal(await ask(world, "GET", "/orders/1", deeper), "401 missing-credential");
        const two = partners.issue({ name: "x", dns: ["a.acme.example", "b.acme.example"] });
        assert.equal(await ask(world, "GET", "/orders/1", two), "401 wrong-identity");
      },
    },
    {
      shows: "a device reports, and the fleet's authority makes no partners",
      async run(world) {
        assert.equal(await ask(world, "POST", "/telemetry", sensor), "200");
        const forged = fleet.issue({ name: "x", dns: ["orders.acme.example"] });
        assert.equal(await ask(world, "GET", "/orders/1", forged), "401 missing-credential");
      },
    },
    {
      shows: "who shows no certificate, or one of nobody we know, does not come in",
      async run(world) {
        assert.equal(await ask(world, "GET", "/orders/1"), "401 missing-credential");
        const stranger = createRoot("Partners").issue({ name: "x", dns: ["orders.acme.example"] });
        assert.equal(await ask(world, "GET", "/orders/1", stranger), "403 untrusted-certificate");
      },
    },
    {
      shows: "a partner's certificate is revoked by a new list, without a reload",
      async run(world) {
        const list = join(world.folder, "certs", "partners.crl");
        writeFileSync(`${list}.new`, partners.crl({ revoked: [globex], number: 2 }));
        renameSync(`${list}.new`, list);
        await until(async () => {
          const answer = await ask(world, "GET", "/orders/1", globex);
          return answer === "403 certificate-revoked";
        });
        assert.equal(await ask(world, "GET", "/orders/1", acme), "200");
      },
    },
  ],
};

function ask(world: World, method: string, path: string, shown?: TestCertificate): Promise<string> {
  const own = shown === undefined ? {} : { cert: shown.chainPem, key: shown.keyPem };
  return new Promise((resolve, reject) => {
    const sent = request(
      `https://${world.address("edge")}${path}`,
      {
        method,
        agent: false,
        ca: root.pem,
        servername: "api.example",
        headers: { host: "api.example" },
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

/** Looks until something is so: files are looked at by the second. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error("it did not come about");
    await new Promise((resolve) => {
      setTimeout(resolve, 100);
    });
  }
}
