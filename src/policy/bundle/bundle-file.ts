/**
 * A policy bundle as it is built, handed on and fetched: one JSON document with the bundle's bytes as a
 * text, the policy tests that belong to it, and signatures over both. Whoever signs says that this is what
 * was reviewed; a signature is a compact JWS (RFC 7515) of a type of its own over the two digests and the
 * time, so that it is small and can be added later without writing the bundle anew.
 *
 * Refuses what is not of its hash, what no key of the reader has signed where he has keys, and documents
 * with members that it does not know.
 */
import { createHash } from "node:crypto";
import { z } from "zod";
import { ALGORITHMS } from "../../crypto/algorithms.ts";
import type { VerificationKey } from "../../crypto/jwk.ts";
import { readJws, type UnverifiedJws, verifyJws } from "../../crypto/jws.ts";
import { type JwsSigner, signJws } from "../../crypto/sign-jws.ts";
import { SallyportError } from "../../model/errors.ts";
import { parseJson } from "../../model/json.ts";
import type { PolicyFile, PolicySource } from "../policy-source.ts";
import { decodePolicyBundle, encodePolicyBundle, POLICY_BUNDLE_LIMITS } from "./policy-bundle.ts";

export interface BundleContent {
  readonly source: PolicySource;
  readonly tests: readonly PolicyFile[];
}

export interface BundleFile extends BundleContent {
  /** Of the policies and their data; the tests have no part in it. */
  readonly hash: string;
  /** Undefined where nobody has signed it, or nobody asked for that. */
  readonly signed: BundleSignature | undefined;
}

export interface BundleSignature {
  /** RFC 7638 thumbprint of the key. */
  readonly key: string;
  /** Seconds since the epoch when it was signed: a reader that follows a source takes no older one. */
  readonly at: number;
}

const LIMITS = {
  /** Bytes of a document; JSON in JSON escapes each quotation mark. */
  bytes: 2 * POLICY_BUNDLE_LIMITS.bytes,
  /** Of a document, whose values are texts. */
  depth: 8,
  /** Signatures that are looked at: a second one while keys change, a third for somebody else. */
  signatures: 8,
} as const;

export const BUNDLE_FILE_LIMITS: Pick<typeof LIMITS, "bytes"> = LIMITS;

const TYPE = "sallyport-policy-bundle+jws";

const filesSchema = z.array(z.strictObject({ name: z.string(), text: z.string() }));

const documentSchema = z.strictObject({
  format: z.literal(1),
  hash: z.string(),
  policies: z.string(),
  tests: filesSchema,
  signatures: z.array(z.string()).max(LIMITS.signatures),
});

const statementSchema = z.strictObject({
  hash: z.string(),
  tests: z.string(),
  iat: z.int().min(0),
});

/** The same content gives the same text, but for signatures that are not deterministic (ES256). */
export function writeBundleFile(
  { source, tests }: BundleContent,
  { signers, now }: { readonly signers: readonly JwsSigner[]; readonly now: number },
): { readonly hash: string; readonly text: string } {
  const { hash, bytes } = encodePolicyBundle(source);
  const plain = tests.map(({ name, text }) => ({ name, text }));
  const statement = { hash, tests: digestOf(plain), iat: Math.floor(now / 1000) };
  const document = {
    format: 1,
    hash,
    policies: new TextDecoder().decode(bytes),
    tests: plain,
    signatures: signers.map((signer) => signJws(signer, { typ: TYPE }, statement)),
  };
  return { hash, text: `${JSON.stringify(document, undefined, 1)}\n` };
}

/**
 * Reads one. With `keys` it has to be signed by one of them; without, signatures are not looked at.
 * Throws SallyportError `policy-invalid`, which says the rule.
 */
export function readBundleFile(
  text: string,
  keys: readonly VerificationKey[] | undefined,
): BundleFile {
  const { hash, policies, tests, signatures } = parse(text);
  const source = decodePolicyBundle({ hash, bytes: new TextEncoder().encode(policies) });
  if (keys === undefined) return { hash, source, tests, signed: undefined };
  const expected = { hash, tests: digestOf(tests) };
  for (const signature of signatures) {
    const signed = whoSigned(signature, expected, keys);
    if (signed !== undefined) return { hash, source, tests, signed };
  }
  const many = signatures.length;
  throw refused(
    many === 0
      ? "nobody has signed it, and only signed ones are taken"
      : `none of its ${many} signature(s) is one of a key that is trusted here over this content`,
  );
}

function parse(text: string): z.output<typeof documentSchema> {
  if (text.length > LIMITS.bytes) throw refused(`it has more than ${LIMITS.bytes} characters`);
  let value: unknown;
  try {
    value = parseJson(text, { maxDepth: LIMITS.depth });
  } catch (error) {
    throw refused(`it is no JSON: ${(error as Error).message}`, error);
  }
  const result = documentSchema.safeParse(value);
  if (result.success) return result.data;
  const at = result.error.issues[0]?.path.join(".") ?? "";
  throw refused(`it is none that this version knows (at "${at}")`, result.error);
}

function whoSigned(
  signature: string,
  expected: { readonly hash: string; readonly tests: string },
  keys: readonly VerificationKey[],
): BundleSignature | undefined {
  const jws = readJws(signature);
  if ("fault" in jws || jws.type !== TYPE) return undefined;
  const key = keys.find((one) => isSignedBy(jws, one));
  if (key === undefined) return undefined;
  const statement = statementSchema.safeParse({ ...jws.claims });
  if (!statement.success) return undefined;
  const { hash, tests, iat } = statement.data;
  if (hash !== expected.hash || tests !== expected.tests) return undefined;
  return { key: key.thumbprint, at: iat };
}

/** The key says which algorithms are its own, whatever the signature says. */
function isSignedBy(jws: UnverifiedJws, key: VerificationKey): boolean {
  return ALGORITHMS.some((algorithm) => verifyJws(jws, algorithm, key));
}

function digestOf(tests: readonly PolicyFile[]): string {
  const plain = tests.map(({ name, text }) => [name, text]);
  return `sha256-${createHash("sha256").update(JSON.stringify(plain)).digest("base64url")}`;
}

function refused(why: string, cause?: unknown): SallyportError {
  return new SallyportError("policy-invalid", `a policy bundle cannot be used: ${why}`, { cause });
}
