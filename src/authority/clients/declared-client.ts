/**
 * A client as the configuration declares it, read from there and from the files that it names.
 *
 * Refuses a private key wherever a public one is meant, files that cannot be read or hold something
 * else, a secret that could be guessed, and a client that policies could not be asked about. No fault
 * says anything of a secret or a key.
 */
import { createHash } from "node:crypto";
import { parseCertificate } from "../../crypto/certificate.ts";
import { readKeySet, readPublicKey } from "../../crypto/jwk.ts";
import { pemBlocks, pemLabels } from "../../crypto/pem.ts";
import type { ClientPrincipals } from "../../identity/claims/client-principal.ts";
import { SallyportError } from "../../model/errors.ts";
import type { RegisteredClient } from "../../model/issued-keys.ts";
import { isJsonObject, type JsonObject, parseJsonBytes } from "../../model/json.ts";
import { clientFile, type ClientOptions } from "../client-options.ts";

const LIMITS = {
  /** Of a JWK Set or a certificate; real ones have a few thousand. */
  fileBytes: 512 * 1024,
  /** A secret of 24 random bytes in base64url has 32 characters. */
  secretChars: 32,
  /** Among 32 random characters of base64url there are some 25 different ones, of hex 14. */
  secretDifferent: 10,
} as const;

export interface DeclaredClientDeps {
  /** By the path as it is in the options. Throws where that fails. */
  readonly readFile: (path: string) => Uint8Array;
  readonly principals: ClientPrincipals;
}

/** What is wrong, from the client's entry on. */
export interface ClientFault {
  readonly at: readonly (string | number)[];
  readonly message: string;
  readonly remedy: string;
}

export function readDeclaredClient(
  id: string,
  options: ClientOptions,
  { readFile, principals }: DeclaredClientDeps,
): { readonly client: RegisteredClient } | { readonly faults: readonly ClientFault[] } {
  const { roles, groups, attributes } = options;
  const keys = orFault(() => keysOf(options.keys, readFile), {
    at: ["keys"],
    file: options.keys && clientFile(options.keys),
    remedy: KEYS_REMEDY,
  });
  const certificates = (options.certificates ?? []).map((value, index) =>
    orFault(() => thumbprintsOf(value, readFile), {
      at: ["certificates", index],
      file: clientFile(value),
      remedy: CERTIFICATE_REMEDY,
    }),
  );
  const secret = options.insecureSecret;
  const weak = secret === undefined ? undefined : clientSecretFault(secret);
  const principal = principals({ id, roles, groups, attributes });
  const faults = [
    ...[keys, ...certificates].flatMap((one) => ("fault" in one ? [one.fault] : [])),
    ...(weak === undefined
      ? []
      : [{ at: ["insecureSecret"], message: weak, remedy: SECRET_REMEDY }]),
    ...("detail" in principal
      ? [{ at: ["attributes"], message: principal.detail, remedy: ATTRIBUTES_REMEDY }]
      : []),
  ];
  if (faults.length > 0 || "detail" in principal) return { faults };
  const client: RegisteredClient = {
    id,
    // Who writes the configuration may give any role by its bare name.
    principal: Object.freeze({ ...principal, roles: Object.freeze([...new Set(roles)]) }),
    keys: "value" in keys ? keys.value : [],
    certificates: [...new Set(certificates.flatMap((one) => ("value" in one ? one.value : [])))],
    secrets: secret === undefined ? [] : [secretDigest(secret)],
    source: "declared",
  };
  return { client: Object.freeze(client) };
}

/** As `RegisteredClient.secrets` has them. */
export function secretDigest(secret: string): string {
  return createHash("sha256").update(secret, "utf8").digest("base64url");
}

/** Its hash is kept, so it must not be found by trying; says nothing of the secret. */
export function clientSecretFault(secret: string): string | undefined {
  if (secret.length < LIMITS.secretChars) {
    return `the client secret has fewer than ${LIMITS.secretChars} characters`;
  }
  return new Set(secret).size < LIMITS.secretDifferent
    ? `the client secret has fewer than ${LIMITS.secretDifferent} different characters`
    : undefined;
}

const KEYS_REMEDY =
  'a file with a JWK Set of public keys, {"keys":[…]}; of a key in PEM, `crypto.createPublicKey(pem).export({ format: "jwk" })` of Node makes what belongs into the list';
const CERTIFICATE_REMEDY = "a file with the client's certificate in PEM, and no key";
const SECRET_REMEDY = "32 random characters or more, or better keys";
const ATTRIBUTES_REMEDY =
  "the attributes that the authenticator of type sallyport declares, of their types";

type Outcome<T> = { readonly value: T } | { readonly fault: ClientFault };

function orFault<T>(
  read: () => T,
  { at, file = "it", remedy }: Omit<ClientFault, "message"> & { readonly file: string | undefined },
): Outcome<T> {
  try {
    return { value: read() };
  } catch (error) {
    const told =
      error instanceof SallyportError ||
      error instanceof RangeError ||
      error instanceof SyntaxError;
    const message = told
      ? `${file} cannot be used: ${error.message}`
      : `${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? "unreadable"})`;
    return { fault: { at, message, remedy } };
  }
}

function keysOf(
  value: string | undefined,
  readFile: DeclaredClientDeps["readFile"],
): readonly JsonObject[] {
  const file = value === undefined ? undefined : clientFile(value);
  if (file === undefined) return [];
  const bytes = bounded(readFile(file));
  if (Buffer.from(bytes).includes("PRIVATE KEY-----")) throw privateKey();
  if (Buffer.from(bytes).includes("-----BEGIN ")) {
    throw new SallyportError("key-invalid", "it holds PEM, not a JWK Set");
  }
  const document = parseJsonBytes(bytes);
  readKeySet(document);
  const members = isJsonObject(document) ? document["keys"] : undefined;
  // Those that it leaves out are not for signatures.
  return (Array.isArray(members) ? members : []).filter(
    (one): one is JsonObject => isJsonObject(one) && typeof readPublicKey(one) !== "string",
  );
}

/** Of a chain, the first: that is the one which is the client's own. */
function thumbprintsOf(value: string, readFile: DeclaredClientDeps["readFile"]): readonly string[] {
  const file = clientFile(value);
  return file === undefined ? [value] : [thumbprintOfPem(Buffer.from(bounded(readFile(file))))];
}

/** `x5t#S256` of the first certificate in PEM. Throws SallyportError `certificate-invalid`. */
export function thumbprintOfPem(bytes: Buffer): string {
  const text = bytes.toString("latin1");
  const labels = pemLabels(text);
  if (labels.some((label) => label.includes("PRIVATE KEY"))) throw privateKey();
  const [der] = pemBlocks(text, "CERTIFICATE");
  if (der === undefined) {
    throw new SallyportError("certificate-invalid", "it holds no certificate in PEM");
  }
  return parseCertificate(der).thumbprint;
}

function privateKey(): SallyportError {
  return new SallyportError(
    "key-invalid",
    "it holds a private key, which belongs to the client alone: replace that key",
  );
}

function bounded(bytes: Uint8Array): Uint8Array {
  if (bytes.length > LIMITS.fileBytes) {
    throw new RangeError(`it is larger than ${LIMITS.fileBytes} bytes`);
  }
  return bytes;
}
