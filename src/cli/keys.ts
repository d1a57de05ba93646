/** `sallyport keys …`: the keys that sign on our behalf, and changing them. */
import type { Key } from "./admin-client.ts";
import { connectAdmin, type ConnectOptions } from "./admin-connect.ts";
import { plain, table } from "./table.ts";

export async function listKeys(
  options: ConnectOptions & { readonly json: boolean },
): Promise<number> {
  const client = connectAdmin(options);
  const keys: Key[] = [];
  let cursor: string | undefined;
  do {
    const { value } = await client.listKeys({ cursor, limit: 500 });
    keys.push(...value.keys);
    cursor = value.next;
  } while (cursor !== undefined);
  process.stdout.write(options.json ? `${JSON.stringify(keys, null, 2)}\n` : rowsOf(keys));
  return 0;
}

/** `emergency`: nothing that the former keys of this use have signed verifies any more. */
export async function rotateKey(
  use: Key["use"],
  options: ConnectOptions & { readonly emergency: boolean },
): Promise<number> {
  const client = connectAdmin(options);
  const { value } = options.emergency
    ? await client.rotateKeyNow({ use })
    : await client.rotateKey({ use });
  process.stdout.write(rowsOf(value.keys));
  return 0;
}

function rowsOf(keys: readonly Key[]): string {
  return table(
    keys.map(({ use, kid, algorithm, state, active, retired, removed }) => {
      const until =
        state === "retired" ? `verifies until ${removed}` : `signs ${active} to ${retired}`;
      return [use, kid, algorithm, state, until].map(plain);
    }),
  );
}
