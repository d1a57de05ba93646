/**
 * The closed list of reasons: why a decision came out as it did, or how a request ended.
 *
 * Response, audit record, metric and log all read this one value. Adding a reason starts here: the
 * compiler then lists every table that has to say something about it.
 */
import type { GrpcStatusName } from "./grpc-status.ts";

export interface ReasonInfo {
  /** HTTP status of the answer that carries it. */
  readonly status: number;
  /** What stands for it where the caller speaks gRPC: the client's retries and messages go by it. */
  readonly grpc: GrpcStatusName;
  /** RFC 9457 `title`: one short sentence for the caller, the same for every occurrence. */
  readonly title: string;
  /** Who is at fault; `us` alarms. `nobody` is for permits. */
  readonly fault: "nobody" | "caller" | "service" | "provider" | "us";
  /** For the operator: what it means and what to look at. Goes into docs/errors.md. */
  readonly meaning: string;
}

export const REASONS = {
  permitted: {
    status: 200,
    grpc: "OK",
    title: "Permitted",
    fault: "nobody",
    meaning: "At least one permit policy applied and no forbid policy did.",
  },
  "answered-by-proxy": {
    status: 204,
    grpc: "OK",
    title: "Answered by the proxy",
    fault: "nobody",
    meaning: "The proxy itself answered (`OPTIONS *`); nothing was forwarded.",
  },
  "client-answered": {
    status: 200,
    grpc: "OK",
    title: "A client was answered about a key",
    fault: "nobody",
    meaning:
      "A client of the token endpoint asked about a key (`/.sallyport/introspect`) or gave one back (`/.sallyport/revoke`); the detail says which key, and whether it was told anything.",
  },
  "malformed-request": {
    status: 400,
    grpc: "INTERNAL",
    title: "The request is not valid HTTP",
    fault: "caller",
    meaning:
      "The request head or body breaks RFC 9110, RFC 9112 or RFC 9113; the connection was closed, with HTTP/2 the stream.",
  },
  "ambiguous-path": {
    status: 400,
    grpc: "INVALID_ARGUMENT",
    title: "The path can be read in more than one way",
    fault: "caller",
    meaning:
      "The path has an encoded slash, backslash or NUL, a double escape, a raw backslash, '#', non-ASCII, invalid UTF-8 or an undeclared ';'. Services disagree about what such paths mean, so none is forwarded.",
  },
  "invalid-host": {
    status: 400,
    grpc: "INVALID_ARGUMENT",
    title: "The Host is missing, repeated or not valid",
    fault: "caller",
    meaning:
      "Host is absent, repeated, not a valid host, or disagrees with an absolute-form target.",
  },
  "unfit-value": {
    status: 400,
    grpc: "INVALID_ARGUMENT",
    title: "A value of the request does not fit where it is to go",
    fault: "caller",
    meaning:
      "A value that the route puts into a header field, a query or a path (`${principal.subject}`, `${params.id}`, …) would break it: control bytes, white space at its ends, non-ASCII in a field, too long, a comma within a list, a query parameter given twice. Also a query that can be read in two ways where the route changes it. Nothing was sent.",
  },
  "invalid-deadline": {
    status: 400,
    grpc: "INVALID_ARGUMENT",
    title: "The deadline of the call cannot be read",
    fault: "caller",
    meaning:
      "The `grpc-timeout` of a gRPC call is not one to eight digits and a unit (`H`, `M`, `S`, `m`, `u`, `n`), or stands there twice. Nothing was sent.",
  },
  "invalid-forwarded": {
    status: 400,
    grpc: "INVALID_ARGUMENT",
    title: "The forwarding fields cannot be read",
    fault: "caller",
    meaning:
      "A trusted proxy sent `Forwarded` or `X-Forwarded-*` that is malformed, contradicts itself, or names no address where one is needed; the detail says which. Who the caller is would have to be guessed.",
  },
  "invalid-parameter": {
    status: 400,
    grpc: "INVALID_ARGUMENT",
    title: "A parameter is not what this operation takes",
    fault: "caller",
    meaning:
      "A parameter is missing, repeated, or not what the service's description (`openapi`) says of it, on a route with `openapiValidation`. `invalid` in the answer and the record's detail name it and the rule, never the value.",
  },
  "invalid-body": {
    status: 400,
    grpc: "INVALID_ARGUMENT",
    title: "The body is not what this route takes",
    fault: "caller",
    meaning:
      "The route changes JSON bodies or lets policies see them, and this one is not JSON in one reading only (a repeated name, a stray byte, too deep, a name that looks like a declared one), or something stands where a change needs an object or policies need another type; the detail names the place. With `openapiValidation: full` also one that does not fit the service's description: `invalid` in the answer names the place and the rule. Nothing was sent.",
  },
  "unsupported-body": {
    status: 415,
    grpc: "INVALID_ARGUMENT",
    title: "The type or coding of the body is not taken here",
    fault: "caller",
    meaning:
      "The route changes JSON bodies or lets policies see them, and this one is of another type, in another charset, or has a content coding. Nothing was sent.",
  },
  "duplicate-authorization": {
    status: 400,
    grpc: "INVALID_ARGUMENT",
    title: "More than one Authorization field",
    fault: "caller",
    meaning: "Two Authorization fields: services and proxies disagree about which one counts.",
  },
  "request-timeout": {
    status: 408,
    grpc: "DEADLINE_EXCEEDED",
    title: "The request took too long to arrive",
    fault: "caller",
    meaning: "The head or the body did not arrive within the listener's limits.",
  },
  "body-too-large": {
    status: 413,
    grpc: "RESOURCE_EXHAUSTED",
    title: "The body is too large",
    fault: "caller",
    meaning: "The body is larger than the listener's or the route's limit.",
  },
  "head-too-large": {
    status: 431,
    grpc: "RESOURCE_EXHAUSTED",
    title: "The request head is too large",
    fault: "caller",
    meaning: "The head has more bytes or more fields than the listener's limits allow.",
  },
  "uri-too-long": {
    status: 414,
    grpc: "RESOURCE_EXHAUSTED",
    title: "The request target is too long",
    fault: "caller",
    meaning: "The request target is longer than the listener's limit.",
  },
  "not-implemented": {
    status: 501,
    grpc: "UNIMPLEMENTED",
    title: "Not implemented",
    fault: "caller",
    meaning:
      "CONNECT (but for WebSockets over HTTP/2), TRACE, or a transfer coding other than chunked.",
  },
  "version-not-supported": {
    status: 505,
    grpc: "UNIMPLEMENTED",
    title: "HTTP version not supported",
    fault: "caller",
    meaning:
      "The request line names a version other than HTTP/1.0 and HTTP/1.1. HTTP/2 without TLS is answered so where the listener has it switched off.",
  },
  "expectation-failed": {
    status: 417,
    grpc: "INVALID_ARGUMENT",
    title: "Expectation failed",
    fault: "caller",
    meaning: "Expect names something other than 100-continue.",
  },
  "no-route": {
    status: 404,
    grpc: "UNIMPLEMENTED",
    title: "No such route",
    fault: "caller",
    meaning: "No route matches host and path. What no route names is not reachable.",
  },
  "unknown-operation": {
    status: 404,
    grpc: "UNIMPLEMENTED",
    title: "No such operation",
    fault: "caller",
    meaning:
      "The service's description (`openapi`) has no such path. It is compared with the path as the service would see it, after the route's `rewrite`, and with that of `servers` in front.",
  },
  "method-not-allowed": {
    status: 405,
    grpc: "UNIMPLEMENTED",
    title: "Method not allowed",
    fault: "caller",
    meaning:
      "The route does not list this method, the service's description does not have it at this path, or the method is unknown.",
  },
  "missing-credential": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "A credential is required",
    fault: "caller",
    meaning: "The request carries none of the credentials that the route accepts.",
  },
  "malformed-credential": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The credential is malformed",
    fault: "caller",
    meaning: "The Authorization field or the token in it cannot be parsed.",
  },
  "unknown-issuer": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The token's issuer is not accepted here",
    fault: "caller",
    meaning: "No authenticator that the route lists has exactly this `iss`.",
  },
  "algorithm-not-allowed": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The token's algorithm is not accepted",
    fault: "caller",
    meaning: "`alg` is not in the authenticator's list, or does not fit the key.",
  },
  "unknown-key": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The token's key is not known",
    fault: "caller",
    meaning: "The issuer's key set has no key with this `kid`, also after a fresh fetch.",
  },
  "invalid-signature": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The token's signature is not valid",
    fault: "caller",
    meaning: "The signature does not verify under the issuer's key.",
  },
  "invalid-token-type": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "This is not a token of the right type",
    fault: "caller",
    meaning:
      "`typ` is not one that the authenticator accepts, or `crit` names what is not understood.",
  },
  "wrong-audience": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The token is meant for somebody else",
    fault: "caller",
    meaning: "`aud` has none of the audiences of the route or authenticator.",
  },
  "token-expired": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The token has expired",
    fault: "caller",
    meaning: "`exp` lies in the past, beyond the clock skew.",
  },
  "token-not-yet-valid": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The token is not valid yet",
    fault: "caller",
    meaning: "`nbf` or `iat` lies in the future, beyond the clock skew.",
  },
  "missing-claim": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The token lacks a claim that is required",
    fault: "caller",
    meaning: "A declared claim without a default is absent, or `exp` or the subject is.",
  },
  "invalid-claim": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "A claim of the token has the wrong type",
    fault: "caller",
    meaning: "A claim is not of its declared type, or a registered claim is malformed.",
  },
  "session-expired": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The session has ended",
    fault: "caller",
    meaning:
      "The session cookie is past its idle or absolute lifetime, was ended by a logout, or was made under a key that is not known any more. A browser that goes to a page is sent to login instead.",
  },
  "invalid-session": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The session cookie is not valid",
    fault: "caller",
    meaning:
      "The session cookie is not whole, was changed, or was made for another authenticator, provider or client; the detail says which. The answer takes it away, so that the next visit leads to login.",
  },
  "session-too-large": {
    status: 500,
    grpc: "INTERNAL",
    title: "The session cannot be kept",
    fault: "us",
    meaning:
      "A login brought more than cookies may hold (19 KB sealed): many groups or a long refresh token. Map fewer claims, or keep sessions in memory (`session.store: memory`).",
  },
  "cross-site-request": {
    status: 403,
    grpc: "PERMISSION_DENIED",
    title: "The request comes from another site",
    fault: "caller",
    meaning:
      "A request that changes something, or opens a WebSocket, came on a session cookie without an `Origin` or `Sec-Fetch-Site` that says it is from a page of the same origin.",
  },
  "logged-in": {
    status: 303,
    grpc: "OK",
    title: "Logged in",
    fault: "nobody",
    meaning: "A person came back from the provider, all checks held, and a session was begun.",
  },
  "logged-out": {
    status: 303,
    grpc: "OK",
    title: "Logged out",
    fault: "nobody",
    meaning:
      "A session was ended: by the person (`/.sallyport/logout`), or by the provider (back-channel).",
  },
  "login-begun": {
    status: 303,
    grpc: "OK",
    title: "Sent to the provider to log in",
    fault: "nobody",
    meaning: "A browser was sent to a provider, or was shown which ones there are.",
  },
  "login-refused": {
    status: 403,
    grpc: "PERMISSION_DENIED",
    title: "The provider did not log you in",
    fault: "caller",
    meaning:
      "The provider answered a login with an error (`access_denied`, …; the detail names it), or does not take the code or the refresh token (`invalid_grant`): used before, expired, revoked, another client's. Also where a logout at the provider, or a revocation, came before the session that the login would have begun.",
  },
  "unknown-login": {
    status: 400,
    grpc: "INVALID_ARGUMENT",
    title: "This login is not known here, is over, or was used already",
    fault: "caller",
    meaning:
      "A browser came back with a `state` for which it has no login under way: too late, a second time, in another browser, without our cookie; or somebody wants to log another person in as himself.",
  },
  "insufficient-login": {
    status: 403,
    grpc: "PERMISSION_DENIED",
    title: "The login is not as strong or as recent as was asked for",
    fault: "provider",
    meaning:
      "The provider was asked for an authentication context (`acr_values`) or a recent login (`max_age`), and answered with less. No session was begun; the one before stays.",
  },
  "login-loop": {
    status: 400,
    grpc: "INVALID_ARGUMENT",
    title: "Logging in does not help here",
    fault: "caller",
    meaning:
      "A browser has logged in several times within a minute and was sent to login again each time: it does not keep the session's cookie (blocked, or plain http to a name that is not localhost), or the route does not accept what the login gives.",
  },
  "invalid-return-address": {
    status: 400,
    grpc: "INVALID_ARGUMENT",
    title: "The address to return to after the login is not one of this proxy",
    fault: "caller",
    meaning:
      "`return` is not a path of this very host that leads to a route with a login. Addresses elsewhere are refused, so that no link can use a login to send people there.",
  },
  "wrong-issuer": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The answer comes from another provider",
    fault: "caller",
    meaning:
      "`iss` of an answer (RFC 9207), of an ID token or of a logout token is not the provider that was asked, or is absent though the provider says that it sends it: a mix-up.",
  },
  "wrong-nonce": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The ID token belongs to another login",
    fault: "caller",
    meaning: "`nonce` of the ID token is not that of the login that was begun.",
  },
  "wrong-token-hash": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The access token is not the one that the ID token names",
    fault: "provider",
    meaning: "`at_hash` of the ID token does not fit the access token beside it.",
  },
  "wrong-authorized-party": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The ID token was issued to another client",
    fault: "provider",
    meaning:
      "`azp` of the ID token is not our client, or is absent though `aud` names several (OpenID Connect Core section 3.1.3.7).",
  },
  "wrong-subject": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The provider speaks of two different people",
    fault: "provider",
    meaning:
      "`sub` of userinfo, or of the ID token that a refresh brought, is not that of the login's ID token.",
  },
  "invalid-provider-answer": {
    status: 502,
    grpc: "UNAVAILABLE",
    title: "The identity provider gave an answer that cannot be used",
    fault: "provider",
    meaning:
      "An answer of the provider is not what its specification says, or tells that this client is not set up there (`invalid_client`); the detail says which rule or code.",
  },
  "invalid-logout-token": {
    status: 400,
    grpc: "INVALID_ARGUMENT",
    title: "This is not a logout token",
    fault: "provider",
    meaning:
      "What came to `/.sallyport/backchannel-logout/` has no logout `events`, has a `nonce`, or does not say whose logout it is (OpenID Connect Back-Channel Logout section 2.6).",
  },
  "replayed-logout-token": {
    status: 400,
    grpc: "INVALID_ARGUMENT",
    title: "The logout token was used before",
    fault: "provider",
    meaning: "A logout token with this `jti` was taken already.",
  },
  "step-up-required": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "A stronger or more recent login is required",
    fault: "caller",
    meaning:
      "A policy asks for another authentication context or a more recent login than the credential has (RFC 9470); the challenge says which. A browser that goes to a page is sent to login.",
  },
  "invalid-token-request": {
    status: 400,
    grpc: "INVALID_ARGUMENT",
    title: "The token endpoint cannot make a key of this request",
    fault: "caller",
    meaning:
      "A request to `/.sallyport/token` or an endpoint beside it is not what OAuth 2.0 says (RFC 6749, RFC 8693, RFC 7523), names no service, or asks for more than what the key is to be derived from has. The answer's `error` is the RFC's, the detail says what is wrong.",
  },
  "invalid-client": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The client is not known, or is not who it says",
    fault: "caller",
    meaning:
      "Whoever asked at the token endpoint is no declared or registered client and nobody whom `authority.tokens.clients` knows, or its proof is wrong: the detail says which. It is told only `invalid_client`.",
  },
  "replayed-assertion": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The client's assertion was used before",
    fault: "caller",
    meaning:
      "A `client_assertion` with this `jti` was taken already (RFC 7523 section 3), or it was made before what remembers used ones was lost. It is made for one request.",
  },
  "inactive-token": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The token is not active",
    fault: "caller",
    meaning:
      "The token's provider, asked by introspection (RFC 7662) or TokenReview, says that it is not active.",
  },
  "unknown-credential": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The credential is not known",
    fault: "caller",
    meaning: "An API key that was never issued here, or was removed.",
  },
  "unbound-token": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The token has to be bound to its sender",
    fault: "caller",
    meaning:
      "The route says `confirmation: required`, and the token is bound to no key (DPoP) and to no certificate.",
  },
  "invalid-proof": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The proof of possession is not valid",
    fault: "caller",
    meaning:
      "The DPoP proof breaks a rule of RFC 9449 section 4.3: the detail says which. Or the scheme DPoP came with a token that is bound to no key.",
  },
  "replayed-proof": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The proof of possession was used before",
    fault: "caller",
    meaning: "A DPoP proof with this `jti` has been seen within its window.",
  },
  "stale-proof": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The proof of possession is out of its time",
    fault: "caller",
    meaning:
      "`iat` of the DPoP proof lies further back than `dpop.window`, or ahead by more than `dpop.clockSkew`; or the proof was made before what remembers used proofs was lost. A proof is made for one request: compare the caller's clock.",
  },
  "wrong-proof-key": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The token is bound to another key",
    fault: "caller",
    meaning:
      "The thumbprint (RFC 7638) of the key that made the DPoP proof is not `cnf.jkt` of the token: whoever calls may have found the token, and has not the key.",
  },
  "use-dpop-nonce": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The proof of possession needs our nonce",
    fault: "caller",
    meaning:
      "The DPoP proof has no `nonce`, or not one that is good now; `dpop-nonce` of the answer has one (RFC 9449 section 9).",
  },
  "wrong-certificate": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The token is bound to another certificate",
    fault: "caller",
    meaning:
      "`cnf.x5t#S256` of the token (RFC 8705 section 3) is not the certificate of the caller's connection.",
  },
  "wrong-identity": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The certificate is no identity that is accepted here",
    fault: "caller",
    meaning:
      "The certificate is verified and breaks a rule of the authenticator that is for it: no valid SPIFFE ID, a leaf that the X.509-SVID specification refuses, not signed by its own trust domain, a subject that no pattern fits. The detail says which.",
  },
  "missing-proof": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The token is bound to a key and needs a proof",
    fault: "caller",
    meaning:
      "The token has a `cnf` claim (RFC 7800) and came without the proof of possession that it asks for: a DPoP proof, or the certificate of the connection. Or `cnf` names what this proxy cannot check.",
  },
  "credential-revoked": {
    status: 401,
    grpc: "UNAUTHENTICATED",
    title: "The credential is revoked",
    fault: "caller",
    meaning:
      "A revocation names the credential, its subject, its authenticator or the service; the detail says which. What is issued after the cut-off of a `revoke` is good again, what a `block` names only when it is lifted.",
  },
  "outside-key": {
    status: 403,
    grpc: "PERMISSION_DENIED",
    title: "The key is not for this request",
    fault: "caller",
    meaning:
      "The credential is narrowed to some services, routes, methods or operations (`authorization_details`), and the request fits none of its entries; GET does not stand for HEAD. No policy was asked.",
  },
  "service-blocked": {
    status: 403,
    grpc: "PERMISSION_DENIED",
    title: "The service is blocked",
    fault: "caller",
    meaning: "A `block` by service keeps every caller out until it is lifted.",
  },
  "feed-stale": {
    status: 503,
    grpc: "UNAVAILABLE",
    title: "It cannot be known whether access was taken away",
    fault: "us",
    meaning:
      "The proxy has not heard from its authority within `authority.maxStaleness`, so a revocation may be missing and every request is refused. `/readyz` says since when; look at the authority, the network between, and both clocks.",
  },
  "identity-unavailable": {
    status: 503,
    grpc: "UNAVAILABLE",
    title: "The identity provider cannot be reached",
    fault: "provider",
    meaning:
      "No usable key set for the token's issuer: never fetched, or staler than its bound. For a login: the provider does not answer, or not in time; the detail says which request.",
  },
  "memory-unavailable": {
    status: 503,
    grpc: "UNAVAILABLE",
    title: "What proxies hold in common cannot be reached",
    fault: "us",
    meaning:
      "What remembers used DPoP proofs and ended sessions cannot be reached or has no room: the supervisor of the workers, or Redis (`shared.redis`). The log says which. Tokens without proofs are not affected. Also where a limit with `across: cluster` and `whenAway: refuse` cannot be counted.",
  },
  "missing-certificate": {
    status: 403,
    grpc: "PERMISSION_DENIED",
    title: "A client certificate is required",
    fault: "caller",
    meaning:
      "The listener has `clients: { mode: required }` and the caller presented no certificate in the TLS handshake. The connection was closed.",
  },
  "untrusted-certificate": {
    status: 403,
    grpc: "PERMISSION_DENIED",
    title: "The client certificate is not accepted",
    fault: "caller",
    meaning:
      "The caller's certificate leads to no authority in `clients.ca`, is not meant for clients, or cannot be read. It is refused with `mode: optional` too. The connection was closed.",
  },
  "certificate-expired": {
    status: 403,
    grpc: "PERMISSION_DENIED",
    title: "The client certificate is out of its time",
    fault: "caller",
    meaning:
      "The caller's certificate, or one that it rests on, is not valid yet or not any more; looked at on every request. The connection was closed.",
  },
  "certificate-revoked": {
    status: 403,
    grpc: "PERMISSION_DENIED",
    title: "The client certificate is revoked",
    fault: "caller",
    meaning:
      "A revocation list in `clients.crl` names the caller's certificate or one that it rests on; looked at on every request. The connection was closed.",
  },
  "revocation-unknown": {
    status: 503,
    grpc: "UNAVAILABLE",
    title: "It cannot be known whether the client certificate is revoked",
    fault: "us",
    meaning:
      "`clients.crl` has no revocation list of an authority that the certificate rests on, or the list is past its nextUpdate. Put a fresh list there; it is read without a restart.",
  },
  "too-many-failures": {
    status: 429,
    grpc: "RESOURCE_EXHAUSTED",
    title: "Too many failed credentials",
    fault: "caller",
    meaning: "The failed-verification budget of this address is spent; nothing was verified.",
  },
  "rate-limited": {
    status: 429,
    grpc: "RESOURCE_EXHAUSTED",
    title: "Too many requests",
    fault: "caller",
    meaning:
      "A rate limit of the route is reached, or more logins were begun from one address than one may begin; the detail names it. `retry-after` says when to ask again. What a policy denies never counts against it.",
  },
  "quota-exceeded": {
    status: 429,
    grpc: "RESOURCE_EXHAUSTED",
    title: "The quota of the plan is used up",
    fault: "caller",
    meaning:
      "The principal has used up the quota of its plan (`usage.plans`) in this hour, day or month; the detail says which part of it. `retry-after` says when the next period begins. What is refused so counts for nothing.",
  },
  "too-many-concurrent": {
    status: 429,
    grpc: "RESOURCE_EXHAUSTED",
    title: "Too many requests at the same time",
    fault: "caller",
    meaning:
      "As many requests of this caller are in flight as the route's concurrency limit allows; the detail names it.",
  },
  "no-permit": {
    status: 403,
    grpc: "PERMISSION_DENIED",
    title: "No policy permits this",
    fault: "caller",
    meaning: "No permit policy applied. The record names the inputs that were read.",
  },
  forbidden: {
    status: 403,
    grpc: "PERMISSION_DENIED",
    title: "A policy forbids this",
    fault: "caller",
    meaning: "At least one forbid policy applied; the record names it.",
  },
  "policy-error": {
    status: 403,
    grpc: "PERMISSION_DENIED",
    title: "The policies could not be evaluated",
    fault: "us",
    meaning: "A forbid policy failed during evaluation, which denies: it might have applied.",
  },
  "audit-unavailable": {
    status: 503,
    grpc: "UNAVAILABLE",
    title: "The request cannot be recorded now",
    fault: "us",
    meaning:
      "The audit log cannot be written (full, read-only, failing disk), so traffic is refused.",
  },
  "assertion-unavailable": {
    status: 503,
    grpc: "UNAVAILABLE",
    title: "The caller cannot be vouched for now",
    fault: "us",
    meaning:
      "The service is to be told who calls by a signed assertion, and there is no key that may sign one (`signing-unavailable`). Nothing was sent: a service that misses it would take the caller for nobody.",
  },
  "missing-egress-field": {
    status: 403,
    grpc: "PERMISSION_DENIED",
    title: "Callers of the sidecar have to send sallyport-egress: 1",
    fault: "caller",
    meaning:
      "A request came to a TCP listener of `egress` without the field `sallyport-egress: 1`. It is asked for so that no page in a browser can call services in this workload's name: a page cannot set it without being asked about first, which is refused. A Unix socket needs none.",
  },
  "key-refused": {
    status: 403,
    grpc: "PERMISSION_DENIED",
    title: "The authority gives this workload no key for the service",
    fault: "provider",
    meaning:
      "The token endpoint answered the sidecar with an error of OAuth (`access_denied`, `invalid_client`, `invalid_scope`, …; the detail and the log name it): no policy permits `issueKey`, access was taken away, or the authority does not know who we are. The authority has a record of its own. Nothing was sent to the service.",
  },
  "key-unavailable": {
    status: 503,
    grpc: "UNAVAILABLE",
    title: "No key for the service can be had now",
    fault: "provider",
    meaning:
      "The sidecar has no key that is still good, and the authority cannot be reached, is too slow, or answers what is no key; the detail and the log say which. Keys at hand serve until they expire. It asks again by itself, later and later. Nothing was sent to the service.",
  },
  overloaded: {
    status: 503,
    grpc: "UNAVAILABLE",
    title: "Too many requests at once",
    fault: "us",
    meaning:
      "A limit on connections, on requests in flight, or on bodies that are held because policies look into them is reached.",
  },
  "no-endpoint": {
    status: 503,
    grpc: "UNAVAILABLE",
    title: "No endpoint of the service is available",
    fault: "service",
    meaning:
      "Every endpoint is unhealthy or put out, or the service's name resolves to none. The log says since when; `sallyport_upstream_endpoints` shows how many are in which state.",
  },
  "upstream-unreachable": {
    status: 502,
    grpc: "UNAVAILABLE",
    title: "The service cannot be reached",
    fault: "service",
    meaning: "The connection to the service was refused, reset, or failed in its handshake.",
  },
  "upstream-tls": {
    status: 502,
    grpc: "UNAVAILABLE",
    title: "The service cannot be reached securely",
    fault: "service",
    meaning:
      "The TLS handshake with the service failed: its certificate is not trusted, expired, or for another name, or it refused ours. The log says which.",
  },
  "upstream-protocol": {
    status: 502,
    grpc: "UNAVAILABLE",
    title: "The service's answer is not valid HTTP",
    fault: "service",
    meaning:
      "The answer is ambiguous or breaks RFC 9112 or RFC 9113, or it was cut off within. Or it came in another version than the scheme of the endpoint says (HTTP/1.1 with `http:` and `https:`, HTTP/2 with `h2c:` and `h2:`), or a WebSocket was asked of an HTTP/2 service that takes none. The log says which.",
  },
  "upstream-body": {
    status: 502,
    grpc: "UNAVAILABLE",
    title: "The service's answer cannot be passed on",
    fault: "service",
    meaning:
      "The route changes JSON bodies of answers, and this one is of another type, has a content coding, is a part, is too large, is not JSON in one reading only, or has a value where a change needs an object. What a change was to remove is never passed on.",
  },
  "upstream-timeout": {
    status: 504,
    grpc: "DEADLINE_EXCEEDED",
    title: "The service did not answer in time",
    fault: "service",
    meaning: "Connecting, the response head, or the whole exchange took longer than allowed.",
  },
  "deadline-exceeded": {
    status: 504,
    grpc: "DEADLINE_EXCEEDED",
    title: "The deadline of the call has passed",
    fault: "caller",
    meaning:
      "A gRPC call went on for longer than its own `grpc-timeout`. The service was told that it is over; it may be slow, or the caller impatient.",
  },
  "caller-gone": {
    status: 499,
    grpc: "CANCELLED",
    title: "The caller went away",
    fault: "caller",
    meaning:
      "The caller closed or reset the connection before the answer was complete. Only in records.",
  },
  "upgrade-not-allowed": {
    status: 403,
    grpc: "PERMISSION_DENIED",
    title: "This upgrade is not allowed here",
    fault: "caller",
    meaning:
      "The request asks to switch to a protocol that the route does not list in `upgrades`, or that is never switched to.",
  },
  "invalid-upgrade": {
    status: 400,
    grpc: "INVALID_ARGUMENT",
    title: "The request is not a valid WebSocket handshake",
    fault: "caller",
    meaning:
      "The request asks for a WebSocket and breaks RFC 6455 section 4.2.1; the detail says how.",
  },
  "stream-lifetime": {
    status: 504,
    grpc: "DEADLINE_EXCEEDED",
    title: "The stream has reached its lifetime",
    fault: "service",
    meaning:
      "A streaming response or an upgraded connection went on for longer than the route's `lifetime`. Only in records.",
  },
  "stream-idle": {
    status: 504,
    grpc: "DEADLINE_EXCEEDED",
    title: "The stream was idle for too long",
    fault: "service",
    meaning:
      "No byte went through an upgraded connection for the route's `idleTimeout`. Only in records.",
  },
  "shutting-down": {
    status: 503,
    grpc: "UNAVAILABLE",
    title: "Shutting down",
    fault: "us",
    meaning: "The proxy is draining; try another replica.",
  },
  "internal-error": {
    status: 500,
    grpc: "INTERNAL",
    title: "Internal error",
    fault: "us",
    meaning: "A defect of ours. The gate denies on anything unexpected; the log has the cause.",
  },
} as const satisfies Record<string, ReasonInfo>;

/** A kebab-case code from the closed list. */
export type Reason = keyof typeof REASONS;

/**
 * Reasons of decisions that gave somebody something: a way through, a session begun or ended, an answer
 * about a key.
 */
export function isGranted(reason: Reason): boolean {
  return GRANTED.has(reason);
}

const GRANTED: ReadonlySet<Reason> = new Set<Reason>([
  "permitted",
  "logged-in",
  "logged-out",
  "client-answered",
]);

/** Whether the answer tells the caller in `www-authenticate` which credential would do. */
export function isChallenged(reason: Reason): boolean {
  return REASONS[reason].status === 401 || reason === "outside-key";
}

/** Status, title and meaning of a reason. */
export function reasonInfo(reason: Reason): ReasonInfo {
  return REASONS[reason];
}
