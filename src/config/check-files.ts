/** Files that a configuration names have to be there, and secret ones have to be secret. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import {
  credentialValue,
  type CredentialsOptions,
  secretFileOf,
} from "../gate/credential-options.ts";
import { readKeySet } from "../crypto/jwk.ts";
import { SallyportError } from "../model/errors.ts";
import { parseJsonBytes } from "../model/json.ts";
import { readFileBytes } from "../platform/files.ts";
import type { Draft } from "./draft.ts";
import type { Expansion } from "./expand.ts";
import type { PathProblem } from "./issues.ts";

/** Key files that cannot be read or hold no key set. */
export function checkKeyFiles(draft: Draft, folder: string): PathProblem[] {
  return draft.authenticators.flatMap(({ path, options }) => {
    if (options.type !== "jwt" || options.jwks?.startsWith("file:") !== true) return [];
    const file = options.jwks.slice("file:".length);
    const fault = keyFileFault(resolve(folder, file));
    if (fault === undefined) return [];
    const message = `the key file "${file}" cannot be used: ${fault}`;
    return [{ path: [...path, "jwks"], message, remedy: "a JWKS file with public keys" }];
  });
}

function keyFileFault(file: string): string | undefined {
  try {
    readKeySet(parseJsonBytes(readFileBytes(file)));
    return undefined;
  } catch (error) {
    if (error instanceof SallyportError) return error.message;
    return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
  }
}

/** Files of static credentials that cannot be read or hold none. */
export function checkCredentialFiles(draft: Draft, folder: string): PathProblem[] {
  return draft.routes.flatMap(({ path, options: { credentials } }) => {
    const secret = secretFileOf(credentials);
    if (secret === undefined || typeof credentials === "string") return [];
    const fault = credentialFileFault(credentials, resolve(folder, secret.file));
    if (fault === undefined) return [];
    const message = `the secret file "${secret.file}" cannot be used: ${fault}`;
    return [{ path: [...path, ...secret.path], message, remedy: "a file with one line" }];
  });
}

function credentialFileFault(
  options: Exclude<CredentialsOptions, string>,
  file: string,
): string | undefined {
  try {
    const found = credentialValue(options, readFileBytes(file));
    return "fault" in found ? found.fault : undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "unreadable";
  }
}

/** Secret files that group or others may read or write. */
export function checkSecretFiles(
  draft: Draft,
  expansion: Expansion,
  folder: string,
): PathProblem[] {
  const named = draft.routes.flatMap(({ path, options }) => {
    const secret = secretFileOf(options.credentials);
    return secret === undefined ? [] : [{ path: [...path, ...secret.path], file: secret.file }];
  });
  return [...expansion.files, ...named].flatMap(({ path, file }) => {
    const stat = statSync(resolve(folder, file), { throwIfNoEntry: false });
    const mode = (stat?.mode ?? 0) & 0o777;
    if ((mode & 0o077) === 0) return [];
    const message = `the secret file "${file}" is open to others (mode ${mode.toString(8).padStart(4, "0")})`;
    return [{ path, message, remedy: "chmod 600" }];
  });
}
