/**
 * Join tokens: `sallyport_join_` and base64url of
 *
 *     version (1) | secret (20) | kind (1) | method (1) | n (1)
 *     | n × SHA-256 of a root's SubjectPublicKeyInfo (32)
 *     | 3 × (length (1) | text): name, issuer, authority's URL (may be empty) | CRC-32C (4)
 *
 * Only the secret is worth anything, and only it is sent. The rest is for the machine: which authority
 * it may speak to (as `kubeadm join --discovery-token-ca-cert-hash` does it), so that whoever stands in
 * between learns nothing; and the checksum, so that a token that lost a character on its way is told
 * from one that is refused. The prefix is for scanners that look for secrets in repositories and logs.
 */
import { createHash } from "node:crypto";
import { decodeBase64url } from "../../crypto/base64url.ts";
import { SallyportError } from "../../model/errors.ts";
import {
  ENROLMENT_METHODS,
  type EnrolmentMethod,
  WORKLOAD_KINDS,
  type WorkloadKind,
} from "../../model/workloads.ts";
import { crc32c } from "../../wire/crc32c.ts";

export interface JoinToken {
  /** base64url. */
  readonly secret: string;
  /** base64url SHA-256 of SubjectPublicKeyInfo, at least one. */
  readonly pins: readonly string[];
  readonly name: string;
  readonly kind: WorkloadKind;
  readonly method: EnrolmentMethod;
  readonly issuer: string;
  /** `https://host:port`; undefined: the machine has to be told. */
  readonly authority: string | undefined;
}

export const TOKEN_PREFIX = "sallyport_join_";

const VERSION = 1;
const NEWER = "it is of a newer version of sallyport";

export const TOKEN_LIMITS = {
  /** 160 bits: guessed at a million a second, none is found in the life of the sun. */
  secretBytes: 20,
  pinBytes: 32,
  /** Roots at once: the one that signs, and those before and after it during a change. */
  pins: 8,
  /** Characters: of the longest that `writeJoinToken` makes, and some. */
  chars: 2048,
} as const;

/** Throws TypeError for what does not fit. */
export function writeJoinToken(token: JoinToken): string {
  const pins = token.pins.map((pin) => exactly(pin, TOKEN_LIMITS.pinBytes));
  if (pins.length < 1 || pins.length > TOKEN_LIMITS.pins) throw new TypeError("a token's pins");
  const body = Buffer.concat([
    Buffer.from([VERSION]),
    exactly(token.secret, TOKEN_LIMITS.secretBytes),
    Buffer.from([
      WORKLOAD_KINDS.indexOf(token.kind),
      ENROLMENT_METHODS.indexOf(token.method),
      pins.length,
    ]),
    ...pins,
    ...[token.name, token.issuer, token.authority ?? ""].map(lengthAndText),
    Buffer.alloc(4),
  ]);
  body.writeUInt32BE(checksum(body), body.length - 4);
  return TOKEN_PREFIX + body.toString("base64url");
}

/** Throws `enrolment-failed`; nothing of the token is in the message. */
export function readJoinToken(text: string): JoinToken {
  const trimmed = text.trim();
  if (!trimmed.startsWith(TOKEN_PREFIX)) {
    throw broken(`it does not begin with ${TOKEN_PREFIX}`);
  }
  if (trimmed.length > TOKEN_LIMITS.chars) throw broken("it is too long");
  const bytes = decodeBase64url(trimmed.slice(TOKEN_PREFIX.length));
  if (
    bytes === undefined ||
    bytes.length < 6 ||
    bytes.readUInt32BE(bytes.length - 4) !== checksum(bytes)
  ) {
    throw broken("characters of it are missing or changed");
  }
  const reader = new Reader(bytes.subarray(0, -4));
  if (reader.byte() !== VERSION) throw broken(NEWER);
  const secret = reader.take(TOKEN_LIMITS.secretBytes).toString("base64url");
  const kind = WORKLOAD_KINDS[reader.byte()];
  const method = ENROLMENT_METHODS[reader.byte()];
  if (kind === undefined || method === undefined) throw broken(NEWER);
  const count = reader.byte();
  if (count < 1 || count > TOKEN_LIMITS.pins) throw broken("it names no authority");
  const pins = Array.from({ length: count }, () =>
    reader.take(TOKEN_LIMITS.pinBytes).toString("base64url"),
  );
  const [name, issuer, authority] = [reader.text(), reader.text(), reader.text()];
  reader.end();
  return {
    secret,
    pins,
    name,
    kind,
    method,
    issuer,
    authority: authority === "" ? undefined : authority,
  };
}

/**
 * What a token says of where the authority is: the first of its names, at the port where it listens.
 * Undefined where the system chooses the port. Behind a balancer on another port, who enrols says where.
 */
export function authorityUrl(serve: {
  readonly address: string;
  readonly names: readonly string[];
}): string | undefined {
  const [name = ""] = serve.names;
  const port = serve.address.slice(serve.address.lastIndexOf(":") + 1);
  if (port === "0") return undefined;
  return new URL(`https://${name.includes(":") ? `[${name}]` : name}:${port}`).origin;
}

/** What the store knows a token by: the secret cannot be had from it. */
export function tokenHash(secret: string): string {
  return createHash("sha256").update("sallyport join token\0").update(secret).digest("base64url");
}

/** What a token knows a root by. */
export function pinOf(spki: Uint8Array): string {
  return createHash("sha256").update(spki).digest("base64url");
}

function exactly(text: string, length: number): Buffer {
  const bytes = decodeBase64url(text);
  if (bytes?.length !== length) throw new TypeError(`not ${length} bytes in base64url`);
  return bytes;
}

function lengthAndText(text: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length > 255) throw new TypeError("a text of a token has at most 255 bytes");
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

/** Over all but the last four bytes. */
function checksum(bytes: Buffer): number {
  return crc32c(bytes, bytes.length - 4);
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  take(length: number): Buffer {
    const part = this.#bytes.subarray(this.#at, this.#at + length);
    if (part.length !== length) throw broken("characters of it are missing");
    this.#at += length;
    return part;
  }

  byte(): number {
    return this.take(1)[0] ?? 0;
  }

  text(): string {
    return this.take(this.byte()).toString("utf8");
  }

  end(): void {
    if (this.#at !== this.#bytes.length) throw broken("there is more after its end");
  }
}

function broken(detail: string): SallyportError {
  return new SallyportError(
    "enrolment-failed",
    `the join token cannot be read: ${detail}. Copy it whole, or get a new one with sallyport workloads re-enrol`,
  );
}
