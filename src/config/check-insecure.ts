/**
 * Options of authenticators that take a protection away. Each is a finding for as long as it is on, so that
 * what was meant for an afternoon is still seen a year later.
 */
import type { Draft } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";
import { isMapping } from "../wire/document/written.ts";

interface Finding {
  readonly message: string;
  readonly remedy: string;
}

/** Every `insecure…` key that an authenticator has, at whatever depth; held by a test. */
export const INSECURE: Readonly<Record<string, Finding>> = {
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

export function checkInsecureWarnings({ authenticators }: Draft): PathProblem[] {
  return authenticators.flatMap(({ path, options }) => switchedOn(options, path));
}

function switchedOn(options: object, path: Path): PathProblem[] {
  return Object.entries(options).flatMap(([key, value]: [string, unknown]) => {
    const at = [...path, key];
    const finding = value === true ? INSECURE[key] : undefined;
    if (finding !== undefined) return [{ path: at, ...finding }];
    return isMapping(value) ? switchedOn(value, at) : [];
  });
}
