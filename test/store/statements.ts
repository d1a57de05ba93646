/** Runs statements in a database, beside the store. */
import { Client, type QueryResult } from "pg";

/** The rows of the last one. */
export async function runStatements(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    const result = (await client.query(text)) as QueryResult | QueryResult[];
    return (Array.isArray(result) ? result.at(-1) : result)?.rows ?? [];
  } finally {
    await client.end();
  }
}
