/**
 * Callers of the kinds that not every proxy has: gRPC, tokens that are bound to a key (DPoP), certificates, and
 * people who log in. Some of each are refused, so that the dashboards show both.
 */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, createServer, type ServerHttp2Stream } from "node:http2";
import { get } from "node:https";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { createRoot, type TestCertificate } from "../certificates.ts";
import type { Stage } from "../e2e/stage.ts";
import { Browser } from "../identity/browser.ts";
import { type DpopClient, dpopClient } from "../identity/dpop-client.ts";
import { ROGUE, startRogueProvider } from "../rogue-provider.ts";
import type { Part } from "./part.ts";

const ORIGIN = "https://api.example";

export interface FurtherCallers extends Part {
  /** Of the listener with TLS. */
  readonly clients: string;
}

export async function startFurtherCallers(t: Pick<TestContext, "after">): Promise<FurtherCallers> {
  const grpc = await startGrpc(t);
  const provider = await startRogueProvider();
  t.after(() => provider.close());
  const root = createRoot("Mesh", { uri: ["spiffe://prod.example"] });
  const known = root.issue({ name: "svid", uri: ["spiffe://prod.example/payments"] });
  const stranger = createRoot("Other").issue({ name: "svid", uri: ["spiffe://other.example/x"] });
  const bound = dpopClient();
  return {
    options: {
      authenticators: `  mesh: { type: mtls, trustDomain: prod.example, bundle: prod.pem }
  people:
    type: oidc
    issuer: ${provider.issuer}
    client: { id: ${ROGUE.clientId}, secret: "\${file:people}" }
    principal: { kind: user }
    session: { keys: [{ file: session.key }] }
`,
      services: `  shop: { endpoints: ["h2c://127.0.0.1:${grpc}"] }\n`,
      routes: `  - { name: shop, path: "/shop.Orders/*", service: shop, authenticate: [anonymous] }
  - { name: mesh, path: "/mesh/*", service: recorder, authenticate: [mesh] }
  - { name: app, path: "/app/*", service: recorder, authenticate: [people] }
`,
      policies: `
@id("mesh") permit (principal is Sallyport::Workload, action, resource == Sallyport::Route::"mesh");
@id("people") permit (principal is Sallyport::User, action, resource == Sallyport::Route::"app");
`,
    },
    secrets: {
      people: "secret-of-the-client",
      "session.key": Buffer.alloc(32, 5).toString("base64"),
    },
    clients: "clients: { mode: optional, authenticators: [mesh] }",
    prepare: (folder) => writeFileSync(`${folder}/prod.pem`, root.pem),
    round({ stage, secure }, round) {
      const calls: Promise<unknown>[] = [callGrpc(stage, round % 3 === 0 ? "Watch" : "Get")];
      if (round % 2 === 0) calls.push(callBound(stage, bound, round % 12 === 0));
      if (round % 5 === 0) calls.push(callByCertificate(secure, known));
      if (round % 15 === 0)
        calls.push(callByCertificate(secure, stranger), callByCertificate(secure));
      if (round % 20 === 0) calls.push(logIn(stage, round % 60 === 0));
      return calls;
    },
  };
}

/** Answers each call, one in nine with UNAVAILABLE, and those of one method with NOT_FOUND. */
async function startGrpc(t: Pick<TestContext, "after">): Promise<number> {
  const server = createServer();
  let calls = 0;
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    calls += 1;
    const missing = String(headers[":path"]).endsWith("/Watch") && calls % 4 === 0;
    const status = calls % 9 === 0 ? "14" : missing ? "5" : "0";
    stream.on("error", () => undefined);
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": status }));
    stream.respond(
      { ":status": 200, "content-type": "application/grpc" },
      { waitForTrailers: true },
    );
    stream.resume();
    // One message without bytes.
    stream.end(Buffer.alloc(5));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function callGrpc(stage: Stage, method: string): Promise<void> {
  const session = connect(`http://${stage.proxy}`);
  const call = session.request({
    ":method": "POST",
    ":path": `/shop.Orders/${method}`,
    ":authority": "api.example",
    "content-type": "application/grpc",
    te: "trailers",
  });
  call.resume();
  call.end(Buffer.alloc(5));
  await once(call, "end");
  session.close();
}

/**
 * A proof without a nonce, which is told one, and one with it. `twice`: that one is shown again, which is refused.
 */
async function callBound(stage: Stage, client: DpopClient, twice: boolean): Promise<void> {
  const token = stage.issuer.token({ roles: ["Admin"], cnf: { jkt: client.thumbprint } });
  const prove = (nonce?: string): string =>
    client.proof({ method: "GET", url: `${ORIGIN}/guarded/bound`, token, nonce });
  const show = async (dpop: string): Promise<string | undefined> => {
    const headers = { authorization: `DPoP ${token}`, dpop, host: "api.example" };
    const answer = await fetch(`http://${stage.proxy}/guarded/bound`, { headers });
    await answer.arrayBuffer();
    return answer.headers.get("dpop-nonce") ?? undefined;
  };
  const proof = prove(await show(prove()));
  await show(proof);
  if (twice) await show(proof);
}

async function callByCertificate(secure: string, shown?: TestCertificate): Promise<void> {
  const own = shown === undefined ? {} : { cert: shown.chainPem, key: shown.keyPem };
  await new Promise<void>((resolve) => {
    get(
      `https://${secure}/mesh/x`,
      // Whose certificate the proxy has does not matter here.
      { ...own, headers: { host: "api.example" }, rejectUnauthorized: false, agent: false },
      (answer) => answer.resume().once("end", resolve),
    ).once("error", () => resolve());
  });
}

/** Or begins to, and comes back with what the provider never gave. */
async function logIn(stage: Stage, fails: boolean): Promise<void> {
  const browser = new Browser(stage.proxy);
  if (!fails) {
    await browser.go(`${ORIGIN}/app/report`);
    await browser.visit(`${ORIGIN}/app/next`);
    return;
  }
  const back = new URL(
    await browser.until(`${ORIGIN}/app/report`, `${ORIGIN}/.sallyport/callback/`),
  );
  back.searchParams.set("code", "forged");
  await browser.visit(back.href);
}
