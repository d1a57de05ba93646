import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ConfigError } from "../model/errors.ts";
import { type PostgresOptions, readPostgresUrl } from "./postgres-options.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-postgres-options-"));
after(() => rmSync(folder, { recursive: true }));

function read(url: string): PostgresOptions {
  return readPostgresUrl(new URL(url));
}

test("readPostgresUrl() reads host, port, names and password, with their escapes", () => {
  assert.deepEqual(read("postgres://us%40er:p%2Fw@127.0.0.1:6432/data%20base?application_name=x"), {
    host: "127.0.0.1",
    port: 6432,
    user: "us@er",
    database: "data base",
    password: "p/w",
    applicationName: "x",
    options: undefined,
    tls: undefined,
    insecure: undefined,
  });
  const bare = read("postgres://db.example.com?options=-c%20search_path%3Ds");
  assert.deepEqual(
    [bare.port, bare.user, bare.database, bare.password, bare.options, bare.applicationName],
    [5432, undefined, undefined, undefined, "-c search_path=s", "sallyport"],
  );
  assert.equal(read("postgres://[::1]/db").host, "::1");
  assert.equal(read("postgres://%2Frun%2Fpostgresql/db").host, "/run/postgresql");
  assert.equal(read("postgres:///db?host=/run/postgresql").host, "/run/postgresql");
});

test("readPostgresUrl() verifies other machines unless told, and says what is insecure", () => {
  const verified = { verify: true, verifyName: true };
  for (const host of ["db.example.com", "10.0.0.1", "127.example.com", "[fd00::1]"]) {
    const { tls, insecure } = read(`postgres://${host}/db`);
    assert.equal(insecure, undefined, host);
    assert.deepEqual({ verify: tls?.verify, verifyName: tls?.verifyName }, verified, host);
  }
  for (const host of ["localhost", "127.0.0.1", "127.8.8.8", "[::1]", "%2Frun%2Fpg"]) {
    assert.equal(read(`postgres://${host}/db`).tls, undefined, host);
    assert.equal(read(`postgres://${host}/db?sslmode=disable`).insecure, undefined, host);
  }
  const other = (mode: string): PostgresOptions => read(`postgres://db/x?sslmode=${mode}`);
  assert.match(other("disable").insecure ?? "", /in clear/);
  assert.equal(other("disable").tls, undefined);
  assert.match(other("require").insecure ?? "", /whoever answers/);
  assert.equal(other("require").tls?.verify, false);
  assert.match(other("verify-ca").insecure ?? "", /any server/);
  assert.deepEqual(
    [other("verify-ca").tls?.verify, other("verify-ca").tls?.verifyName],
    [true, false],
  );
  assert.equal(other("verify-full").insecure, undefined);
});

test("readPostgresUrl() reads files of certificates, and refuses a key that others can read", () => {
  const files = Object.fromEntries(
    ["ca", "cert", "key"].map((name) => {
      const path = join(folder, name);
      writeFileSync(path, `PEM of ${name}`, { mode: 0o600 });
      return [name, path];
    }),
  );
  const url = `postgres://db/x?sslrootcert=${files["ca"]}&sslcert=${files["cert"]}&sslkey=${files["key"]}`;
  assert.deepEqual(read(url).tls, {
    verify: true,
    verifyName: true,
    ca: "PEM of ca",
    certificate: "PEM of cert",
    key: "PEM of key",
  });
  assert.equal(read("postgres://db/x?sslrootcert=system").tls?.ca, undefined);
  chmodSync(files["key"] as string, 0o640);
  assert.throws(() => read(url), { code: "store-failed", message: /chmod it to 0600/ });
  assert.throws(() => read(`postgres://db/x?sslrootcert=${folder}/absent`), {
    code: "store-failed",
    message: /ENOENT/,
  });
});

test("readPostgresUrl() refuses what it would not keep, and repeats no password", () => {
  const refused = [
    "postgres:///db",
    "postgres://u:CANARY@one,two/db",
    "postgres://u:CANARY@db/x?sslmode=prefer",
    "postgres://u:CANARY@db/x?sslmode=allow",
    "postgres://u:CANARY@db/x?sslmode=",
    "postgres://u:CANARY@db/x?target_session_attrs=read-write",
    "postgres://u:CANARY@db/x?sslmode=disable&sslmode=require",
    "postgres://u:CANARY@db/x?passfile=/etc/CANARY",
    "postgres://u:CANARY@db/x?sslcert=/etc/x",
    "postgres://u:CANARY%@db/x",
    "postgres://db/x?password=CANARY",
  ];
  for (const url of refused) {
    assert.throws(
      () => read(url),
      (error: unknown) => error instanceof ConfigError && !error.message.includes("CANARY"),
      url,
    );
  }
});
