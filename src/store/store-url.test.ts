import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../model/errors.ts";
import { parseStoreUrl, storeName } from "./store-url.ts";

test("parseStoreUrl() knows SQLite files and Postgres URLs", () => {
  assert.deepEqual(parseStoreUrl("sqlite:data/sallyport.db"), {
    engine: "sqlite",
    path: "data/sallyport.db",
  });
  assert.deepEqual(parseStoreUrl("sqlite:/var/lib/x.db"), {
    engine: "sqlite",
    path: "/var/lib/x.db",
  });
  for (const scheme of ["postgres", "postgresql"]) {
    const location = parseStoreUrl(`${scheme}://u:p@db:5433/name?sslmode=require`);
    assert.ok(location.engine === "postgres");
    assert.equal(location.url.host, "db:5433");
  }
});

test("parseStoreUrl() refuses everything else, and repeats none of it", () => {
  const refused = [
    "",
    "sqlite:",
    "sqlite:folder/",
    "sqlite::memory:",
    "sqlite:file.db?mode=ro",
    "sqlite:a\0b",
    "sqlite://host/file.db",
    "mysql://user:CANARY@host/db",
    "/var/lib/CANARY.db",
    "postgres:user:CANARY@host",
    "postgres://user:CANARY@[::1/db",
  ];
  for (const url of refused) {
    assert.throws(
      () => parseStoreUrl(url),
      (error: unknown) => error instanceof ConfigError && !error.message.includes("CANARY"),
      url,
    );
  }
});

test("storeName() has neither user nor password nor parameters", () => {
  assert.equal(
    storeName("postgres://u:CANARY@db:5433/gate?sslkey=CANARY"),
    "postgres://db:5433/gate",
  );
  assert.equal(
    storeName("postgres:///gate?host=/run/postgresql"),
    "postgres:///run/postgresql/gate",
  );
  assert.equal(storeName("sqlite:data/x.db"), "sqlite:data/x.db");
});
