/** The options of TLS: certificates of a listener and whom it admits; how a service is verified. */
import { z } from "zod";

const fileSchema = z.string().min(1, "a path").max(4096);

const pairSchema = z.strictObject({
  certificate: fileSchema.describe(
    "PEM file: the certificate, then those of the authorities between it and the root.",
  ),
  key: fileSchema.describe(
    "PEM file with the certificate's private key, without a passphrase. Nobody else should be able to read it.",
  ),
});

const clientsSchema = z.strictObject({
  mode: z
    .enum(["optional", "required"])
    .describe(
      "required: a caller without a certificate is refused. optional: it passes, and one with a bad certificate is still refused.",
    ),
  ca: fileSchema.describe(
    "PEM file with the authorities that callers' certificates must lead to, roots included.",
  ),
  crl: fileSchema
    .optional()
    .describe(
      "File with revocation lists, PEM or DER, one of each authority that certificates rest on. A list that is missing or past its nextUpdate refuses its authority's certificates. Revocation is not looked at when left out.",
    ),
});

/** `listeners[].tls`. */
export const listenerTlsSchema = z
  .strictObject({
    certificate: pairSchema.shape.certificate.optional(),
    key: pairSchema.shape.key.optional(),
    certificates: z
      .array(pairSchema)
      .min(1, "at least one pair")
      .max(1024)
      .optional()
      .describe(
        "1 to 1024 pairs in place of certificate and key. The name that the caller asks for (SNI) picks one, by the DNS names in the certificates, exact ones before wildcards; the first pair serves all other callers.",
      ),
    minVersion: z
      .enum(["TLSv1.2", "TLSv1.3"])
      .default("TLSv1.2")
      .describe("Oldest version that is spoken, TLSv1.2 when left out."),
    clients: clientsSchema
      .optional()
      .describe(
        "Asks callers for a certificate. Sessions are not resumed then, so that each connection proves its own. Nobody is asked when left out.",
      ),
  })
  .superRefine(({ certificate, key, certificates }, context) => {
    const issue = (message: string, path: string): void =>
      context.addIssue({ code: "custom", message, path: [path] });
    if (certificates !== undefined) {
      if (certificate !== undefined)
        issue("either certificate and key, or certificates", "certificate");
      if (key !== undefined) issue("either certificate and key, or certificates", "key");
    } else if (certificate === undefined) {
      context.addIssue({ code: "custom", message: "certificate with its key, or certificates" });
    } else if (key === undefined) {
      context.addIssue({ code: "custom", message: "certificate with its key, or certificates" });
    }
  });

/** `services.NAME.tls`. */
export const serviceTlsSchema = z
  .strictObject({
    ca: fileSchema
      .optional()
      .describe(
        "PEM file with the authorities that the service's certificate must lead to. Those of the runtime (the public web) when left out.",
      ),
    serverName: z
      .string()
      .regex(/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/, "a DNS name")
      .optional()
      .describe(
        "Name that is asked for (SNI) and that the certificate must be for. The endpoint's host when left out.",
      ),
    certificate: fileSchema
      .optional()
      .describe(
        "PEM file with our own certificate for this service, with those between it and the root.",
      ),
    key: fileSchema.optional().describe("PEM file with the private key of `certificate`."),
    insecureSkipVerify: z
      .boolean()
      .default(false)
      .describe(
        "Takes any certificate from the service, so anybody on the way can read and change what passes. false when left out; true is warned about by check and at each start.",
      ),
  })
  .superRefine(({ certificate, key }, context) => {
    if ((certificate === undefined) === (key === undefined)) return;
    context.addIssue({ code: "custom", message: "certificate and key, or neither" });
  });

export type ListenerTlsOptions = z.output<typeof listenerTlsSchema>;
export type ServiceTlsOptions = z.output<typeof serviceTlsSchema>;

export interface PairFiles {
  readonly certificate: string;
  readonly key: string;
}

/** The pairs of a listener however they were written; the first is the default. */
export function certificatePairs(options: ListenerTlsOptions): readonly PairFiles[] {
  const { certificate, key, certificates } = options;
  if (certificates !== undefined) return certificates;
  if (certificate === undefined || key === undefined) throw new TypeError("not checked");
  return [{ certificate, key }];
}

/** Every file of a listener that is looked at for changes. */
export function listenerTlsFiles(options: ListenerTlsOptions): string[] {
  const { clients } = options;
  const files = certificatePairs(options).flatMap(({ certificate, key }) => [certificate, key]);
  if (clients !== undefined) files.push(clients.ca);
  if (clients?.crl !== undefined) files.push(clients.crl);
  return files;
}

/** The same of a service. */
export function serviceTlsFiles({ ca, certificate, key }: ServiceTlsOptions): string[] {
  return [ca, certificate, key].filter((file) => file !== undefined);
}

/** The same options with their files elsewhere: relative ones are resolved by who read them. */
export function mapListenerFiles(
  options: ListenerTlsOptions,
  map: (file: string) => string,
): ListenerTlsOptions {
  const { certificate, key, certificates, clients } = options;
  return {
    ...options,
    ...(certificate === undefined ? {} : { certificate: map(certificate) }),
    ...(key === undefined ? {} : { key: map(key) }),
    ...(certificates === undefined
      ? {}
      : {
          certificates: certificates.map((pair) => ({
            certificate: map(pair.certificate),
            key: map(pair.key),
          })),
        }),
    ...(clients === undefined
      ? {}
      : {
          clients: {
            ...clients,
            ca: map(clients.ca),
            ...(clients.crl === undefined ? {} : { crl: map(clients.crl) }),
          },
        }),
  };
}

export function mapServiceFiles(
  options: ServiceTlsOptions,
  map: (file: string) => string,
): ServiceTlsOptions {
  const { ca, certificate, key } = options;
  return {
    ...options,
    ...(ca === undefined ? {} : { ca: map(ca) }),
    ...(certificate === undefined ? {} : { certificate: map(certificate) }),
    ...(key === undefined ? {} : { key: map(key) }),
  };
}
