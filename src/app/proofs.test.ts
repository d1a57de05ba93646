import assert from "node:assert/strict";
import { test } from "node:test";
import { dpopClient } from "../../test/identity/dpop-client.ts";
import { recordedLog } from "../../test/ports.ts";
import type { Config } from "../config/schema.ts";
import { dpopSchema } from "../identity/dpop/dpop-options.ts";
import { sharedSchema } from "../memory/shared-options.ts";
import { createInstruments } from "./instruments.ts";
import { createProofs } from "./proofs.ts";

const FEED = { feed: ["https://authority.example:9443"], identity: "identity" };
const SHARED = sharedSchema.parse({ redis: "unix:/run/redis.sock" });

for (const [name, nonce, parts, expected] of [
  ["alone", "auto", {}, undefined],
  ["that follows a feed", "auto", { authority: FEED }, "use-dpop-nonce"],
  ["that serves one", "auto", { authority: { serve: {} } }, "use-dpop-nonce"],
  ["that keeps an authority for itself", "auto", { authority: { store: "x" } }, undefined],
  ["that follows a feed and has Redis", "auto", { authority: FEED, shared: SHARED }, undefined],
  ["that follows a feed", "off", { authority: FEED }, undefined],
  ["alone", "required", {}, "use-dpop-nonce"],
] as const) {
  test(`createProofs() of a proxy ${name}, with nonce: ${nonce}, says ${expected ?? "nothing"} to a proof without one`, async () => {
    const config = { dpop: dpopSchema.parse({ nonce }), ...parts } as unknown as Config;
    const client = dpopClient();
    const [method, url, token] = ["GET", "https://api.example/x", "token"];
    const nowMs = Date.now();
    const answer = await createProofs(config, createInstruments(recordedLog())).verify({
      fields: ["dpop", client.proof({ method, url, token, nowMs })],
      method,
      url,
      token,
      keyThumbprint: client.thumbprint,
      nowMs,
    });
    assert.equal(answer.refused?.reason, expected);
  });
}
