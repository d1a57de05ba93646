/**
 * What a client finds out by itself (RFC 8414): which endpoints there are, and how to speak to them. Anybody
 * may read it; it says nothing that depends on who asks.
 */
import { ALGORITHMS } from "../../crypto/algorithms.ts";
import { ACCESS_DETAIL_TYPE } from "../../model/access-detail.ts";
import type { JsonObject } from "../../model/json.ts";
import { WELL_KNOWN_PREFIX } from "../../keys/jwks.ts";
import { GRANTS } from "./grants.ts";
import type { TokenSnapshot } from "./token-call.ts";

/** Section 3: before the path of the issuer, which may be empty. */
export const SERVER_METADATA_PATH = "/.well-known/oauth-authorization-server";

export const ENDPOINT_PATHS = {
  token: "/.sallyport/token",
  introspect: "/.sallyport/introspect",
  revoke: "/.sallyport/revoke",
} as const;

/** Whether that is where the document of this issuer is: with its path behind, or without. */
export function isMetadataPath(path: string, issuer: string): boolean {
  const own = new URL(issuer).pathname.replace(/\/$/, "");
  return path === SERVER_METADATA_PATH || path === `${SERVER_METADATA_PATH}${own}`;
}

export function serverMetadata(
  tokens: TokenSnapshot,
  { issuer, listener }: { readonly issuer: string; readonly listener: string },
): JsonObject {
  const origin = tokens.origins.get(listener) ?? "";
  const certificates = tokens.certificateListeners.has(listener);
  const methods = [
    "private_key_jwt",
    ...(certificates ? ["tls_client_auth", "self_signed_tls_client_auth"] : []),
    "client_secret_basic",
    "client_secret_post",
  ];
  // The two names of one algorithm (RFC 9864), and no other that we know is left out.
  const algorithms = [...ALGORITHMS];
  return {
    issuer,
    token_endpoint: `${origin}${ENDPOINT_PATHS.token}`,
    introspection_endpoint: `${origin}${ENDPOINT_PATHS.introspect}`,
    revocation_endpoint: `${origin}${ENDPOINT_PATHS.revoke}`,
    ...(tokens.keyListeners.has(listener)
      ? { jwks_uri: `${origin}${WELL_KNOWN_PREFIX}jwks.json` }
      : {}),
    // There is no authorization endpoint, so there is nothing that one would answer.
    response_types_supported: [],
    grant_types_supported: [...GRANTS.keys()],
    ...methodsOf("token_endpoint", methods, algorithms),
    ...methodsOf("introspection_endpoint", methods, algorithms),
    ...methodsOf("revocation_endpoint", methods, algorithms),
    authorization_details_types_supported: [ACCESS_DETAIL_TYPE],
    dpop_signing_alg_values_supported: [...tokens.proofAlgorithms],
    tls_client_certificate_bound_access_tokens: certificates,
  };
}

function methodsOf(
  endpoint: string,
  methods: readonly string[],
  algorithms: readonly string[],
): JsonObject {
  return {
    [`${endpoint}_auth_methods_supported`]: methods,
    [`${endpoint}_auth_signing_alg_values_supported`]: algorithms,
  };
}
