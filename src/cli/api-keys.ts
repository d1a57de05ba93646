/**
 * `sallyport api-keys …`: keys for callers that can do nothing better. A key is printed once, to standard
 * output and by itself, so that it can be piped to where it is kept; what a person should know about it
 * goes to standard error.
 */
import { duration } from "../model/options.ts";
import type { AdminClient, ApiKey, MadeApiKey } from "./admin-client.ts";
import { AdminCallError } from "./admin-transport.ts";
import { apiKeyFacts, apiKeyTable } from "./api-keys-text.ts";
import { attributesOf, durationOption } from "./attribute-options.ts";

const lifetimeSchema = duration({ min: "1m", max: "1100d" });
const overlapSchema = duration({ min: "0s", max: "90d" });
/** `--unused-for` finds what can go; nothing goes within a minute. */
const unusedSchema = duration({ min: "1m", max: "3650d" });

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
        : { overlapSeconds: Math.ceil(durationOption(overlap, "--overlap", overlapSchema) / 1000) };
    const body = { ...seconds, ...expiresAfter(lifetime, context) };
    const { value } = await context.client.rotateApiKey({ id, body });
    return made(value, context);
  });
}

export async function listApiKeys(
  filter: {
    readonly authenticator?: string | undefined;
    readonly owner?: string | undefined;
    /** A duration: only those that let nobody in for so long, and still could. */
    readonly unusedFor?: string | undefined;
  },
  { client, nowMs, write, hint, json }: ApiKeysContext,
): Promise<number> {
  const { authenticator, owner, unusedFor } = filter;
  const unusedSince =
    unusedFor === undefined
      ? undefined
      : new Date(nowMs() - durationOption(unusedFor, "--unused-for", unusedSchema)).toISOString();
  const keys: ApiKey[] = [];
  let cursor: string | undefined;
  do {
    const page = { cursor, limit: LIMITS.page, authenticator, owner, unusedSince };
    // oxlint-disable-next-line no-await-in-loop -- each begins where the last one ended
    const { value } = await client.listApiKeys(page);
    keys.push(...value.apiKeys);
    cursor = value.next;
  } while (cursor !== undefined);
  if (json) write(keys.map((one) => `${JSON.stringify(one)}\n`).join(""));
  else if (keys.length > 0) write(apiKeyTable(keys, nowMs()));
  else if (unusedFor === undefined) hint("There is no such API key.");
  else hint(`All that could let somebody in did so within ${unusedFor}, or are younger.`);
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
  const { apiKey, key, former, warnings } = answer;
  write(`${key}\n`);
  for (const warning of warnings) hint(`sallyport: warning: ${warning}`);
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
  const ms = durationOption(lifetime, "--lifetime", lifetimeSchema);
  return { expires: new Date(nowMs() + ms).toISOString() };
}
