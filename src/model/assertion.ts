/**
 * What services are told of their callers in a signed form, as the layers share it. An assertion is no
 * credential: its type stands among those that no authenticator takes, and its issuer is its own.
 */
import type { Signer } from "./signing.ts";

/** `typ` (RFC 8725 section 3.11). */
export const ASSERTION_TYPE = "sallyport-assertion+jwt";

/** What is put behind the authority's own issuer, so that no key set ever stands for both. */
export const ASSERTION_ISSUER_PATH = "/assertions";

/** Who signs assertions here, and now. */
export interface AssertionSigner {
  /** `iss`: the same of every replica. */
  readonly issuer: string;
  /** The key for one assertion; ask again for the next. Throws SallyportError `signing-unavailable`. */
  current(): Signer;
}
