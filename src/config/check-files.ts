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
  type NamedFile,
  type OwnFile,
} from "../identity/authenticator-options.ts";
import { CLIENT_KEY_REMEDY, readClientKey } from "../identity/provider/client-key.ts";
import type { BundlePart } from "../identity/spiffe/trust-bundle.ts";
import { usableInBundle } from "../identity/spiffe/trust-bundle-open.ts";
import { SallyportError } from "../model/errors.ts";
import { parseJsonBytes } from "../model/json.ts";
import { readFileBytes } from "../platform/files.ts";
import type { Draft } from "./draft.ts";
import type { Expansion } from "./expand.ts";
import type { PathProblem } from "../wire/document/issues.ts";

/** Files of authenticators that cannot be read, or hold something else than they should. */
export function checkAuthenticatorFiles(
  draft: Draft,
  folder: string,
  { publicOnly }: { readonly publicOnly: boolean },
): PathProblem[] {
  return draft.authenticators.flatMap(({ path, options }) => {
    const own = publicOnly ? [] : authenticatorOwnFiles(options);
    return [...authenticatorFiles(options), ...own].flatMap((named): PathProblem[] => {
      const prefix = filePrefix(named.at);
      if (!named.value.startsWith(prefix)) return [];
      const file = named.value.slice(prefix.length);
      const kind = prefix === "" ? kindOf(named) : "keys";
      const { what, remedy, fault } = KINDS[kind];
      const found = fault(resolve(folder, file));
      if (found === undefined) return [];
      const message = `the ${what} "${file}" cannot be used: ${found}`;
      return [{ path: [...path, ...named.at], message, remedy }];
    });
  });
}

function kindOf(named: NamedFile | OwnFile): keyof typeof KINDS {
  return ("holds" in named ? named.holds : undefined) ?? "pem";
}

const KINDS = {
  keys: { what: "key file", remedy: "a JWKS file with public keys", fault: keyFileFault },
  pem: { what: "file", remedy: "a file in PEM", fault: pemFault },
  "private-key": { what: "file", remedy: "a private key in PEM", fault: pemFault },
  "client-key": { what: "file", remedy: CLIENT_KEY_REMEDY, fault: clientKeyFault },
  bundle: {
    what: "trust bundle",
    remedy: "a SPIFFE bundle (JSON), or authorities in PEM",
    fault: (file: string) => bundleFault(file, "x509-bundles"),
  },
  "jwt-bundle": {
    what: "trust bundle",
    remedy: "a SPIFFE bundle (JSON) with keys of use jwt-svid",
    fault: (file: string) => bundleFault(file, "jwt-bundles"),
  },
  token: { what: "file", remedy: "a file with a token", fault: readFault },
} as const;

function pemFault(file: string): string | undefined {
  const unreadable = readFault(file);
  if (unreadable !== undefined) return unreadable;
  const labels = pemLabels(readFileBytes(file).toString("latin1"));
  return labels.length === 0 ? "it holds nothing in PEM" : undefined;
}

/** What a runtime's parser says of a private key is not ours to print. */
function clientKeyFault(file: string): string | undefined {
  const unreadable = readFault(file);
  if (unreadable !== undefined) return unreadable;
  try {
    readClientKey(readFileBytes(file));
    return undefined;
  } catch {
    return "it holds no private key that can be used";
  }
}

function readFault(file: string): string | undefined {
  try {
    return readFileBytes(file).length === 0 ? "it is empty" : undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "unreadable";
  }
}

/** A trust domain may have taken back all that spoke for it, so that is no reason not to run. */
export function checkBundleWarnings(draft: Draft, folder: string): PathProblem[] {
  return draft.authenticators.flatMap(({ name, path, options }) =>
    authenticatorFiles(options).flatMap(({ at, value, holds }): PathProblem[] => {
      if (holds === undefined) return [];
      const part = holds === "bundle" ? "x509-bundles" : "jwt-bundles";
      if (!isEmptyBundle(resolve(folder, value), part)) return [];
      const what = holds === "bundle" ? "authorities of X.509-SVIDs" : "keys of JWT-SVIDs";
      const message = `nobody can be known by "${name}": the trust bundle "${value}" has no ${what}`;
      return [{ path: [...path, ...at], message, remedy: `a bundle with ${what}` }];
    }),
  );
}

function isEmptyBundle(file: string, part: BundlePart): boolean {
  try {
    return usableInBundle(readFileBytes(file), part) === 0;
  } catch {
    return false; // it is a problem already
  }
}

function bundleFault(file: string, part: BundlePart): string | undefined {
  try {
    usableInBundle(readFileBytes(file), part);
    return undefined;
  } catch (error) {
    if (error instanceof SallyportError) return error.message;
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
      .filter(({ holds }) => holds === "private-key" || holds === "client-key")
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
