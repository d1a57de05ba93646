import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import test, { type TestContext } from "node:test";
import { createRoot } from "../../test/certificates.ts";
import { SallyportError } from "../model/errors.ts";
import { createJsonClient } from "./json-client.ts";
import type { OwnCredentials } from "./own-credentials.ts";

const LIMITS = { timeoutMs: 5000, maxBytes: 1000 };

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

async function endpoint(
  t: TestContext,
  answer: (response: ServerResponse) => void,
  tls?: { readonly cert: string; readonly key: string; readonly ca: string },
): Promise<{ readonly url: string; readonly seen: Seen[] }> {
  const seen: Seen[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const { method, url, headers } = request;
      seen.push({ method, url, headers, body });
      answer(response);
    });
  };
  const server: ReturnType<typeof createServer> | Server =
    tls === undefined
      ? createServer(listener)
      : createTlsServer({ ...tls, requestCert: true }, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const scheme = tls === undefined ? "http" : "https";
  const { port } = server.address() as AddressInfo;
  return { url: `${scheme}://127.0.0.1:${port}/ask?a=b`, seen };
}

function answering(status: number, body: string): (response: ServerResponse) => void {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(body);
  };
}

async function refusal(answer: Promise<unknown>): Promise<string> {
  const error: unknown = await answer.then(
    () => assert.fail("it should have been refused"),
    (cause: unknown) => cause,
  );
  assert.ok(error instanceof SallyportError && error.code === "fetch-failed", String(error));
  return error.message;
}

const client = createJsonClient();

test("post() sends a form, in its own encoding, and takes JSON", async (t) => {
  const { url, seen } = await endpoint(t, answering(200, '{"active":true}'));
  const form = { token: "a+b/c=", hint: "x y&z" };
  const answer = await client.post(url, { form, headers: { authorization: "Basic eA==" } }, LIMITS);
  assert.deepEqual({ ...(answer as object) }, { active: true });
  const [{ method, url: target, headers, body }] = seen as [Seen];
  assert.deepEqual([method, target], ["POST", "/ask?a=b"]);
  assert.deepEqual(Object.fromEntries(new URLSearchParams(body)), form);
  assert.equal(headers["content-type"], "application/x-www-form-urlencoded");
  assert.equal(headers["content-length"], String(body.length));
  assert.equal(headers["accept"], "application/json");
  assert.equal(headers["accept-encoding"], "identity");
  assert.equal(headers["authorization"], "Basic eA==");
});

test("post() sends JSON, of which every byte counts", async (t) => {
  const { url, seen } = await endpoint(t, answering(201, "{}"));
  await client.post(url, { json: { name: "Zoë" }, accepted: [201] }, LIMITS);
  assert.equal(seen[0]?.body, '{"name":"Zoë"}');
  assert.equal(seen[0]?.headers["content-type"], "application/json");
});

test("post() takes the statuses that it was told, and no others", async (t) => {
  for (const status of [201, 204, 302, 307, 400, 401, 500]) {
    const { url, seen } = await endpoint(t, answering(status, status === 204 ? "" : "{}"));
    const message = await refusal(client.post(url, { form: {} }, LIMITS));
    assert.match(message, new RegExp(`/ask: answered ${status}`));
    assert.ok(!message.includes("a=b"), "no query");
    assert.equal(seen.length, 1);
  }
});

test("post() ends at its deadline and at its size", async (t) => {
  const silent = await endpoint(t, () => undefined);
  const brief = { ...LIMITS, timeoutMs: 50 };
  assert.match(await refusal(client.post(silent.url, { form: {} }, brief)), /within 50 ms/);
  const large = await endpoint(t, answering(200, JSON.stringify("x".repeat(2000))));
  assert.match(
    await refusal(client.post(large.url, { form: {} }, LIMITS)),
    /larger than 1000 bytes/,
  );
});

const root = createRoot("endpoint root");
const server = root.issue({ name: "endpoint", ip: ["127.0.0.1"] });
const own = root.issue({ name: "us" });
const tls = { cert: server.chainPem, key: server.keyPem, ca: root.pem };

function showing(shown: ReturnType<OwnCredentials["current"]>): OwnCredentials {
  return { current: () => shown };
}

test("post() trusts the authority that it was given, and shows our certificate and token", async (t) => {
  const { url, seen } = await endpoint(t, answering(200, "{}"), tls);
  const shown = { ca: root.pem, cert: own.chainPem, key: own.keyPem };
  const knowing = createJsonClient(
    showing({ tls: shown, headers: { authorization: "Bearer abc" } }),
  );
  await knowing.post(url, { json: {} }, LIMITS);
  assert.equal(seen[0]?.headers["authorization"], "Bearer abc");
});

test("post() sends nothing to whom its authority has not issued a certificate", async (t) => {
  const { url, seen } = await endpoint(t, answering(200, "{}"), tls);
  const other = createRoot("another root").pem;
  for (const trusted of [{}, { ca: other }]) {
    const knowing = createJsonClient(showing({ tls: trusted, headers: {} }));
    assert.match(
      await refusal(knowing.post(url, { form: { token: "secret" } }, LIMITS)),
      /the connection failed/,
    );
  }
  const elsewhere = createJsonClient(showing({ tls: { ca: root.pem }, headers: {} }));
  const named = url.replace("127.0.0.1", "localhost");
  await refusal(elsewhere.post(named, { form: { token: "secret" } }, LIMITS));
  assert.deepEqual(seen, []);
});

test("post() says so when our own certificate cannot be used, and quotes nothing of it", async (t) => {
  const { url, seen } = await endpoint(t, answering(200, "{}"), tls);
  const broken = "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----\n";
  const shown = { ca: root.pem, cert: own.chainPem, key: broken };
  const message = await refusal(
    createJsonClient(showing({ tls: shown, headers: {} })).post(url, { form: {} }, LIMITS),
  );
  assert.match(message, /cannot be used|the connection failed/);
  assert.ok(!message.includes("CANARY"));
  assert.deepEqual(seen, []);
});
