/**
 * The keys that sessions are sealed under, read before an authenticator is made: a command may take its time.
 * Without any, one that was made at random for as long as the process lives.
 */
import { ConfigError } from "../../model/errors.ts";
import { type KeySourceDeps, readKey } from "../../platform/key-source.ts";
import type { OidcOptions } from "../oidc-options.ts";

export type SessionKeys = (name: string) => readonly Uint8Array[];

/** `made`: the random one. Throws ConfigError where one cannot be had, or stands there twice. */
export async function readSessionKeys(
  authenticators: Readonly<Record<string, { readonly type: string }>>,
  { made, ...deps }: KeySourceDeps & { readonly made: Uint8Array },
): Promise<SessionKeys> {
  const all = new Map<string, readonly Uint8Array[]>();
  for (const [name, options] of Object.entries(authenticators)) {
    if (!isOidc(options)) continue;
    const { keys } = options.session;
    const read = await Promise.all(keys.map((key) => readOne(name, key, deps)));
    for (const [index, key] of read.entries()) {
      if (read.slice(0, index).some((earlier) => earlier.equals(key))) {
        const message = `authenticators.${name}.session.keys: the key of entry ${index + 1} stands there before`;
        throw new ConfigError([{ message, remedy: "each key once" }]);
      }
    }
    all.set(name, read.length === 0 ? [made] : read);
  }
  return (name) => all.get(name) ?? [];
}

async function readOne(
  name: string,
  source: OidcOptions["session"]["keys"][number],
  deps: KeySourceDeps,
): Promise<Buffer> {
  try {
    return await readKey(source, deps);
  } catch (error) {
    const { fault, remedy } = sessionKeyFault(error as Error);
    const message = `authenticators.${name}.session.keys: ${fault}`;
    throw new ConfigError([{ message, remedy }], { cause: error });
  }
}

/** What is said of a key that could not be read. A good key whose file is open to others need not be made anew. */
export function sessionKeyFault({ message }: Error): {
  readonly fault: string;
  readonly remedy: string;
} {
  const fault = message.replace(/^keyEncryptionKey: /, "");
  const isOpen = / has mode [0-7]{4}, /.test(fault);
  const remedy = isOpen ? "chmod 600" : "32 bytes, made with: openssl rand -base64 32";
  return { fault, remedy };
}

function isOidc(options: { readonly type: string }): options is OidcOptions {
  return options.type === "oidc";
}
