/** The address with TLS: names are fine there, and `tls.clients` is about every path. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { connect, type ConnectionOptions } from "node:tls";
import { createRoot } from "../certificates.ts";
import { adminStage, token } from "./stage.ts";

const root = createRoot("root");
const server = root.issue({ name: "server", dns: ["admin.example.com"] });
const client = root.issue({ name: "client" });
const files = new Map([
  ["server.pem", server.chainPem],
  ["server.key", server.keyPem],
  ["ca.pem", root.pem],
]);
const pair = { certificate: "server.pem", key: "server.key" };

/** Sends one request by hand; the whole answer. */
async function ask(
  port: number,
  path: string,
  options: ConnectionOptions & { readonly fields?: string } = {},
): Promise<string> {
  const { fields = "", ...rest } = options;
  const servername = "admin.example.com";
  const socket = connect({ port, host: "127.0.0.1", servername, ca: root.pem, ...rest });
  let text = "";
  socket.on("data", (bytes: Buffer) => (text += bytes.toString("latin1")));
  socket.on("error", () => {});
  socket.write(
    `GET ${path} HTTP/1.1\r\nhost: ${servername}:${port}\r\n${fields}connection: close\r\n\r\n`,
  );
  await once(socket, "close");
  return text;
}

void test("a Host that is a name is taken with TLS, where no other site has a certificate for it", async (t) => {
  const stage = await adminStage(t, { tls: { options: pair, files } });
  assert.match(await ask(stage.port, "/livez"), /^HTTP\/1\.1 200 /);
  const fields = `authorization: Bearer ${token(["Operator"])}\r\n`;
  assert.match(await ask(stage.port, "/v1/status", { fields }), /^HTTP\/1\.1 200 /);
  const own = `origin: https://admin.example.com:${stage.port}\r\n`;
  assert.match(await ask(stage.port, "/v1/status", { fields: fields + own }), /^HTTP\/1\.1 200 /);
  const plain = `origin: http://admin.example.com:${stage.port}\r\n`;
  assert.match(await ask(stage.port, "/v1/status", { fields: fields + plain }), /^HTTP\/1\.1 403 /);
});

void test("without the certificate that is asked for nothing is answered, health neither", async (t) => {
  const options = { ...pair, clients: { mode: "required" as const, ca: "ca.pem" } };
  const stage = await adminStage(t, { tls: { options, files } });
  const fields = `authorization: Bearer ${token(["Operator"])}\r\n`;
  for (const path of ["/livez", "/readyz", "/metrics", "/v1/status", "/nothing"]) {
    const answer = await ask(stage.port, path, { fields });
    assert.match(answer, /^HTTP\/1\.1 403 [\s\S]*"missing-certificate"/, path);
    const known = { fields, cert: client.chainPem, key: client.keyPem };
    assert.match(await ask(stage.port, path, known), /^HTTP\/1\.1 (?:200|404) /, path);
  }
});
