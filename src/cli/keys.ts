/** `sallyport keys …`: the keys that sign on our behalf, and changing them. */
import { X509Certificate } from "node:crypto";
import { KEY_USES } from "../model/signing.ts";
import type { Key, Root } from "./admin-client.ts";
import { connectAdmin, type ConnectOptions } from "./admin-connect.ts";
import { confirm, type Terminal } from "./confirm.ts";
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
  use: Key["use"] | "all",
  options: ConnectOptions & { readonly emergency: boolean },
): Promise<number> {
  const client = connectAdmin(options);
  // One at a time: where one fails, what was printed is done.
  for (const one of use === "all" ? KEY_USES : [use]) {
    const { value } = options.emergency
      ? // oxlint-disable-next-line no-await-in-loop -- see above
        await client.rotateKeyNow({ use: one })
      : // oxlint-disable-next-line no-await-in-loop -- see above
        await client.rotateKey({ use: one });
    process.stdout.write(rowsOf(value.keys));
  }
  return 0;
}

export async function listRoots(
  options: ConnectOptions & { readonly json: boolean },
): Promise<number> {
  const { value } = await connectAdmin(options).listRoots();
  const { roots } = value;
  process.stdout.write(options.json ? `${JSON.stringify(roots, null, 2)}\n` : rootRows(roots));
  return 0;
}

/** `emergency`: the former roots are trusted no longer, and every machine has to enrol anew. */
export async function rotateRoot(
  options: ConnectOptions & { readonly emergency: boolean; readonly yes: boolean },
  terminal: Terminal = { input: process.stdin, output: process.stderr },
): Promise<number> {
  if (options.emergency) await confirm({ yes: options.yes, warning: EMERGENCY }, terminal);
  const client = connectAdmin(options);
  const { value } = options.emergency ? await client.rotateRootNow() : await client.rotateRoot();
  process.stdout.write(rootRows(value.roots));
  return 0;
}

const EMERGENCY = [
  "Every certificate of a machine is void at once: proxies lose the feed, and deny everything once",
  "their bound (authority.maxStaleness) is over. Every machine has to enrol anew:",
  "  here   sallyport workloads re-enrol NAME",
  "  there  sallyport enrol -c sallyport.yaml --token -",
].join("\n");

/** With the fingerprint that `openssl x509 -fingerprint -sha256` prints. */
function rootRows(roots: readonly Root[]): string {
  return table(
    roots.map(({ certificate, state, active, removed }) => {
      const { fingerprint256, subject } = new X509Certificate(certificate);
      const times = state === "upcoming" ? `signs from ${active}` : `trusted until ${removed}`;
      return [subject, state, times, fingerprint256].map(plain);
    }),
  );
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
