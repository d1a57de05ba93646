/** What is the same of every TLS connection of ours, to callers and to services. */

/**
 * Authenticated encryption and forward secrecy only (RFC 9325 section 4.2). TLS 1.2 without
 * extended key exchange by RSA and without CBC; TLS 1.3 has nothing else.
 */
export const CIPHERS = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

/** What is spoken within TLS; who offers only something else is refused in the handshake (RFC 7301). */
export const PROTOCOLS: readonly string[] = ["http/1.1"];

/** The same where HTTP/2 is spoken too: of what the other side offers, the first of these is taken. */
export const PROTOCOLS_WITH_HTTP2: readonly string[] = ["h2", "http/1.1"];
