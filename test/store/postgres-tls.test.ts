/** Postgres over TLS: whom the store believes, with which `sslmode`, and that it never gives TLS up. */
import assert from "node:assert/strict";
import { chownSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createRoot, TestCertificate } from "../certificates.ts";
import { type Postgres, postgres } from "../postgres.ts";
import { done, fact, until } from "./contract.ts";
import { opener, temporaryFolder } from "./kit.ts";

const UNAVAILABLE = { code: "store-unavailable" };

/** Where the server looks for it, as its own. */
function install(server: Postgres, name: string, text: string): void {
  const data = join(server.folder, "data");
  const path = join(data, name);
  writeFileSync(path, text, { mode: 0o600 });
  const { uid, gid } = statSync(data);
  chownSync(path, uid, gid);
}

/** New connections are judged by it. */
async function reload(server: Postgres): Promise<void> {
  const [before] = await server.query("SELECT pg_conf_load_time()::text AS time");
  await server.query("SELECT pg_reload_conf()");
  await until(async () => {
    const [after] = await server.query("SELECT pg_conf_load_time()::text AS time");
    return after?.["time"] !== before?.["time"];
  });
}

test("openStore() reaches Postgres over TLS as sslmode says, and never without it", async (t) => {
  const server = await postgres(t);
  if (server === undefined) return;
  const folder = await temporaryFolder(t);
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const [root, other] = [createRoot("ours"), createRoot("another")];
  const ca = file("ca.pem", root.pem);
  const wrong = file("other.pem", other.pem);
  const url = (parameters: string): string => `${server.url}?${parameters}`;
  const open = async (parameters: string): Promise<void> => {
    const store = await opener(t, url(parameters))();
    await store.close();
  };
  const full = `sslmode=verify-full&sslrootcert=${ca}`;

  // The server has no TLS: whoever sits in between could say so, too.
  for (const parameters of [full, "sslmode=require"]) {
    await assert.rejects(open(parameters), { ...UNAVAILABLE, message: /does not support SSL/ });
  }

  const certificate = new TestCertificate({ name: "db", ip: ["127.0.0.1"] }, root);
  install(server, "server.crt", certificate.pem);
  install(server, "server.key", certificate.keyPem);
  await server.query("ALTER SYSTEM SET ssl = on");
  await reload(server);
  const store = await opener(t, url(full))();
  assert.equal(done(await store.commit([fact("a")])).number, 1);
  let calls = 0;
  store.watch(() => (calls += 1));
  await until(async () => calls > 0);
  const plain = await server.query(
    `SELECT 1 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
      WHERE application_name = 'sallyport' AND NOT ssl`,
  );
  assert.deepEqual(plain, []);
  await assert.rejects(open(`sslmode=verify-full&sslrootcert=${wrong}`), UNAVAILABLE);
  await assert.rejects(open(`sslmode=verify-ca&sslrootcert=${wrong}`), UNAVAILABLE);
  await assert.rejects(open("sslmode=verify-full"), UNAVAILABLE);
  await open("sslmode=require");

  // Of the right authority, and for another name.
  const elsewhere = new TestCertificate({ name: "elsewhere", dns: ["elsewhere"] }, root);
  install(server, "server.crt", elsewhere.pem);
  install(server, "server.key", elsewhere.keyPem);
  await reload(server);
  await assert.rejects(open(full), UNAVAILABLE);
  await open(`sslmode=verify-ca&sslrootcert=${ca}`);
});

test("openStore() shows its own certificate where the server asks for one", async (t) => {
  const server = await postgres(t);
  if (server === undefined) return;
  const folder = await temporaryFolder(t);
  const root = createRoot("ours");
  const certificate = new TestCertificate({ name: "db", ip: ["127.0.0.1"] }, root);
  const client = new TestCertificate({ name: "sallyport" }, root);
  const files = { "ca.pem": root.pem, "client.pem": client.pem, "client.key": client.keyPem };
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
  }
  install(server, "server.crt", certificate.pem);
  install(server, "server.key", certificate.keyPem);
  install(server, "root.crt", root.pem);
  await server.query("CREATE DATABASE certified");
  await server.query("ALTER SYSTEM SET ssl_ca_file = 'root.crt'");
  await server.query("ALTER SYSTEM SET ssl = on");
  // By its certificate alone: the password takes no part.
  const rules = [
    "hostssl certified all 127.0.0.1/32 cert",
    "host certified all all reject",
    "host all all 127.0.0.1/32 scram-sha-256",
  ];
  install(server, "pg_hba.conf", rules.join("\n"));
  await reload(server);
  const url = server.url.replace(/:[^:@]*@/, "@").replace(/postgres$/, "certified");
  const full = `${url}?sslmode=verify-full&sslrootcert=${join(folder, "ca.pem")}`;
  const identity = `sslcert=${join(folder, "client.pem")}&sslkey=${join(folder, "client.key")}`;
  const store = await opener(t, `${full}&${identity}`)();
  assert.equal(done(await store.commit([fact("a")])).number, 1);
  await assert.rejects(opener(t, full)(), UNAVAILABLE);
  await assert.rejects(opener(t, `${url}?sslmode=disable`)(), UNAVAILABLE);
});
