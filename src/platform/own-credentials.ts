/**
 * What a request of ours goes out with: the authorities that we trust, our certificate, and a bearer
 * token, all from files that others renew while we run (cert-manager, the kubelet).
 *
 * Files are read again at most once a second, when something is sent. One that cannot be read or used
 * fails the request: what was taken away is not used on.
 */
import { SallyportError } from "../model/errors.ts";
import type { Clock } from "../model/ports.ts";
import type { ExchangeTls } from "./bounded-exchange.ts";

export interface CredentialFiles {
  /** PEM: in place of the authorities of the runtime. */
  readonly ca?: string | undefined;
  /** PEM: our certificate with its chain, and its key. */
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  /** A token that goes out as `authorization: Bearer …`. */
  readonly bearer?: string | undefined;
}

export interface OwnCredentials {
  /** As they are now. Throws SallyportError `fetch-failed`, which names the file. */
  current(): Credentials;
}

interface Credentials {
  readonly tls: ExchangeTls;
  readonly headers: Readonly<Record<string, string>>;
}

const LIMITS = {
  /** Milliseconds between readings: renewed files overlap for longer, and a reading costs 50 µs. */
  rereadMs: 1000,
  /** Characters of a bearer token; those of service accounts have some 1 200. */
  bearer: 16 * 1024,
} as const;

/** Nothing of our own; whom we trust is the runtime's. */
export const NO_CREDENTIALS: OwnCredentials = { current: () => NOTHING };

const NOTHING: Credentials = Object.freeze({ tls: {}, headers: {} });

/** RFC 6750 section 2.1. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

export interface OwnCredentialsDeps {
  readonly clock: Clock;
  /** Throws what the file system throws. */
  readonly readFile: (path: string) => Uint8Array;
}

/** Reads nothing yet. */
export function createOwnCredentials(
  files: CredentialFiles,
  { clock, readFile }: OwnCredentialsDeps,
): OwnCredentials {
  let known: Credentials | undefined;
  let readAt = 0;

  const textOf = (path: string): string => {
    try {
      return Buffer.from(readFile(path)).toString("latin1");
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code ?? "unreadable";
      throw new SallyportError("fetch-failed", `${path}: it cannot be read (${code})`, { cause });
    }
  };
  const pemOf = (path: string): string => {
    const text = textOf(path);
    // An empty file of authorities would pass for none being named: the public web's would do.
    if (!text.includes("-----BEGIN ")) {
      throw new SallyportError("fetch-failed", `${path}: it holds nothing in PEM`);
    }
    return text;
  };
  const read = (): Credentials => {
    const { ca, certificate, key, bearer } = files;
    return {
      tls: {
        ...(ca === undefined ? {} : { ca: pemOf(ca) }),
        ...(certificate === undefined ? {} : { cert: pemOf(certificate) }),
        ...(key === undefined ? {} : { key: pemOf(key) }),
      },
      headers: bearer === undefined ? {} : { authorization: `Bearer ${tokenOf(bearer, textOf)}` },
    };
  };

  return {
    current() {
      const now = clock.monotonic();
      if (known !== undefined && now - readAt < LIMITS.rereadMs) return known;
      known = undefined;
      known = read();
      readAt = now;
      return known;
    },
  };
}

function tokenOf(path: string, textOf: (path: string) => string): string {
  const token = textOf(path).trim();
  if (token.length <= LIMITS.bearer && TOKEN.test(token)) return token;
  throw new SallyportError("fetch-failed", `${path}: it holds no bearer token`);
}
