/**
 * Certificate revocation lists (RFC 5280 section 5): which serial numbers an authority has revoked.
 *
 * It refuses what it would read wrongly: a list with a critical extension that it does not know
 * (delta lists, lists for some certificates only, lists by somebody else than the issuer), and one
 * that does not say when the next is due, because nobody could tell that it is out of date.
 */
import { type DerReader, derFault, TAG, timeOf, inside, wholeSequence } from "./der.ts";
import { type Certificate, extensionsOf } from "./certificate.ts";
import { pemBlocks } from "./pem.ts";
import { nameText } from "./x509-name.ts";
import { type Signed, signedBy, splitSigned } from "./x509-signature.ts";

export interface RevocationList {
  readonly signed: Signed;
  readonly issuer: string;
  readonly issuerDer: Buffer;
  /** Milliseconds since the epoch. */
  readonly thisUpdate: number;
  readonly nextUpdate: number;
  /** Serial numbers as lower-case hex without leading zeros. */
  readonly revoked: ReadonlySet<string>;
}

const TIMES: ReadonlySet<number | undefined> = new Set([TAG.utcTime, TAG.generalizedTime]);

/** All lists in a file, PEM or DER. Throws `certificate-invalid`. */
export function readRevocationLists(bytes: Buffer): RevocationList[] {
  const blocks = pemBlocks(bytes.toString("latin1"), "X509 CRL");
  if (blocks.length > 0) return blocks.map(parseRevocationList);
  if (bytes[0] === TAG.sequence) return [parseRevocationList(bytes)];
  throw derFault("it holds no revocation list");
}

export function parseRevocationList(der: Buffer): RevocationList {
  const signed = splitSigned(wholeSequence(der));
  const body = wholeSequence(signed.body);
  body.optional(TAG.integer);
  body.next(TAG.sequence);
  const issuer = body.next(TAG.sequence);
  const thisUpdate = timeOf(body);
  if (!TIMES.has(body.tag)) throw derFault("a revocation list without nextUpdate");
  const nextUpdate = timeOf(body);
  const entries = body.optional(TAG.sequence);
  const revoked = new Set<string>();
  if (entries !== undefined) readEntries(inside(entries), revoked);
  refuseCritical(body.optional(0xa0));
  body.end();
  return {
    signed,
    issuer: nameText(issuer),
    issuerDer: issuer.bytes,
    thisUpdate,
    nextUpdate,
    revoked,
  };
}

/** Whether `authority` made this list. */
export function listedBy(list: RevocationList, authority: Certificate): boolean {
  return (
    list.issuerDer.equals(authority.subjectDer) &&
    authority.extensions.signsLists !== false &&
    signedBy(list.signed, authority.key)
  );
}

function readEntries(entries: DerReader, revoked: Set<string>): void {
  while (!entries.done) {
    const entry = inside(entries.next(TAG.sequence));
    revoked.add(
      entry
        .next(TAG.integer)
        .content.toString("hex")
        .replace(/^0+(?=.)/, ""),
    );
    timeOf(entry);
    const extensions = entry.optional(TAG.sequence);
    entry.end();
    if (extensions !== undefined) refuseCriticalIn(extensions.bytes);
  }
}

function refuseCritical(tagged: { readonly content: Buffer } | undefined): void {
  if (tagged !== undefined) refuseCriticalIn(tagged.content);
}

/** None that may stand in a list is known here, so each critical one means that it is misread. */
function refuseCriticalIn(sequence: Buffer): void {
  const found = extensionsOf({ tag: 0, bytes: sequence, content: sequence });
  for (const [id, { critical }] of found) {
    if (critical) throw derFault(`a revocation list with the critical extension ${id}`);
  }
}
