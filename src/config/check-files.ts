/** Files that a configuration names have to be there, and secret ones have to be secret. */
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { readKeySet } from "../crypto/jwk.ts";
import { SallyportError } from "../model/errors.ts";
import { parseJsonBytes } from "../model/json.ts";
import type { Draft } from "./draft.ts";
import type { Expansion } from "./expand.ts";
import type { PathProblem } from "./issues.ts";

/** Key files that cannot be read or hold no key set. */
export function checkKeyFiles(draft: Draft, folder: string): PathProblem[] {
  return draft.authenticators.flatMap(({ path, options }) => {
    if (options.jwks?.startsWith("file:") !== true) return [];
    const file = options.jwks.slice("file:".length);
    const fault = keyFileFault(resolve(folder, file));
    if (fault === undefined) return [];
    const message = `the key file "${file}" cannot be used: ${fault}`;
    return [{ path: [...path, "jwks"], message, remedy: "a JWKS file with public keys" }];
  });
}

function keyFileFault(file: string): string | undefined {
  try {
    readKeySet(parseJsonBytes(readFileSync(file)));
    return undefined;
  } catch (error) {
    if (error instanceof SallyportError) return error.message;
    return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
  }
}

/** Files behind `${file:…}` that group or others may read or write. */
export function checkSecretFiles(expansion: Expansion, folder: string): PathProblem[] {
  return expansion.files.flatMap(({ path, file }) => {
    const mode = statSync(resolve(folder, file)).mode & 0o777;
    if ((mode & 0o077) === 0) return [];
    const message = `the secret file "${file}" is open to others (mode ${mode.toString(8).padStart(4, "0")})`;
    return [{ path, message, remedy: "chmod 600" }];
  });
}
