/**
 * Fetches the policy bundle that a configuration names by URL: with the ETag of the one at hand (RFC 9110
 * section 13.1.2), verified before it is kept.
 *
 * Refuses what no trusted key has signed, what was signed before the one at hand (somebody replays an old
 * one: going back is `hash`, in the configuration), and answers but 200 and 304.
 */
import type { VerificationKey } from "../../crypto/jwk.ts";
import { SallyportError } from "../../model/errors.ts";
import { type ExchangeTls, exchange } from "../../platform/bounded-exchange.ts";
import { cachedBundle, keepBundle, type Newest, newestOf, noteNewest } from "./bundle-cache.ts";
import { BUNDLE_FILE_LIMITS, type BundleFile, readBundleFile } from "./bundle-file.ts";

export interface BundleTarget {
  readonly url: string;
  /** Undefined: unsigned ones are taken. */
  readonly keys: readonly VerificationKey[] | undefined;
  readonly cache: string;
  /** The one that is wanted; undefined: whatever is there. */
  readonly hash: string | undefined;
  /** PEM; undefined: the authorities of the runtime. */
  readonly ca: string | undefined;
}

const LIMITS = {
  /** Milliseconds for the whole exchange: some 20 MB over a slow line. */
  timeoutMs: 30_000,
} as const;

/** `changed`: another one is at hand now. Rejects with SallyportError; the cache is as it was then. */
export async function fetchBundle(target: BundleTarget): Promise<"changed" | "same"> {
  const { url, cache, keys, hash: pinned } = target;
  const newest = newestOf(cache);
  const known = newest?.url === url ? newest : undefined;
  const before = known && cachedBundle(cache, known.hash) !== undefined ? known : undefined;
  const answer = await ask(target, before?.etag);
  if (answer === undefined) return "same";
  const bundle = readBundleFile(answer.text, keys);
  // Whatever URL it came from: a source that is moved must not bring back what was withdrawn either.
  checkOrder(bundle, newest);
  const signedAt = bundle.signed?.at;
  const taken: Newest = {
    hash: bundle.hash,
    url,
    ...(answer.etag !== undefined && { etag: answer.etag }),
    ...(signedAt !== undefined && { signedAt }),
  };
  if (before?.hash === bundle.hash && cachedBundle(cache, bundle.hash) === answer.text) {
    await noteNewest(cache, taken);
    return "same";
  }
  await keepBundle(cache, { newest: taken, text: answer.text, pinned });
  return "changed";
}

/** A source that was taken over, or a cache between, must not bring back what was withdrawn. */
function checkOrder({ signed }: BundleFile, known: Newest | undefined): void {
  if (signed === undefined || known?.signedAt === undefined) return;
  if (signed.at >= known.signedAt) return;
  const message =
    "the policy bundle was signed before the one at hand; to go back to an earlier one, name it in policies.bundle.hash";
  throw new SallyportError("policy-invalid", message);
}

interface Answer {
  readonly text: string;
  readonly etag: string | undefined;
}

/** Undefined where it has not changed. */
async function ask(
  { url, ca }: BundleTarget,
  etag: string | undefined,
): Promise<Answer | undefined> {
  const tls: ExchangeTls | undefined = ca === undefined ? undefined : { ca };
  const headers = {
    accept: "application/json",
    ...(etag !== undefined && { "if-none-match": etag }),
  };
  const {
    status,
    headers: answered,
    body,
  } = await exchange(
    {
      url: new URL(url),
      method: "GET",
      headers,
      tls,
      refuse: (code) =>
        code === 200 || (code === 304 && etag !== undefined) ? undefined : `the answer is ${code}`,
    },
    { timeoutMs: LIMITS.timeoutMs, maxBytes: BUNDLE_FILE_LIMITS.bytes },
  );
  if (status === 304) return undefined;
  return { text: body.toString("utf8"), etag: answered.etag };
}
