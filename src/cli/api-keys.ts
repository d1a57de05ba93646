/**
 * `sallyport api-keys …`: keys for callers that can do nothing better. A key is printed once, to standard
 * output and by itself, so that it can be piped to where it is kept; what a person should know about it
 * goes to standard error.
 */
import { ConfigError } from "../model/errors.ts";
import { duration } from "../model/options.ts";
import type { AdminClient, ApiKey, MadeApiKey } from "./admin-client.ts";
import { AdminCallError } from "./admin-transport.ts";
import { apiKeyFacts, apiKeyTable } from "./api-keys-text.ts";

const lifetimeSchema = duration({ min: "1m", max: "1100d" });
const overlapSchema = duration({ min: "0s", max: "90d" });

const LIMITS = {
  /** Of a page of the list. */
  page: 500,
} as const;

export interface ApiKeysContext {
  readonly client: AdminClient;
  readonly nowMs: () => number;
  /** To standard output, as it is. */
  readonly write: (text: string) => void;
  /** A line to standard error. */
  readonly hint: (line: string) => void;
  /** JSON instead of text. */
  readonly json: boolean;
}

export interface CreateOptions {
  readonly authenticator: string;
  readonly label?: string | undefined;
  readonly scope: readonly string[];
  readonly role: readonly string[];
  readonly group: readonly string[];
  readonly service: readonly string[];
  /** `name=value`, the value as JSON or else as text. */
  readonly attribute: readonly string[];
  /** A duration. */
  readonly lifetime?: string | undefined;
}

/** Each resolves to the exit code: 1 where there is no such key. Throws AdminCallError and ConfigError. */
export async function createApiKey(
  owner: string,
  options: CreateOptions,
  context: ApiKeysContext,
): Promise<number> {
  const { authenticator, label, scope, role, group, service, lifetime } = options;
  const { value } = await context.client.createApiKey({
    body: {
      authenticator,
      owner,
      scopes: scope,
      roles: role,
      groups: group,
      attributes: attributesOf(options.attribute),
      ...(label === undefined ? {} : { label }),
      ...(service.length === 0 ? {} : { services: service }),
      ...expiresAfter(lifetime, context),
    },
  });
  return made(value, context);
}

export function rotateApiKey(
  id: string,
  options: { readonly overlap?: string | undefined; readonly lifetime?: string | undefined },
  context: ApiKeysContext,
): Promise<number> {
  return about(id, context, async () => {
    const { overlap, lifetime } = options;
    const seconds =
      overlap === undefined
        ? {}
        : { overlapSeconds: Math.ceil(msOf(overlap, "--overlap", overlapSchema) / 1000) };
    const body = { ...seconds, ...expiresAfter(lifetime, context) };
    const { value } = await context.client.rotateApiKey({ id, body });
    return made(value, context);
  });
}

export async function listApiKeys(
  filter: { readonly authenticator?: string | undefined; readonly owner?: string | undefined },
  { client, nowMs, write, hint, json }: ApiKeysContext,
): Promise<number> {
  const { authenticator, owner } = filter;
  const keys: ApiKey[] = [];
  let cursor: string | undefined;
  do {
    const page = { cursor, limit: LIMITS.page, authenticator, owner };
    // oxlint-disable-next-line no-await-in-loop -- each begins where the last one ended
    const { value } = await client.listApiKeys(page);
    keys.push(...value.apiKeys);
    cursor = value.next;
  } while (cursor !== undefined);
  if (json) write(keys.map((one) => `${JSON.stringify(one)}\n`).join(""));
  else if (keys.length > 0) write(apiKeyTable(keys, nowMs()));
  else hint("There is no such API key.");
  return 0;
}

export function showApiKey(id: string, context: ApiKeysContext): Promise<number> {
  return about(id, context, async () => {
    const { value } = await context.client.getApiKey({ id });
    return shown(value, context);
  });
}

export function revokeApiKey(
  id: string,
  { reason }: { readonly reason?: string | undefined },
  context: ApiKeysContext,
): Promise<number> {
  return about(id, context, async () => {
    const body = reason === undefined ? {} : { reason };
    const { value } = await context.client.revokeApiKey({ id, body });
    return shown(value, context);
  });
}

export function removeApiKey(id: string, context: ApiKeysContext): Promise<number> {
  return about(id, context, async () => {
    await context.client.removeApiKey({ id });
    context.hint(`${id} is forgotten; whoever has the key is told that it is not known.`);
    return 0;
  });
}

async function about(
  id: string,
  { hint }: ApiKeysContext,
  work: () => Promise<number>,
): Promise<number> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof AdminCallError) || error.problem?.reason !== "not-found") throw error;
    hint(
      `sallyport: no API key has the id ${id}; it is the first column of \`sallyport api-keys list\``,
    );
    return 1;
  }
}

function made(answer: MadeApiKey, { write, hint, json }: ApiKeysContext): number {
  if (json) {
    write(`${JSON.stringify(answer)}\n`);
    return 0;
  }
  const { apiKey, key, former } = answer;
  write(`${key}\n`);
  hint(
    `This is the key ${apiKey.id} of ${apiKey.owner} until ${apiKey.expires}. It is shown only now.`,
  );
  if (former !== undefined) {
    hint(`${former.id}, whose place it takes, is good until ${former.expires}.`);
  }
  return 0;
}

function shown(key: ApiKey, { write, json, nowMs }: ApiKeysContext): number {
  write(json ? `${JSON.stringify(key)}\n` : apiKeyFacts(key, nowMs()));
  return 0;
}

function expiresAfter(
  lifetime: string | undefined,
  { nowMs }: ApiKeysContext,
): { readonly expires?: string } {
  if (lifetime === undefined) return {};
  const ms = msOf(lifetime, "--lifetime", lifetimeSchema);
  return { expires: new Date(nowMs() + ms).toISOString() };
}

type AttributeValues = Record<string, string | boolean | number | string[]>;

/** `tier=3` is a number, `tenant=acme` a text, `external=true` a boolean, `regions=["eu"]` a set. */
function attributesOf(texts: readonly string[]): AttributeValues {
  const attributes: AttributeValues = {};
  for (const text of texts) {
    const at = text.indexOf("=");
    if (at < 1) throw wrong("--attribute", "not an attribute", "name=value, such as tenant=acme");
    attributes[text.slice(0, at)] = valueOf(text.slice(at + 1));
  }
  return attributes;
}

function valueOf(text: string): string | boolean | number | string[] {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "boolean" || typeof value === "string") return value;
    if (Number.isSafeInteger(value)) return value as number;
    if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value;
  } catch {
    // Text that is no JSON stands for itself.
  }
  return text;
}

function msOf(text: string, option: string, schema: typeof lifetimeSchema): number {
  const { data, error } = schema.safeParse(text);
  if (error !== undefined) throw wrong(option, "not a duration", error.issues[0]?.message);
  return data;
}

function wrong(file: string, message: string, remedy: string | undefined): ConfigError {
  return new ConfigError([{ file, message, ...(remedy !== undefined && { remedy }) }]);
}
