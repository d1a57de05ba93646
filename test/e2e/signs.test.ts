/** Signs of a breach through a whole proxy: from requests to records, metrics and the webhook. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { startStage, until } from "./stage.ts";

test("bursts of refusals, probing of routes and a credential in two places are told", async (t) => {
  const told: { readonly sign: string; readonly principal?: string }[] = [];
  const hook = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      told.push(JSON.parse(body) as (typeof told)[number]);
      response.end();
    });
  });
  hook.listen(0, "127.0.0.1");
  await once(hook, "listening");
  t.after(() => {
    hook.closeAllConnections();
    hook.close();
  });
  const { port } = hook.address() as AddressInfo;
  const stage = await startStage({
    listener: "    trustedProxies: [127.0.0.0/8]",
    catchAll: false,
    config: `signs:
  refusalBurst: { principal: 5, address: 50, window: 1h }
  routeProbing: { count: 6, window: 1h }
  webhook: { url: "http://127.0.0.1:${port}/signs", headers: { authorization: Bearer canary-9c1e } }
`,
  });
  t.after(() => stage.close());
  const ask = async (target: string, address: string, token?: string): Promise<void> => {
    const headers: Record<string, string> = { "x-forwarded-for": address };
    if (token !== undefined) headers["authorization"] = `Bearer ${token}`;
    await (await fetch(`http://${stage.proxy}${target}`, { headers })).text();
  };
  const admin = stage.issuer.token({ sub: "ada", roles: ["Admin"] });
  const nobody = stage.issuer.token({ sub: "eve", roles: [] });
  await ask("/guarded/1", "192.0.2.7", admin);
  for (let index = 0; index < 5; index += 1) await ask("/guarded/1", "192.0.2.7", nobody);
  for (let index = 0; index < 6; index += 1) await ask(`/.env${index}`, "203.0.113.9");
  await ask("/guarded/1", "198.51.100.4", admin);
  await until(() => told.length === 3);
  assert.deepEqual(
    told.map(({ sign, principal }) => [sign, principal]),
    [
      ["refusal-burst", "test/eve"],
      ["route-probing", undefined],
      ["two-places", "test/ada"],
    ],
  );
  for (const sign of ["refusal-burst", "route-probing", "two-places"]) {
    await stage.found(({ type, event }) => type === "event" && event === sign);
  }
  const metrics = await (await fetch(`http://${stage.admin}/metrics`)).text();
  assert.match(metrics, /sallyport_signs_total\{sign="two-places"\} 1/);
  assert.doesNotMatch(metrics + stage.log() + stage.auditText(), /canary-9c1e/);
});
