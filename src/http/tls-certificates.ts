/** Which of a listener's certificates a caller is shown: by the name that it asks for (SNI). */
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import type { ServerPair } from "./tls-material.ts";

export interface CertificateChoice {
  /** What callers get that ask for no name or an unknown one; for the server itself. */
  readonly first: SecureContextOptions;
  /** Undefined stands for the first. */
  pick(serverName: string): SecureContext | undefined;
}

/** `shared`: what all contexts have in common. Without a pair no handshake comes to an end. */
export function chooseCertificates(
  pairs: readonly ServerPair[],
  shared: SecureContextOptions,
): CertificateChoice {
  const [first] = pairs;
  const optionsOf = ({ certificatePem, keyPem }: ServerPair): SecureContextOptions => ({
    ...shared,
    cert: certificatePem,
    key: keyPem,
  });
  const exact = new Map<string, SecureContext>();
  const wildcards = new Map<string, SecureContext>();
  for (const pair of pairs) {
    const context = createSecureContext(optionsOf(pair));
    for (const name of pair.leaf.extensions.dnsNames) {
      const [names, key] = name.startsWith("*.") ? [wildcards, name.slice(2)] : [exact, name];
      // Of two pairs with one name the first counts, as it does among all.
      if (!names.has(key)) names.set(key, context);
    }
  }
  return {
    first: first === undefined ? shared : optionsOf(first),
    pick(serverName) {
      const name = serverName.toLowerCase().replace(/\.$/, "");
      // A wildcard stands for one label (RFC 9525 section 6.3).
      return exact.get(name) ?? wildcards.get(name.slice(name.indexOf(".") + 1));
    },
  };
}
