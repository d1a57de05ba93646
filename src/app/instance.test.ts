import assert from "node:assert/strict";
import { test } from "node:test";
import { type Config, configSchema } from "../config/schema.ts";
import { ConfigError } from "../model/errors.ts";
import { refuseFixed } from "./instance.ts";

const AUTHORITY = {
  issuer: "https://sallyport.example.com",
  store: "sqlite:data/sallyport.db",
  keyEncryptionKey: { file: "secrets/kek" },
};

function configOf(extra: object): Config {
  return configSchema.parse({
    version: 1,
    services: {},
    routes: [],
    policies: { enforce: ["policies"] },
    audit: { path: "data/audit" },
    ...extra,
  });
}

test("refuseFixed() lets pass what a reload can put in force", () => {
  const admin = { address: "127.0.0.1:0", attributes: { big: 2n ** 60n } };
  const running = configOf({ admin, authority: AUTHORITY });
  for (const extra of [
    {},
    { limits: { failures: { burst: 7 } } },
    { authority: { ...AUTHORITY, proxies: [{ name: "edge-*" }] } },
  ]) {
    refuseFixed(running, configOf({ admin, authority: AUTHORITY, ...extra }), "sallyport.yaml");
  }
});

test("refuseFixed() refuses what is opened once", () => {
  const admin = { address: "127.0.0.1:0", attributes: { big: 2n ** 60n } };
  const running = configOf({ admin, authority: AUTHORITY });
  for (const extra of [
    { admin: { ...admin, attributes: { big: 2n ** 60n + 1n } } },
    { audit: { path: "elsewhere" } },
    { workers: 2 },
    { supervisor: { folder: "elsewhere" } },
    { authority: undefined },
    { authority: { ...AUTHORITY, store: "sqlite:other.db" } },
    { authority: { feed: ["https://authority.internal"], identity: "identity" } },
  ]) {
    const wanted = configOf({ admin, authority: AUTHORITY, ...extra });
    assert.throws(() => refuseFixed(running, wanted, "sallyport.yaml"), ConfigError);
  }
});
