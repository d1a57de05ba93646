/**
 * Proves to a provider which of its clients we are: by a secret (RFC 6749 section 2.3.1), by what a key
 * of ours signs (RFC 7523 section 2.2), or by our certificate in the handshake (RFC 8705 section 2).
 */
import { randomUUID } from "node:crypto";
import { readPrivateKey } from "../../crypto/private-key.ts";
import { type JwsSigner, signJws } from "../../crypto/sign-jws.ts";
import { SallyportError } from "../../model/errors.ts";
import type { Clock } from "../../model/ports.ts";
import { type ClientMethod, type ClientOptions, clientMethod } from "./client-options.ts";

/** What goes with a question beside the question itself. A secret. */
export interface ClientProof {
  readonly form: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ClientAuthenticationDeps {
  readonly clock: Clock;
  /** Throws what the file system throws. */
  readonly readFile: (path: string) => Uint8Array;
}

const LIMITS = {
  /** Seconds that an assertion may be used: it goes out at once, and clocks may differ. */
  assertion: 60,
  /** Milliseconds between readings of the key. */
  rereadMs: 1000,
} as const;

/** RFC 7521 section 4.2. */
const ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/**
 * The proof for each question anew. `provider`: what an assertion is for when the options do not say.
 * Throws SallyportError `key-invalid` where a key cannot be read or used, at once and later.
 */
export function createClientAuthentication(
  client: ClientOptions,
  provider: string,
  deps: ClientAuthenticationDeps,
): () => ClientProof {
  return PROOFS[clientMethod(client)](client, { ...deps, provider });
}

interface Given extends ClientAuthenticationDeps {
  readonly provider: string;
}

const PROOFS: Readonly<
  Record<ClientMethod, (client: ClientOptions, given: Given) => () => ClientProof>
> = {
  client_secret_basic({ id, secret = "" }) {
    const credentials = Buffer.from(`${encodeForm(id)}:${encodeForm(secret)}`).toString("base64");
    return () => ({ form: {}, headers: { authorization: `Basic ${credentials}` } });
  },
  client_secret_post:
    ({ id, secret = "" }) =>
    () => ({ form: { client_id: id, client_secret: secret }, headers: {} }),
  private_key_jwt: byAssertion,
  // The handshake proves it; which client's certificate it is has to be said (section 2).
  tls_client_auth:
    ({ id }) =>
    () => ({ form: { client_id: id }, headers: {} }),
};

function byAssertion(client: ClientOptions, { provider, ...deps }: Given): () => ClientProof {
  const { id, audience = provider } = client;
  const signer = rereadSigner(client, deps);
  signer();
  return () => {
    const iat = Math.floor(deps.clock.now() / 1000);
    const assertion = signJws(
      signer(),
      { typ: "JWT" },
      // One `jti` each: providers refuse an assertion that they have seen (section 3, rule 7).
      { iss: id, sub: id, aud: audience, jti: randomUUID(), iat, exp: iat + LIMITS.assertion },
    );
    return {
      form: { client_id: id, client_assertion_type: ASSERTION_TYPE, client_assertion: assertion },
      headers: {},
    };
  };
}

/** The key as its file holds it now. One that cannot be read fails the question. */
function rereadSigner(
  { privateKey = "", keyId }: ClientOptions,
  { clock, readFile }: ClientAuthenticationDeps,
): () => JwsSigner {
  let known: { readonly pem: string; readonly signer: JwsSigner } | undefined;
  let readAt = 0;
  return () => {
    const now = clock.monotonic();
    if (known !== undefined && now - readAt < LIMITS.rereadMs) return known.signer;
    const pem = readPem(privateKey, readFile);
    if (known?.pem !== pem) known = { pem, signer: signerOf(privateKey, pem, keyId) };
    readAt = now;
    return known.signer;
  };
}

function readPem(path: string, readFile: ClientAuthenticationDeps["readFile"]): string {
  try {
    return Buffer.from(readFile(path)).toString("latin1");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unreadable";
    throw new SallyportError("key-invalid", `${path}: it cannot be read (${code})`, { cause });
  }
}

function signerOf(path: string, pem: string, kid: string | undefined): JwsSigner {
  try {
    return readPrivateKey(pem, kid);
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    throw new SallyportError("key-invalid", `${path}: ${error.message}`);
  }
}

/** `application/x-www-form-urlencoded`, which both parts are in before they are put together. */
function encodeForm(text: string): string {
  return new URLSearchParams([["", text]]).toString().slice(1);
}
