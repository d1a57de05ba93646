/** The contract on Postgres: one server for all, a database for each test. */
import { after, before } from "node:test";
import { type Postgres, startPostgres } from "../postgres.ts";
import { testStoreContract } from "./contract.ts";
import { opener } from "./kit.ts";

let server: (Postgres & { end(): Promise<void> }) | undefined;
let databases = 0;

before(async () => {
  server = await startPostgres();
});
after(() => server?.end());

testStoreContract("postgres", async (t) => {
  if (server === undefined) {
    t.skip("no Postgres on this machine");
    return undefined;
  }
  const name = `contract${(databases += 1)}`;
  await server.query(`CREATE DATABASE ${name}`);
  return { open: opener(t, server.url.replace(/postgres$/, name)) };
});
