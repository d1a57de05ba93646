/** The files that the `egress` section names. */
import { mapServiceFiles } from "../http/tls-options.ts";
import type { EgressOptions } from "./egress-options.ts";

/** The same options with their files elsewhere: relative ones are resolved by who read them. */
export function mapEgressFiles(
  options: EgressOptions,
  map: (file: string) => string,
): EgressOptions {
  const { authority, identity, listeners, allow } = options;
  const { certificate, key, tokenFile, privateKey } = identity;
  const { ca } = authority;
  return {
    ...options,
    authority: { ...authority, ...(ca === undefined ? {} : { ca: map(ca) }) },
    identity: {
      ...identity,
      ...(certificate === undefined ? {} : { certificate: map(certificate) }),
      ...(key === undefined ? {} : { key: map(key) }),
      ...(tokenFile === undefined ? {} : { tokenFile: map(tokenFile) }),
      ...(privateKey === undefined ? {} : { privateKey: map(privateKey) }),
    },
    listeners: listeners.map((listener) =>
      listener.socket === undefined ? listener : { ...listener, socket: map(listener.socket) },
    ),
    allow: Object.fromEntries(
      Object.entries(allow).map(([name, service]) => [
        name,
        service.tls === undefined
          ? service
          : { ...service, tls: mapServiceFiles(service.tls, map) },
      ]),
    ),
  };
}
