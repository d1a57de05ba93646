/** One Postgres for all tests of a file, and a fresh database in it for each of them. */
import { after, before, type TestContext } from "node:test";
import { type Postgres, startPostgres } from "../postgres.ts";

export interface Database {
  readonly server: Postgres;
  readonly name: string;
  readonly url: string;
  /** The same by another port of this machine. */
  urlAt(port: number): string;
}

/** Registers the server's start and end; the function gives undefined where the test is skipped. */
export function sharedPostgres(): (t: TestContext) => Promise<Database | undefined> {
  let server: (Postgres & { end(): Promise<void> }) | undefined;
  let databases = 0;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server?.end());
  return async (t) => {
    if (server === undefined) {
      t.skip("no Postgres on this machine (Debian: postgresql)");
      return undefined;
    }
    const name = `test${(databases += 1)}`;
    await server.query(`CREATE DATABASE ${name}`);
    const url = server.url.replace(/postgres$/, name);
    const { port } = server;
    return { server, name, url, urlAt: (other) => url.replace(`:${port}/`, `:${other}/`) };
  };
}
