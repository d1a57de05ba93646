import assert from "node:assert/strict";
import { test } from "node:test";
import type { Exchanged, Outgoing } from "../platform/bounded-exchange.ts";
import { createTokenEndpoint } from "./token-endpoint.ts";

const ISSUER = "https://authority.example/tenant";

function ground(answer: { readonly status?: number; readonly body: unknown }) {
  const urls: string[] = [];
  const send = async ({ url }: Outgoing): Promise<Exchanged> => {
    urls.push(url.href);
    const { status = 200, body } = answer;
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return await Promise.resolve({ status, headers: {}, body: Buffer.from(text) });
  };
  return { urls, endpoint: createTokenEndpoint({ issuer: ISSUER }, { send, tls: () => ({}) }) };
}

test("the endpoint is found by the issuer's metadata, once for all who ask", async () => {
  const body = { issuer: ISSUER, token_endpoint: "https://authority.example/token" };
  const { urls, endpoint } = ground({ body });
  const found = await Promise.all([endpoint.find(), endpoint.find()]);
  assert.deepEqual(found, [body.token_endpoint, body.token_endpoint]);
  assert.deepEqual(urls, [
    "https://authority.example/.well-known/oauth-authorization-server/tenant",
  ]);
  endpoint.forget();
  await endpoint.find();
  assert.equal(urls.length, 2);
});

test("metadata that is another's, none, or leads into the open is refused, and looked at again", async () => {
  const cases: [answer: Parameters<typeof ground>[0], message: RegExp][] = [
    [{ status: 404, body: {} }, /answered 404/],
    [{ body: "no json" }, /no JSON object/],
    [{ body: [] }, /no JSON object/],
    [{ body: { issuer: `${ISSUER}/`, token_endpoint: "https://a.example/t" } }, /another issuer/],
    [{ body: { issuer: ISSUER } }, /no https: URL/],
    [
      { body: { issuer: ISSUER, token_endpoint: "http://authority.example/token" } },
      /no https: URL/,
    ],
    [{ body: { issuer: ISSUER, token_endpoint: "file:///etc/passwd" } }, /no https: URL/],
  ];
  for (const [answer, message] of cases) {
    const { urls, endpoint } = ground(answer);
    await assert.rejects(endpoint.find(), { code: "fetch-failed", message });
    await assert.rejects(endpoint.find());
    assert.equal(urls.length, 2);
  }
});

test("an endpoint that the configuration names is not looked for", async () => {
  const send = () => assert.fail("asked");
  const tokenEndpoint = "https://authority.example/token";
  const endpoint = createTokenEndpoint({ tokenEndpoint }, { send, tls: () => ({}) });
  assert.equal(await endpoint.find(), tokenEndpoint);
});
