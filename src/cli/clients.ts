/**
 * `sallyport clients …`: clients of the token endpoint. A secret is printed once, to standard output and
 * by itself, so that it can be piped to where it is kept; what a person should know about it goes to
 * standard error.
 */
import { duration } from "../model/options.ts";
import type { AdminClient, Client, MadeClient } from "./admin-client.ts";
import { AdminCallError } from "./admin-transport.ts";
import { attributesOf, durationOption } from "./attribute-options.ts";
import { type ProofOptions, readProof } from "./client-proof.ts";
import { clientFacts, clientTable } from "./clients-text.ts";

/** `--unused-for` finds what can go; nothing goes within a minute. */
const unusedSchema = duration({ min: "1m", max: "3650d" });

const LIMITS = {
  /** Of a page of the list. */
  page: 500,
} as const;

export interface ClientsContext {
  readonly client: AdminClient;
  readonly nowMs: () => number;
  /** To standard output, as it is. */
  readonly write: (text: string) => void;
  /** A line to standard error. */
  readonly hint: (line: string) => void;
  /** JSON instead of text. */
  readonly json: boolean;
}

export interface CreateClientOptions extends ProofOptions {
  readonly label?: string | undefined;
  readonly role: readonly string[];
  readonly group: readonly string[];
  /** `name=value`, the value as JSON or else as text. */
  readonly attribute: readonly string[];
}

/** Each resolves to the exit code: 1 where there is no such client. Throws AdminCallError and ConfigError. */
export async function createClient(
  id: string,
  options: CreateClientOptions,
  context: ClientsContext,
): Promise<number> {
  const { label, role, group, attribute } = options;
  const attributes = attributesOf(attribute);
  return await withProof(options, async (key) => {
    const { value } = await context.client.createClient({
      body: {
        id,
        roles: role,
        groups: group,
        attributes,
        ...(label === undefined ? {} : { label }),
        ...(key === undefined ? {} : { key }),
      },
    });
    if (key === undefined) {
      context.hint(`It cannot prove who it is yet: sallyport clients add-key ${id} …`);
    }
    return made(value, options, context);
  });
}

export function addClientKey(
  id: string,
  options: ProofOptions,
  context: ClientsContext,
): Promise<number> {
  return about(id, context, () =>
    withProof(options, async (key) => {
      if (key === undefined) throw new AdminCallError(WHICH);
      const { value } = await context.client.addClientKey({ id, body: key });
      const code = made(value, options, context);
      const others = value.client.keys.filter((one) => one.id !== value.added?.id);
      if (!context.json && others.length > 0) {
        context.hint("Once it is in use, take the former one away:");
        for (const one of others) {
          context.hint(`  sallyport clients remove-key ${id} ${one.id}`);
        }
      }
      return code;
    }),
  );
}

const WHICH = "say how: --generate-key FILE, --key FILE, --certificate FILE or --insecure-secret";

export function removeClientKey(id: string, key: string, context: ClientsContext): Promise<number> {
  return about(id, context, async () => {
    const { value } = await context.client.removeClientKey({ id, key });
    if (value.keys.length === 0) context.hint(`${id} can prove who it is in no other way.`);
    context.hint(`Keys that it got until now are good until they expire; to end them:`);
    context.hint(`  sallyport keys revoke --subject ${id}`);
    return shown(value, context);
  });
}

export async function listClients(
  { unusedFor }: { readonly unusedFor?: string | undefined },
  { client, nowMs, write, hint, json }: ClientsContext,
): Promise<number> {
  const unusedSince =
    unusedFor === undefined
      ? undefined
      : new Date(nowMs() - durationOption(unusedFor, "--unused-for", unusedSchema)).toISOString();
  const clients: Client[] = [];
  let cursor: string | undefined;
  do {
    // oxlint-disable-next-line no-await-in-loop -- each begins where the last one ended
    const { value } = await client.listClients({ cursor, limit: LIMITS.page, unusedSince });
    clients.push(...value.clients);
    cursor = value.next;
  } while (cursor !== undefined);
  if (json) write(clients.map((one) => `${JSON.stringify(one)}\n`).join(""));
  else if (clients.length > 0) write(clientTable(clients, nowMs()));
  else if (unusedFor === undefined) hint("There is no client.");
  else hint(`All that are registered got a key within ${unusedFor}, or are younger.`);
  return 0;
}

export function showClient(id: string, context: ClientsContext): Promise<number> {
  return about(id, context, async () => {
    const { value } = await context.client.getClient({ id });
    return shown(value, context);
  });
}

export function disableClient(
  id: string,
  { reason }: { readonly reason?: string | undefined },
  context: ClientsContext,
): Promise<number> {
  return about(id, context, async () => {
    const body = reason === undefined ? {} : { reason };
    const { value } = await context.client.disableClient({ id, body });
    context.hint("Keys that it has are dead from now on; it gets new ones once it is enabled.");
    return shown(value, context);
  });
}

export function enableClient(id: string, context: ClientsContext): Promise<number> {
  return about(id, context, async () => {
    const { value } = await context.client.enableClient({ id });
    return shown(value, context);
  });
}

export function removeClient(id: string, context: ClientsContext): Promise<number> {
  return about(id, context, async () => {
    await context.client.removeClient({ id });
    context.hint(`${id} is forgotten, and what it got until now is dead.`);
    return 0;
  });
}

/** A key pair of which nobody learnt is of no use to anybody. */
async function withProof(
  options: ProofOptions,
  work: (key: ReturnType<typeof readProof>["key"]) => Promise<number>,
): Promise<number> {
  const proof = readProof(options);
  try {
    return await work(proof.key);
  } catch (error) {
    proof.undo();
    throw error;
  }
}

async function about(
  id: string,
  { hint }: ClientsContext,
  work: () => Promise<number>,
): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AdminCallError) || error.problem?.reason !== "not-found") throw error;
    hint(`sallyport: there is no such client, or no such key of it: ${id}`);
    return 1;
  }
}

function made(
  answer: MadeClient,
  { generateKey }: ProofOptions,
  { write, hint, json }: ClientsContext,
): number {
  if (json) {
    write(`${JSON.stringify(answer)}\n`);
    return 0;
  }
  const { client, added, secret, warnings } = answer;
  for (const warning of warnings) hint(`sallyport: warning: ${warning}`);
  if (secret !== undefined) {
    write(`${secret}\n`);
    hint(`This is the secret ${added?.id ?? ""} of ${client.id}. It is shown only now.`);
    hint("Whoever sees it is the client: a key pair (--generate-key) is better.");
    return 0;
  }
  write(`${client.id}${added === undefined ? "" : `  ${added.type}  ${added.id}`}\n`);
  if (generateKey !== undefined) {
    hint(`Its private key is in ${generateKey} (mode 0600) and nowhere else; kid is its id above.`);
  }
  return 0;
}

function shown(client: Client, { write, json, nowMs }: ClientsContext): number {
  write(json ? `${JSON.stringify(client)}\n` : clientFacts(client, nowMs()));
  return 0;
}
