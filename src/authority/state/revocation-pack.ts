/**
 * Revocations as fixed records of 34 bytes: how the feed carries them. As JSON one takes some 110 bytes; a million of them are what a new follower is sent first.
 *
 * A record is the digest (16 bytes), then cut-off, end of the block and expiry, each 48 bits of
 * milliseconds since the epoch. 0 stands for none, all ones for a time that does not come.
 */
import { NEVER, type RevocationEntry } from "../../model/revocation.ts";

export const DIGEST_BYTES = 16;
export const RECORD_BYTES = DIGEST_BYTES + 3 * 6;

/** 48 bits: the year 10889. */
const FOREVER = 2 ** 48 - 1;

const DIGEST = /^[A-Za-z0-9_-]{21}[AQgw]$/;

/** Writes one record. Throws TypeError on what is no entry: a programmer's mistake. */
export function writeRecord(entry: RevocationEntry, into: Buffer, at: number): void {
  writeDigest(entry.digest, into, at);
  writeTimes(entry, into, at + DIGEST_BYTES);
}

/** What follows the digest. */
export function writeTimes(
  { cutoffMs, blockedUntilMs, expiresMs }: Omit<RevocationEntry, "digest">,
  into: Buffer,
  at: number,
): void {
  into.writeUIntBE(timeIn(cutoffMs), at, 6);
  into.writeUIntBE(timeIn(blockedUntilMs), at + 6, 6);
  into.writeUIntBE(timeIn(expiresMs), at + 12, 6);
}

export function readRecord(from: Buffer, at: number): RevocationEntry {
  return {
    digest: from.toString("base64url", at, at + DIGEST_BYTES),
    cutoffMs: timeOut(from.readUIntBE(at + DIGEST_BYTES, 6)),
    blockedUntilMs: timeOut(from.readUIntBE(at + DIGEST_BYTES + 6, 6)),
    expiresMs: expiryOf(from, at) ?? NEVER,
  };
}

/** The expiry of a record; undefined: it stays. */
function expiryOf(from: Buffer, at: number): number | undefined {
  const expires = from.readUIntBE(at + DIGEST_BYTES + 12, 6);
  return expires === FOREVER ? undefined : expires;
}

function writeDigest(digest: string, into: Buffer, at: number): void {
  if (!DIGEST.test(digest)) throw new TypeError("not the digest of a revocation target");
  into.write(digest, at, "base64url");
}

export function packRevocations(entries: readonly RevocationEntry[]): Buffer {
  const packed = Buffer.alloc(entries.length * RECORD_BYTES);
  for (const [index, entry] of entries.entries()) writeRecord(entry, packed, index * RECORD_BYTES);
  return packed;
}

/** Undefined where the bytes are not whole records. */
export function unpackRevocations(packed: Buffer): RevocationEntry[] | undefined {
  if (packed.length % RECORD_BYTES !== 0) return undefined;
  const entries: RevocationEntry[] = [];
  for (let at = 0; at < packed.length; at += RECORD_BYTES) entries.push(readRecord(packed, at));
  return entries;
}

export function packDigests(digests: readonly string[]): Buffer {
  const packed = Buffer.alloc(digests.length * DIGEST_BYTES);
  for (const [index, digest] of digests.entries())
    writeDigest(digest, packed, index * DIGEST_BYTES);
  return packed;
}

/** Undefined where the bytes are not whole digests. */
export function unpackDigests(packed: Buffer): string[] | undefined {
  if (packed.length % DIGEST_BYTES !== 0) return undefined;
  const digests: string[] = [];
  for (let at = 0; at < packed.length; at += DIGEST_BYTES) {
    digests.push(packed.toString("base64url", at, at + DIGEST_BYTES));
  }
  return digests;
}

function timeIn(ms: number | undefined): number {
  if (ms === undefined) return 0;
  if (ms === NEVER) return FOREVER;
  // What would read as none, or as never, must not be written: either changes who is denied.
  if (!Number.isInteger(ms) || ms <= 0 || ms >= FOREVER) throw new TypeError("not a time");
  return ms;
}

function timeOut(ms: number): number | undefined {
  if (ms === 0) return undefined;
  return ms === FOREVER ? NEVER : ms;
}
