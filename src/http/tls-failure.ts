/** Tells what failed in TLS from what failed in the network, by the codes of either runtime. */

/** System errors (`ECONNREFUSED`); `EPROTO` is how Node says that a handshake failed. */
const SYSTEM = /^E(?!PROTO$)[A-Z0-9]+$/;

/** Verification codes (`CERT_HAS_EXPIRED`), and those of the TLS libraries and of node:tls. */
const TLS = /^(?:ERR_SSL_|ERR_TLS_|EPROTO$|[A-Z]+_)/;

export function isTlsFailure(error: Error): boolean {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (SYSTEM.test(code) || (code.startsWith("ERR_") && !/^ERR_(?:SSL|TLS)_/.test(code))) {
    return false;
  }
  return TLS.test(code);
}
