/**
 * An OAuth client that knows an address and its own credentials, and nothing else of the house, finds the
 * way in by itself: 401, protected-resource metadata (RFC 9728), metadata of the authorization server
 * (RFC 8414), a token for that resource (RFC 8707), 200. The provider is a real one.
 *
 * MCP clients go the same way, so what they check on it is checked here: that the resource is what was
 * asked for or lies above it, and that pages of other origins may read the documents.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { decodeJwt } from "jose";
import { AUDIENCE } from "../../examples/demo/cast.ts";
import { type RunningProvider, startProvider } from "../../examples/demo/provider.ts";
import { startSallyport } from "../../src/app/sallyport.ts";
import { recordedLog } from "../ports.ts";

interface Ground {
  readonly provider: RunningProvider;
  /** As a caller whose resolver leads to the proxy. */
  readonly ask: (url: string, init?: RequestInit) => Promise<Response>;
  /** Fields of what reached the service. */
  readonly arrived: readonly IncomingMessage["headers"][];
}

async function ground(t: TestContext, routes: string, services = ""): Promise<Ground> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-metadata-"));
  const provider = await startProvider(0);
  t.after(() => provider.close());
  const arrived: IncomingMessage["headers"][] = [];
  const service = createServer((request, response) => {
    arrived.push(request.headers);
    response.end("in");
  });
  service.listen(0, "127.0.0.1");
  await once(service, "listening");
  t.after(() => {
    service.close();
    service.closeAllConnections();
  });
  mkdirSync(join(folder, "policies"));
  writeFileSync(
    join(folder, "policies", "all.cedar"),
    '@id("known")\npermit (principal is Sallyport::Workload, action, resource);\n',
  );
  const file = join(folder, "sallyport.yaml");
  writeFileSync(
    file,
    `version: 1
listeners: [{ name: edge, address: "127.0.0.1:0", publicOrigin: ${AUDIENCE}, serve: [well-known] }]
authenticators:
  idp:
    type: jwt
    issuer: ${provider.issuer}
    audience: [${AUDIENCE}]
    algorithms: [RS256, ES256, EdDSA]
    principal: { kind: { claim: kind, is: { workload: workload, user: user } }, subject: sub }
services:
  tools: { endpoints: ["http://127.0.0.1:${(service.address() as AddressInfo).port}"]${services} }
routes:
${routes}
policies: { enforce: [policies] }
audit: { path: audit }
`,
  );
  const proxy = await startSallyport(file, recordedLog());
  t.after(async () => {
    await proxy.close({ atOnce: true });
    rmSync(folder, { recursive: true, force: true });
  });
  const { address = "" } = proxy.listeners[0] ?? {};
  const ask = (url: string, init: RequestInit = {}): Promise<Response> =>
    fetch(url.replace(AUDIENCE, `http://${address}`), init);
  return { provider, ask, arrived };
}

/** `resource_metadata` of the challenge (RFC 9728 section 5.1). */
function metadataOf(answer: Response): string {
  assert.equal(answer.status, 401);
  const challenge = answer.headers.get("www-authenticate") ?? "";
  const [, url] = /\bresource_metadata="([^"]+)"/.exec(challenge) ?? [];
  assert.ok(url, challenge);
  return url;
}

async function json(answer: Response): Promise<Record<string, unknown>> {
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("content-type") ?? "", /^application\/json/);
  return (await answer.json()) as Record<string, unknown>;
}

/** RFC 8414 section 3.1: the well-known part comes between host and path. */
async function serverMetadata(issuer: string): Promise<Record<string, unknown>> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname === "/" ? "" : pathname;
  for (const kind of ["oauth-authorization-server", "openid-configuration"]) {
    // oxlint-disable-next-line no-await-in-loop -- the second only where the first is not there
    const answer = await fetch(`${origin}/.well-known/${kind}${path}`);
    // oxlint-disable-next-line no-await-in-loop -- see above
    if (answer.ok) return await json(answer);
    // oxlint-disable-next-line no-await-in-loop -- see above
    await answer.body?.cancel();
  }
  throw new Error(`${issuer} has no metadata`);
}

/** All that a client does which was given an address and its own credentials. */
async function findIn(
  { ask }: Ground,
  address: string,
  client: { readonly id: string; readonly secret: string },
): Promise<{ readonly token: string; readonly resource: string }> {
  const url = metadataOf(await ask(address));
  const metadata = await json(await ask(url));
  const resource = String(metadata["resource"]);
  // RFC 9728 section 3.3, and what MCP clients make of it: of the same origin, at it or above it.
  assert.equal(new URL(resource).origin, new URL(address).origin);
  assert.ok(
    `${new URL(address).pathname}/`.startsWith(`${new URL(resource).pathname}/`.replace("//", "/")),
  );
  assert.deepEqual(metadata["bearer_methods_supported"], ["header"]);
  const [issuer] = metadata["authorization_servers"] as string[];
  const server = await serverMetadata(issuer ?? "");
  assert.equal(server["issuer"], issuer);
  const answer = await fetch(String(server["token_endpoint"]), {
    method: "POST",
    headers: {
      authorization: `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString("base64")}`,
    },
    body: new URLSearchParams({ grant_type: "client_credentials", resource }),
  });
  const { access_token: token } = await json(answer);
  return { token: String(token), resource };
}

test("a client that knows an address finds the way in by itself", async (t) => {
  const stage = await ground(
    t,
    "  - { name: all, path: /*, service: tools, authenticate: [idp] }",
    ", resource: { name: Tools, scopes: [read, write] }",
  );
  const client = { id: "payments", secret: stage.provider.secrets["payments"] ?? "" };
  const { token, resource } = await findIn(stage, `${AUDIENCE}/mcp`, client);
  assert.equal(resource, AUDIENCE);
  assert.equal(decodeJwt(token).aud, resource);
  const authorization = `Bearer ${token}`;
  const answer = await stage.ask(`${AUDIENCE}/mcp`, { method: "POST", headers: { authorization } });
  assert.equal(await answer.text(), "in");
  assert.equal(stage.arrived.length, 1);
  assert.equal(stage.arrived[0]?.authorization, undefined);
});

test("each route has its own place, and every 401 on it names that", async (t) => {
  const stage = await ground(
    t,
    `  - { name: mcp, path: /mcp, service: tools, authenticate: [idp] }
  - { name: api, path: "/api/{version}/*", service: tools, authenticate: [idp], confirmation: required }
  - { name: quiet, path: /quiet, service: tools, authenticate: [idp], resource: false }
  - { name: open, path: /open, service: tools, authenticate: [anonymous] }`,
  );
  const base = `${AUDIENCE}/.well-known/oauth-protected-resource`;
  for (const headers of [{}, { authorization: "Bearer nonsense" }] as Record<string, string>[]) {
    assert.equal(metadataOf(await stage.ask(`${AUDIENCE}/mcp`, { headers })), `${base}/mcp`);
    assert.equal(metadataOf(await stage.ask(`${AUDIENCE}/api/v1/x`, { headers })), `${base}/api`);
    const quiet = await stage.ask(`${AUDIENCE}/quiet`, { headers });
    assert.doesNotMatch(quiet.headers.get("www-authenticate") ?? "", /resource_metadata/);
  }
  const api = await json(await stage.ask(`${base}/api`));
  assert.equal(api["dpop_bound_access_tokens_required"], true);
  const mcp = await json(await stage.ask(`${base}/mcp`));
  assert.equal(mcp["resource"], `${AUDIENCE}/mcp`);
  assert.equal(mcp["dpop_bound_access_tokens_required"], false);
  // What clients try that were told of no place: the host as a whole.
  assert.equal((await json(await stage.ask(base)))["resource"], AUDIENCE);
  for (const path of ["/quiet", "/open", "/api/v1", "/nothing"]) {
    assert.equal((await stage.ask(`${base}${path}`)).status, 404, path);
  }
});

test("a client in a page of another origin may read it", async (t) => {
  const stage = await ground(
    t,
    "  - { name: mcp, path: /mcp, service: tools, authenticate: [idp] }",
  );
  const url = `${AUDIENCE}/.well-known/oauth-protected-resource/mcp`;
  const preflight = await stage.ask(url, {
    method: "OPTIONS",
    headers: {
      origin: "https://inspector.example",
      "access-control-request-method": "GET",
      "access-control-request-headers": "mcp-protocol-version",
    },
  });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get("access-control-allow-origin"), "*");
  assert.equal(preflight.headers.get("access-control-allow-headers"), "*");
  const read = await stage.ask(url, { headers: { origin: "https://inspector.example" } });
  assert.equal(read.headers.get("access-control-allow-origin"), "*");
});
