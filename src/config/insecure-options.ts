/**
 * Options of authenticators and clients that take a protection away. Each is a finding for as long as it is on, so that
 * what was meant for an afternoon is still seen a year later.
 */
import { type AuthorityOptions, isKeeper } from "../authority/authority-options.ts";
import type { AuthenticatorOptions } from "../identity/authenticator-options.ts";
import type { Path } from "../wire/document/place.ts";
import { isMapping } from "../wire/document/written.ts";

interface Words {
  readonly message: string;
  readonly remedy: string;
}

/** Every `insecure…` key that an authenticator has, at whatever depth; held by a test. */
export const INSECURE: Readonly<Record<string, Words>> = {
  insecureHttp: {
    message: "keys, secrets and answers of the issuer cross the network in plain HTTP",
    remedy: "https: URLs, and no insecureHttp",
  },
  insecureIdTokens: {
    message:
      "ID tokens open routes: whoever runs a client of the issuer can use those of its users",
    remedy: "access tokens, and no insecureIdTokens",
  },
  insecureAnyAudience: {
    message: "tokens that name no audience open routes, whatever service they were made for",
    remedy: "tokens with aud, and no insecureAnyAudience",
  },
  insecurePlaintext: {
    message:
      "session cookies cross the network in plain HTTP, where who is on the way can take them",
    remedy: "https: for people, and no insecurePlaintext",
  },
};

/** Of a client of the token endpoint. */
const CLIENT_SECRET: Words = {
  message: "whoever sees this secret once is the client until it is changed",
  remedy: "keys or certificates of the client, and no insecureSecret",
};

export interface InsecureOption extends Words {
  /** Keys from the authenticator to the option. */
  readonly path: Path;
}

/** Those that are on. */
export function insecureOptions(options: AuthenticatorOptions): readonly InsecureOption[] {
  return switchedOn(options, []);
}

/** Of clients that the configuration declares; paths from the whole of it on. */
export function insecureClients(
  authority: AuthorityOptions | undefined,
): readonly InsecureOption[] {
  if (!isKeeper(authority)) return [];
  return Object.entries(authority.clients ?? {}).flatMap(([id, { insecureSecret }]) =>
    insecureSecret === undefined
      ? []
      : [{ path: ["authority", "clients", id, "insecureSecret"], ...CLIENT_SECRET }],
  );
}

function switchedOn(options: object, path: Path): InsecureOption[] {
  return Object.entries(options).flatMap(([key, value]: [string, unknown]) => {
    const at = [...path, key];
    const words = value === true ? INSECURE[key] : undefined;
    if (words !== undefined) return [{ path: at, ...words }];
    return isMapping(value) ? switchedOn(value, at) : [];
  });
}
