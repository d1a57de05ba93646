/**
 * Roles that the configuration gives to clients are bare roles of the authenticator of type `sallyport`:
 * so policies know them, here and on every proxy that takes its keys.
 */
import { isKeeper } from "../authority/authority-options.ts";
import { isMapping } from "../wire/document/written.ts";
import { keysAuthenticator } from "./keys-authenticator.ts";
import type { Config } from "./schema.ts";

type Parts = Pick<Config, "authenticators" | "authority">;

/** The same configuration, where that authenticator allows them. */
export function withClientRoles<T extends Parts>(config: T): T {
  const keys = keysAuthenticator(Object.entries(config.authenticators));
  const roles = clientRoles(config);
  if (keys === undefined || roles.length === 0) return config;
  const { name, principal } = keys;
  const allow = [...new Set([...principal.roles.allow, ...roles])];
  const options = {
    ...config.authenticators[name],
    principal: { ...principal, roles: { ...principal.roles, allow } },
  };
  return { ...config, authenticators: { ...config.authenticators, [name]: options } };
}

/** The authenticators as they are written, with the same done to them: what is published to proxies. */
export function publishedClientRoles(
  written: Readonly<Record<string, unknown>>,
  config: Parts,
): Readonly<Record<string, unknown>> {
  const keys = keysAuthenticator(Object.entries(config.authenticators));
  const roles = clientRoles(config);
  if (keys === undefined || roles.length === 0) return written;
  const options = mapping(written[keys.name]);
  const principal = mapping(options["principal"]);
  const roleOptions = mapping(principal["roles"]);
  const given = Array.isArray(roleOptions["allow"]) ? (roleOptions["allow"] as unknown[]) : [];
  // What is a role by now must not be read as an expression there.
  const literal = roles.map((role) => role.replaceAll("${", "$${"));
  const allow = [...new Set([...given, ...literal])];
  return {
    ...written,
    [keys.name]: {
      ...options,
      principal: { ...principal, roles: { ...roleOptions, allow } },
    },
  };
}

function clientRoles({ authority }: Parts): readonly string[] {
  const clients = isKeeper(authority) ? Object.values(authority.clients ?? {}) : [];
  return [...new Set(clients.flatMap(({ roles }) => roles))];
}

function mapping(value: unknown): Readonly<Record<string, unknown>> {
  return isMapping(value) ? value : {};
}
