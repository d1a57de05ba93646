/** Files that a configuration names have to be there, and secret ones have to be secret. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import {
  credentialValue,
  type CredentialsOptions,
  secretFileOf,
} from "../gate/credential-options.ts";
import { readKeySet } from "../crypto/jwk.ts";
import { pemLabels } from "../crypto/pem.ts";
import {
  authenticatorFiles,
  authenticatorOwnFiles,
  filePrefix,
} from "../identity/authenticator-options.ts";
import { SallyportError } from "../model/errors.ts";
import { parseJsonBytes } from "../model/json.ts";
import { readFileBytes } from "../platform/files.ts";
import type { Draft } from "./draft.ts";
import type { Expansion } from "./expand.ts";
import type { PathProblem } from "./issues.ts";

/** Files of authenticators that cannot be read, and those of keys that hold no key set. */
export function checkAuthenticatorFiles(
  draft: Draft,
  folder: string,
  { publicOnly }: { readonly publicOnly: boolean },
): PathProblem[] {
  return draft.authenticators.flatMap(({ path, options }) => {
    const files = [
      ...authenticatorFiles(options),
      ...(publicOnly ? [] : authenticatorOwnFiles(options)),
    ];
    return files.flatMap(({ at, value }): PathProblem[] => {
      const prefix = filePrefix(at);
      if (!value.startsWith(prefix)) return [];
      const file = value.slice(prefix.length);
      const isKeys = prefix !== "";
      const fault = isKeys ? keyFileFault(resolve(folder, file)) : fileFault(resolve(folder, file));
      if (fault === undefined) return [];
      const message = `the ${isKeys ? "key " : ""}file "${file}" cannot be used: ${fault}`;
      const remedy = isKeys ? "a JWKS file with public keys" : "a file in PEM";
      return [{ path: [...path, ...at], message, remedy }];
    });
  });
}

function fileFault(file: string): string | undefined {
  try {
    return pemLabels(readFileBytes(file).toString("latin1")).length === 0
      ? "it holds nothing in PEM"
      : undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "unreadable";
  }
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
  const keys = draft.authenticators.flatMap(({ path, options }) =>
    authenticatorOwnFiles(options)
      .filter(({ secret }) => secret)
      .map(({ at, value }) => ({ path: [...path, ...at], file: value })),
  );
  return [...expansion.files, ...named, ...keys].flatMap(({ path, file }) => {
    const stat = statSync(resolve(folder, file), { throwIfNoEntry: false });
    const mode = (stat?.mode ?? 0) & 0o777;
    if ((mode & 0o077) === 0) return [];
    const message = `the secret file "${file}" is open to others (mode ${mode.toString(8).padStart(4, "0")})`;
    return [{ path, message, remedy: "chmod 600" }];
  });
}
