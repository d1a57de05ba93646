/**
 * Why an authority cannot be reached, and what to do about it: one text for the machine that enrols or
 * renews and for the one that follows the feed. The runtimes name the same fault differently, and the
 * messages of their TLS libraries say nothing to an operator, so a fault is told by its code alone.
 */

const NOT_TLS = "this port does not speak TLS; is it authority.serve?";
const CLOSED =
  "the connection was closed; is it authority.serve, and is a balancer or a firewall in between?";
const NO_ROUTE = "it cannot be reached; look at the network and its firewalls";
const OLD_TLS =
  "it does not speak TLS 1.3; is it authority.serve, and does nothing in between end TLS?";
const UNTRUSTED =
  "its certificate is not by an authority that this machine trusts; after an emergency rotation of roots, the machine has to be enrolled anew (sallyport workloads re-enrol NAME, then sallyport enrol)";

const REMEDIES: ReadonlyMap<string, string> = new Map([
  [
    "ECONNREFUSED",
    "nothing listens there; is authority.serve in its configuration, and is it running?",
  ],
  ["ENOTFOUND", "its name is not known here; look at the name and at DNS"],
  ["EAI_AGAIN", "its name cannot be looked up now; look at DNS"],
  ["ETIMEDOUT", NO_ROUTE],
  ["EHOSTUNREACH", NO_ROUTE],
  ["ENETUNREACH", NO_ROUTE],
  ["ECONNRESET", CLOSED],
  ["EPIPE", CLOSED],
  // Of Bun, for a connection that ends before TLS does.
  ["ERR_SOCKET_CLOSED", CLOSED],
  ["ERR_SSL_WRONG_VERSION_NUMBER", NOT_TLS],
  ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", OLD_TLS],
  [
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "its certificate is for another name; reach it by one of authority.serve.names, or add this one there",
  ],
  ["IS_A_MACHINE", "it is an enrolled machine (a relay, perhaps) and no authority"],
  ["CERT_HAS_EXPIRED", "its certificate has expired, or this machine's clock is ahead"],
  ["CERT_NOT_YET_VALID", "its certificate is not valid yet: this machine's clock is behind"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", UNTRUSTED],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", UNTRUSTED],
  ["UNABLE_TO_GET_ISSUER_CERT", UNTRUSTED],
  ["SELF_SIGNED_CERT_IN_CHAIN", UNTRUSTED],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", UNTRUSTED],
  // The same key and name, and a signature of another one: roots that were replaced.
  ["CERT_SIGNATURE_FAILURE", UNTRUSTED],
]);

/** OpenSSL's reasons (openssl/sslerr.h), which Node gives all under EPROTO. */
const EPROTO_REASONS: readonly (readonly [RegExp, string])[] = [
  [/wrong version number|packet length too long|http request/i, "ERR_SSL_WRONG_VERSION_NUMBER"],
  [/alert protocol version/i, "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION"],
];

/** For an error of `node:https`. Nothing of its message is passed on. */
export function connectionFault(error: Error): string {
  const code = codeOf(error);
  if (code === undefined) return "the connection failed";
  const remedy = REMEDIES.get(code);
  return `the connection failed (${code})${remedy === undefined ? "" : `: ${remedy}`}`;
}

function codeOf(error: Error): string | undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined || !/^[A-Z0-9_]{1,64}$/.test(code)) return undefined;
  if (code !== "EPROTO") return code;
  return EPROTO_REASONS.find(([reason]) => reason.test(error.message))?.[1] ?? code;
}
