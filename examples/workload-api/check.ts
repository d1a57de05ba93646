import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { connect, createServer, type TLSSocket } from "node:tls";
import { type IssuedSvid, TestAgent, TestTrustDomain } from "../../test/workload-api.ts";
import type { Example, Ground, World } from "../example.ts";

const domain = new TestTrustDomain("example.org");

/** Stands in for SPIRE's agent. */
let agent: TestAgent;

export const example: Example = {
  async prepare(ground) {
    mkdirSync(join(ground.folder, "run"));
    agent = new TestAgent(`unix:${join(ground.folder, "run", "agent.sock")}`);
    agent.serve([domain.issue("/edge")]);
    agent.serveBundles([domain]);
    await agent.start();
    ground.onEnd(() => agent.stop());
    await serve(ground, 9001, domain.issue("/billing"));
    await serve(ground, 9002, domain.issue("/mailer"));
  },
  tries: [
    {
      shows: "callers see the SVID of the agent, and so does the service",
      async run(world) {
        const { shown, answer } = await ask(world, "/billing/x");
        assert.match(answer, /^HTTP\/1\.1 200 /);
        assert.equal(shown, "URI:spiffe://example.org/edge");
        assert.match(answer, /hello URI:spiffe:\/\/example\.org\/edge$/);
      },
    },
    {
      shows: "a service with another SPIFFE ID is told nothing, and the log says who it is",
      async run(world) {
        const { answer } = await ask(world, "/impostor/x");
        assert.match(answer, /^HTTP\/1\.1 502 /);
        assert.match(answer, /"upstream-tls"/);
        assert.match(world.log(), /"service":"impostor".*it is spiffe:\/\/example\.org\/mailer/);
      },
    },
    {
      shows: "a renewed SVID is in force at once",
      async run(world) {
        const before = await ask(world, "/billing/x");
        agent.serve([domain.issue("/edge")]);
        await until(async () => (await ask(world, "/billing/x")).serial !== before.serial);
      },
    },
    {
      shows: "while the agent is away, the last SVID serves on and readiness says so",
      async run(world) {
        agent.stop();
        await until(async () => /svid not current/.test(await ready(world)));
        assert.match((await ask(world, "/billing/x")).answer, /^HTTP\/1\.1 200 /);
        await agent.start();
        await until(async () => /svid current/.test(await ready(world)));
      },
    },
  ],
};

async function ready(world: World): Promise<string> {
  return await (await fetch(`http://${world.address("admin")}/readyz`)).text();
}

interface Asked {
  readonly answer: string;
  readonly shown: string;
  readonly serial: string;
}

/** One request over a connection of its own, by the bundle of the trust domain. */
async function ask(world: World, path: string): Promise<Asked> {
  const [host = "", port = ""] = world.address("edge").split(":");
  const options = { host, port: Number(port), ca: domain.bundlePem };
  const socket = connect({ ...options, checkServerIdentity: () => undefined });
  await once(socket, "secureConnect");
  const certificate = socket.getPeerX509Certificate();
  socket.write(`GET ${path} HTTP/1.1\r\nhost: example\r\nconnection: close\r\n\r\n`);
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  return {
    answer,
    shown: certificate?.subjectAltName ?? "",
    serial: certificate?.serialNumber ?? "",
  };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, "it did not come about");
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
}

/** A service with an SVID, which says who calls it. */
async function serve(ground: Ground, written: number, own: IssuedSvid): Promise<void> {
  const server = createServer({
    cert: own.certificatePem,
    key: own.keyPem,
    ca: domain.bundlePem,
    requestCert: true,
  });
  server.on("secureConnection", (socket: TLSSocket) => {
    const hello = `hello ${socket.getPeerX509Certificate()?.subjectAltName ?? "nobody"}`;
    socket.on("error", () => socket.destroy());
    socket.once("data", () =>
      socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${hello.length}\r\n\r\n${hello}`),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(ground.port(written), "127.0.0.1", resolve);
  });
  ground.onEnd(() => void server.close());
}
