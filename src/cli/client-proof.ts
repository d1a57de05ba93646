/**
 * How a client is to prove who it is, from options of a command: a key pair that is made here, of which
 * only the public half is told; a public key or a certificate in a file; or a secret that the authority
 * makes.
 *
 * Refuses a file with a private key where a public one is meant, and to write over a file.
 */
import { createPublicKey } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { CERTIFICATE_THUMBPRINT } from "../authority/client-options.ts";
import { thumbprintOfPem } from "../authority/clients/declared-client.ts";
import { readPublicPem } from "../crypto/public-key.ts";
import { generateSigningKey } from "../crypto/signing-key.ts";
import { SallyportError } from "../model/errors.ts";
import { isJsonObject, type JsonObject, parseJsonBytes } from "../model/json.ts";
import { readFileBytes } from "../platform/files.ts";
import type { NewClientKey } from "./admin-client.ts";
import { wrongOption } from "./attribute-options.ts";

export interface ProofOptions {
  /** File that gets a new private key. */
  readonly generateKey?: string | undefined;
  /** File with a public key: PEM, a JWK, or a JWK Set of one. */
  readonly key?: string | undefined;
  /** File with a certificate in PEM, or its thumbprint. */
  readonly certificate?: string | undefined;
  readonly insecureSecret?: boolean | undefined;
}

export interface ReadProof {
  /** Undefined where no option says any. */
  readonly key: NewClientKey | undefined;
  /** Takes back what was written, where it is of no use after all. */
  undo(): void;
}

/** Throws ConfigError where options or files are wrong. */
export function readProof(options: ProofOptions): ReadProof {
  const { generateKey, key, certificate, insecureSecret = false } = options;
  const said = [generateKey, key, certificate].filter((one) => one !== undefined).length;
  if (said + (insecureSecret ? 1 : 0) > 1) {
    throw wrongOption("--key", "more than one way to prove who it is", ONE_OF);
  }
  if (generateKey !== undefined) return generate(generateKey);
  if (key !== undefined) return plainly({ jwk: publicKeyIn(key) });
  if (certificate !== undefined) return plainly({ certificate: thumbprintOf(certificate) });
  return { key: insecureSecret ? { insecureSecret: true } : undefined, undo: nothing };
}

const ONE_OF =
  "one of --generate-key, --key, --certificate and --insecure-secret; add others later";

function generate(file: string): ReadProof {
  const made = generateSigningKey("ES256");
  const pem = made.privateKey.export({ type: "pkcs8", format: "pem" });
  try {
    // A key that is there already may be in use.
    writeFileSync(file, pem, { flag: "wx", mode: 0o600 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const message = code === "EEXIST" ? "there is a file already" : `cannot be written (${code})`;
    throw wrongOption(file, message, "a new file, in a folder that can be written to");
  }
  return {
    key: { jwk: membersOf(made.jwk) },
    undo: () => rmSync(file, { force: true }),
  };
}

function plainly(key: NewClientKey): ReadProof {
  return { key, undo: nothing };
}

function nothing(): void {}

function publicKeyIn(file: string): PublicJwk {
  const remedy = "a public key in PEM, a JWK or a JWK Set of one key; the private one stays there";
  const bytes = bytesOf(file, remedy);
  try {
    if (bytes.includes("-----BEGIN ")) {
      const pem = bytes.toString("latin1");
      // Refuses private keys, and what no algorithm of ours fits.
      readPublicPem(pem);
      return membersOf({ ...createPublicKey(pem).export({ format: "jwk" }) } as JsonObject);
    }
    const document = parseJsonBytes(bytes);
    if (!isJsonObject(document)) throw new SallyportError("key-invalid", "it is no JWK");
    const { keys } = document;
    if (keys === undefined) return membersOf(document);
    const [only] = Array.isArray(keys) && keys.length === 1 ? keys : [];
    if (only !== undefined && isJsonObject(only)) return membersOf(only);
    throw new SallyportError("key-invalid", "it is a JWK Set of not exactly one key");
  } catch (error) {
    if (error instanceof SallyportError) throw wrongOption(file, error.message, remedy);
    throw wrongOption(file, "it is neither PEM nor JSON", remedy);
  }
}

type PublicJwk = Extract<NewClientKey, { jwk: unknown }>["jwk"];

/** Sent as it is but for what would be a secret: that is refused here, before it leaves the machine. */
function membersOf(jwk: JsonObject): PublicJwk {
  if (jwk["kty"] === "oct" || ["d", "p", "q", "k", "priv"].some((name) => name in jwk)) {
    throw new SallyportError("key-invalid", "it is a private or symmetric key");
  }
  return { ...jwk } as PublicJwk;
}

function thumbprintOf(given: string): string {
  if (CERTIFICATE_THUMBPRINT.test(given)) return given;
  const remedy =
    "a file with a certificate in PEM, or its SHA-256 thumbprint in base64url (43 characters)";
  try {
    return thumbprintOfPem(bytesOf(given, remedy));
  } catch (error) {
    if (error instanceof SallyportError && error.code !== "config-invalid") {
      throw wrongOption(given, error.message, remedy);
    }
    throw error;
  }
}

function bytesOf(file: string, remedy: string): Buffer {
  try {
    return readFileBytes(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unreadable";
    throw wrongOption(file, `cannot be read (${code})`, remedy);
  }
}
