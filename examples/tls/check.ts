import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { createRoot, type TestCertificate } from "../../test/certificates.ts";
import type { Example, World } from "../example.ts";
import { startService } from "../services.ts";

const root = createRoot("Example Root");
const mesh = createRoot("Mesh Root");
const shop = root.issue({ name: "shop", dns: ["shop.example"] });
const api = root.issue({ name: "api", dns: ["*.api.example"] });
const payments = mesh.issue({ name: "payments", uri: ["spiffe://mesh.example/payments"] });

export const example: Example = {
  async prepare(ground) {
    const certs = join(ground.folder, "certs");
    mkdirSync(certs);
    for (const one of [shop, api]) writePair(certs, one.name, one);
    writeFileSync(join(certs, "mesh-ca.pem"), mesh.pem);
    writeFileSync(join(certs, "mesh.crl"), mesh.crl());
    await startService(ground, 9001, "catalogue");
  },
  tries: [
    {
      shows: "the name that a caller asks for picks the certificate",
      async run(world) {
        for (const [servername, shown] of [
          ["shop.example", "shop"],
          ["v1.api.example", "api"],
        ] as const) {
          const socket = await open(world, "edge", { servername });
          assert.equal(socket.getPeerCertificate().subject.CN, shown);
          assert.match(await ask(socket), /^HTTP\/1\.1 200 /);
          socket.destroy();
        }
      },
    },
    {
      shows: "a caller without a certificate is refused on the mesh, with the reason",
      async run(world) {
        const socket = await open(world, "mesh", {});
        assert.match(await ask(socket), /^HTTP\/1\.1 403 [^]*"missing-certificate"/);
      },
    },
    {
      shows: "one with a certificate passes, and the record says which one",
      async run(world) {
        const socket = await open(world, "mesh", shownBy(payments));
        assert.match(await ask(socket), /^HTTP\/1\.1 200 /);
        socket.destroy();
        await until(() => auditText(world).includes('"spiffeId":"spiffe://mesh.example/payments"'));
      },
    },
    {
      shows: "one of another authority is refused",
      async run(world) {
        const stranger = createRoot("Mesh Root").issue({ name: "payments" });
        const socket = await open(world, "mesh", shownBy(stranger));
        assert.match(await ask(socket), /^HTTP\/1\.1 403 [^]*"untrusted-certificate"/);
      },
    },
    {
      shows: "a certificate that is renewed is shown to new connections, without a reload",
      async run(world) {
        const before = await open(world, "edge", { servername: "shop.example" });
        const renewed = root.issue({ name: "shop renewed", dns: ["shop.example"] });
        writePair(join(world.folder, "certs"), "shop", renewed);
        await until(() => reloads(world, "edge") > 0 && reloads(world, "mesh") > 0);
        const after = await open(world, "edge", { servername: "shop.example" });
        assert.equal(after.getPeerCertificate().subject.CN, "shop renewed");
        assert.match(await ask(before), /^HTTP\/1\.1 200 /, "the open connection goes on");
        before.destroy();
        after.destroy();
      },
    },
    {
      shows: "a certificate that is revoked is refused on the connection that it has open",
      async run(world) {
        const socket = await open(world, "mesh", shownBy(payments));
        assert.match(await ask(socket), /^HTTP\/1\.1 200 /);
        const before = reloads(world, "mesh");
        const list = join(world.folder, "certs", "mesh.crl");
        writeFileSync(`${list}.new`, mesh.crl({ revoked: [payments], number: 2 }));
        renameSync(`${list}.new`, list);
        await until(() => reloads(world, "mesh") > before);
        assert.match(await ask(socket), /^HTTP\/1\.1 403 [^]*"certificate-revoked"/);
      },
    },
  ],
};

function writePair(folder: string, name: string, { chainPem, keyPem }: TestCertificate): void {
  writeFileSync(join(folder, `${name}.pem`), chainPem);
  writeFileSync(join(folder, `${name}.key`), keyPem, { mode: 0o600 });
}

function shownBy({ chainPem, keyPem }: TestCertificate): ConnectionOptions {
  return { cert: chainPem, key: keyPem };
}

async function open(
  world: World,
  listener: string,
  options: ConnectionOptions,
): Promise<TLSSocket> {
  const [host = "", port] = world.address(listener).split(":");
  const socket = connect({
    host,
    port: Number(port),
    ca: root.pem,
    servername: "shop.example",
    ...options,
  });
  await once(socket, "secureConnect");
  return socket;
}

/** One request and its answer. */
async function ask(socket: TLSSocket): Promise<string> {
  let text = "";
  const whole = new Promise<void>((resolve, reject) => {
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (/\r\n\r\n[^]*\}\s*$/.test(text)) resolve();
    });
    socket.once("error", reject);
    socket.once("close", () => resolve());
  });
  socket.write("GET /catalogue/items HTTP/1.1\r\nHost: shop.example\r\n\r\n");
  await whole;
  socket.removeAllListeners("data");
  return text;
}

/** How often a listener has read its files anew. */
function reloads(world: World, listener: string): number {
  const lines = world.log().split("\n");
  return lines.filter(
    (line) => line.includes("certificates reloaded") && line.includes(`"${listener}"`),
  ).length;
}

function auditText(world: World): string {
  const folder = join(world.folder, "data", "audit");
  return readdirSync(folder)
    .filter((name) => name.endsWith(".jsonl"))
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("");
}

/** Looks until something is so: files are looked at by the second. */
async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error("it did not come about");
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
}
