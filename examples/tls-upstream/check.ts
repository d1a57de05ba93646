import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer, type ServerOptions } from "node:https";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { createRoot, type TestCertificate } from "../../test/certificates.ts";
import type { Example, Ground } from "../example.ts";

const mesh = createRoot("Mesh Root");
const catalogue = mesh.issue({ name: "catalogue", dns: ["catalogue.mesh.example"] });
const forged = createRoot("Mesh Root").issue({ name: "mirror", dns: ["mirror.mesh.example"] });

export const example: Example = {
  async prepare(ground) {
    const certs = join(ground.folder, "certs");
    mkdirSync(certs);
    writeFileSync(join(certs, "mesh-ca.pem"), mesh.pem);
    writeOwn(certs, "sallyport");
    await serve(ground, 9001, { ...pair(catalogue), requestCert: true, ca: mesh.pem });
    await serve(ground, 9002, pair(forged));
  },
  tries: [
    {
      shows: "the service is reached by TLS, and sees our certificate",
      async run(world) {
        const response = await fetch(`http://${world.address("edge")}/catalogue/items`);
        assert.equal(response.status, 200);
        assert.equal(await response.text(), "sallyport");
      },
    },
    {
      shows: "one whose certificate nobody vouches for is not, and the log says why",
      async run(world) {
        const response = await fetch(`http://${world.address("edge")}/mirror/items`);
        assert.equal(response.status, 502);
        assert.equal(((await response.json()) as { reason: string }).reason, "upstream-tls");
        assert.match(world.log(), /"service":"mirror".*"event":"TLS to a service failed"/);
      },
    },
    {
      shows: "our certificate is renewed without a reload",
      async run(world) {
        writeOwn(join(world.folder, "certs"), "sallyport renewed");
        const deadline = performance.now() + 20_000;
        let seen = "";
        // Files are looked at by the second, and a connection that is open is used until it rests.
        while (seen !== "sallyport renewed") {
          assert.ok(performance.now() < deadline, "it did not come about");
          await new Promise((resolve) => {
            setTimeout(resolve, 200);
          });
          seen = await (await fetch(`http://${world.address("edge")}/catalogue/items`)).text();
        }
      },
    },
  ],
};

function pair({ chainPem, keyPem }: TestCertificate): ServerOptions {
  return { cert: chainPem, key: keyPem };
}

function writeOwn(folder: string, name: string): void {
  const own = mesh.issue({ name });
  writeFileSync(join(folder, "sallyport.pem"), own.chainPem);
  writeFileSync(join(folder, "sallyport.key"), own.keyPem, { mode: 0o600 });
}

/** Answers each request with the name in the caller's certificate, and closes the connection. */
async function serve(ground: Ground, written: number, options: ServerOptions): Promise<void> {
  const server = createServer(options, (request, response) => {
    const { subject } = (request.socket as TLSSocket).getPeerCertificate();
    response.setHeader("connection", "close");
    response.end(subject?.CN ?? "");
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(ground.port(written), "127.0.0.1", resolve);
  });
  ground.onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
}
