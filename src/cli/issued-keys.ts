/**
 * `sallyport keys revoke` and `keys block`: taking keys back that the authority has issued to services.
 * A key itself comes from a file or standard input, so that it is in no list of processes and no
 * history; it is read for its `jti` and is neither sent nor printed.
 *
 * Refuses what no authenticator of type `sallyport` vouches for, and to name several things at once.
 */
import { readFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import { JWS_LIMITS, readJws } from "../crypto/jws.ts";
import { KEY_KIND } from "../model/issued-keys.ts";
import { connectAdmin, type ConnectOptions } from "./admin-connect.ts";
import type { AdminClient, Authenticator } from "./admin-client.ts";
import { AdminCallError } from "./admin-transport.ts";
import { addRevocation, type RevokeOptions, type TargetOptions } from "./revocations.ts";

export interface IssuedKeyOptions extends RevokeOptions {
  /** File with the key itself; `-`: standard input. */
  readonly keyFile?: string | undefined;
}

export interface IssuedKeyDeps {
  readonly stdin: Readable & { readonly isTTY?: boolean | undefined };
  readonly hint: (line: string) => void;
  readonly nowMs: () => number;
}

/** Resolves to the exit code. Throws AdminCallError for what names nothing that can be taken back. */
export async function endIssuedKeys(
  mode: "revoke" | "block",
  options: ConnectOptions & IssuedKeyOptions,
  deps: IssuedKeyDeps,
): Promise<number> {
  const { keyFile, authenticator, subject, id, service } = options;
  const said = [keyFile, subject, id, service].filter((one) => one !== undefined);
  if (said.length > 1 || (said.length === 0 && authenticator === undefined)) {
    throw new AdminCallError(WHICH);
  }
  if (service !== undefined || said.length === 0) return addRevocation(mode, options);
  const ours = await known(connectAdmin(options), authenticator);
  if (keyFile !== undefined)
    return endOne(mode, await readKey(keyFile, deps), { options, ours, deps });
  const target: TargetOptions =
    subject === undefined ? { authenticator: ours.name, id } : ofSubject(subject, ours);
  return addRevocation(mode, { ...options, ...target });
}

const WHICH =
  "name one: --key-file FILE, --id JTI, --subject TEXT, --service NAME, or --authenticator NAME for all that it vouches for";

interface Known {
  readonly name: string;
  /** Undefined where it does not say. */
  readonly issuer: string | undefined;
  readonly names: readonly string[];
  /** It was named, and not found by its type. */
  readonly said: boolean;
}

/** The authenticator that is named, or the one that knows our keys. */
async function known(client: AdminClient, named: string | undefined): Promise<Known> {
  const all: Authenticator[] = [];
  let cursor: string | undefined;
  do {
    // oxlint-disable-next-line no-await-in-loop -- each begins where the last one ended
    const { value } = await client.listAuthenticators({ cursor, limit: 500 });
    all.push(...value.authenticators);
    cursor = value.next;
  } while (cursor !== undefined);
  const names = all.map(({ name }) => name);
  const keys = all.find(({ type }) => type === KEY_KIND);
  if (named !== undefined) {
    const issuer = all.find(({ name }) => name === named)?.issuer;
    return { name: named, issuer, names, said: true };
  }
  if (keys !== undefined) return { name: keys.name, issuer: keys.issuer, names, said: false };
  throw new AdminCallError(
    "no authenticator is of type sallyport, so no keys are issued; --authenticator NAME says another one",
  );
}

/** As records have a principal, `mesh/spiffe://…`, or a client's id alone. */
function ofSubject(subject: string, { name, names, said }: Known): TargetOptions {
  const owner = names.find((one) => subject.startsWith(`${one}/`));
  return said || owner === undefined
    ? { authenticator: name, subject }
    : { authenticator: owner, subject: subject.slice(owner.length + 1) };
}

interface KeyFacts {
  readonly id: string;
  readonly issuer: unknown;
  /** Undefined where it says none. */
  readonly expiresMs: number | undefined;
}

function endOne(
  mode: "revoke" | "block",
  { id, issuer, expiresMs }: KeyFacts,
  {
    options,
    ours,
    deps,
  }: {
    readonly options: ConnectOptions & IssuedKeyOptions;
    readonly ours: Known;
    readonly deps: IssuedKeyDeps;
  },
): Promise<number> {
  if (ours.issuer !== undefined && issuer !== ours.issuer) {
    throw new AdminCallError(
      `the key is not of ${ours.name}: another issuer made it; --authenticator NAME says whose it is`,
    );
  }
  if (expiresMs !== undefined && expiresMs <= deps.nowMs()) {
    const ended = new Date(expiresMs).toISOString();
    deps.hint(`The key expired at ${ended}, and with it all that was derived from it.`);
    return Promise.resolve(0);
  }
  // It can be forgotten when the key has expired by itself; a block says its end in another way.
  const end =
    mode === "block" || expiresMs === undefined || options.expires !== undefined
      ? {}
      : { expires: new Date(expiresMs + SKEW_MS).toISOString() };
  return addRevocation(mode, { ...options, ...end, authenticator: ours.name, id });
}

/** Proxies tolerate clocks that are behind. */
const SKEW_MS = 5 * 60_000;

async function readKey(file: string, { stdin, hint }: IssuedKeyDeps): Promise<KeyFacts> {
  if (file === "-" && stdin.isTTY === true) hint("Paste the key, then Enter:");
  const text = file === "-" ? await firstLine(stdin) : await contentOf(file);
  const read = readJws(text.trim().replace(/^Bearer /i, ""));
  if ("fault" in read) {
    throw new AdminCallError(
      `it is no key that the authority has issued (${read.detail}); of an API key: sallyport api-keys revoke ID`,
    );
  }
  const { jti, iss, exp } = read.claims;
  if (typeof jti !== "string" || jti === "") {
    throw new AdminCallError(
      "the key has no jti by which it could be taken back; name its --subject",
    );
  }
  return { id: jti, issuer: iss, expiresMs: typeof exp === "number" ? exp * 1000 : undefined };
}

async function contentOf(file: string): Promise<string> {
  try {
    return (await readFile(file, "utf8")).slice(0, JWS_LIMITS.maxChars + SLACK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new AdminCallError(`${file} cannot be read (${code})`);
  }
}

/** `Bearer `, and white space around it. */
const SLACK = 64;

async function firstLine(stdin: Readable): Promise<string> {
  let text = "";
  for await (const chunk of stdin) {
    text += String(chunk);
    if (text.includes("\n") || text.length > JWS_LIMITS.maxChars + SLACK) break;
  }
  return text.split("\n", 1)[0] ?? "";
}
