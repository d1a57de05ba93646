/**
 * A service whose X.509-SVID has to be the right one, reached with our own SVID, both as a SPIFFE agent brings them. Of
 * its connections one in four shows another SVID, so that TLS fails.
 */
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { type IssuedSvid, TestAgent, TestTrustDomain } from "../workload-api.ts";
import { call, type Part } from "./part.ts";

export async function startMeshService(t: Pick<TestContext, "after">): Promise<Part> {
  const domain = new TestTrustDomain("mesh.example");
  const agent = new TestAgent("127.0.0.1:0");
  const agentPort = await agent.start();
  t.after(() => agent.stop());
  agent.serve([domain.issue("/proxy")]);
  agent.serveBundles([domain]);
  const port = await startService(t, domain);
  return {
    options: {
      config: `workloadApi: { address: "tcp://127.0.0.1:${agentPort}" }\n`,
      services: `  vault:
    endpoints: ["https://127.0.0.1:${port}"]
    tls: { identity: workload-api, serverId: "${domain.id}/vault" }
`,
      routes: `  - { name: vault, path: "/vault/*", service: vault, authenticate: [anonymous] }\n`,
    },
    round: ({ stage }, round) => (round % 4 === 0 ? [call(stage.proxy, "/vault/x")] : []),
  };
}

async function startService(
  t: Pick<TestContext, "after">,
  domain: TestTrustDomain,
): Promise<number> {
  const showing = ({ certificatePem: cert, keyPem: key }: IssuedSvid) => ({ cert, key });
  const [right, wrong] = [showing(domain.issue("/vault")), showing(domain.issue("/other"))];
  const server = createServer(
    { ...right, requestCert: true, rejectUnauthorized: true, ca: domain.bundlePem },
    (_request, response) => response.writeHead(200, { connection: "close" }).end("{}"),
  );
  let connections = 0;
  // What the next connection is shown: this one's handshake has begun with what was set before.
  server.on("connection", () => {
    connections += 1;
    const shown = connections % 4 === 3 ? wrong : right;
    server.setSecureContext({ ...shown, ca: domain.bundlePem });
  });
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
