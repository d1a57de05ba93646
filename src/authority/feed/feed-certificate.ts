/**
 * The certificate of a key that signs the feed: what it says, and how that is read back.
 *
 * It names the purpose twice, by the extended key usage for JWS and by a URI, so that no certificate that
 * the same authority gives to machines for TLS can sign the feed. And it names the generation of
 * the key, which the key itself therefore cannot choose: after an emergency rotation keys of earlier
 * generations are worthless, however long their certificates last.
 */
import type { Certificate } from "../../crypto/certificate.ts";
import { JWS_SIGNING } from "../../crypto/issue-certificate.ts";

/** The extended key usage. */
export const FEED_USAGE = JWS_SIGNING;

export const FEED_URI = "sallyport:feed";

const GENERATION = /^sallyport:feed:generation:([1-9][0-9]{0,15})$/;

/** `generation`: when the key became active, in milliseconds since the epoch. */
export function feedUris(generation: number): string[] {
  return [FEED_URI, `${FEED_URI}:generation:${generation}`];
}

/** Undefined: it is no certificate for the feed. */
export function generationOf({ extensions }: Certificate): number | undefined {
  const { uris, usages, authority } = extensions;
  // A certificate that names no usage may be used for anything (RFC 5280 section 4.2.1.12): not here.
  if (authority || usages?.includes(FEED_USAGE) !== true || !uris.includes(FEED_URI))
    return undefined;
  const found = uris.map((uri) => GENERATION.exec(uri)?.[1]).filter((one) => one !== undefined);
  const [generation] = found;
  if (found.length !== 1 || generation === undefined) return undefined;
  const number = Number(generation);
  return Number.isSafeInteger(number) ? number : undefined;
}
