/** The options of TLS: certificates of a listener and whom it admits; how a service is verified. */
import { z } from "zod";
import { isTrustDomain, parseSpiffeId } from "../crypto/spiffe-id.ts";
import { WORKLOAD_API } from "../identity/spiffe/workload-api-options.ts";
import { nameSchema } from "../model/options.ts";

const fileSchema = z.string().min(1, "a path").max(4096);

const pairSchema = z.strictObject({
  certificate: fileSchema.describe(
    "PEM file: the certificate, then those of the authorities between it and the root.",
  ),
  key: fileSchema.describe(
    "PEM file with the certificate's private key, without a passphrase. Nobody else should be able to read it.",
  ),
});

const clientsSchema = z
  .strictObject({
    mode: z
      .enum(["optional", "required"])
      .describe(
        "required: a caller without a certificate is refused. optional: it passes, and one with a bad certificate is still refused.",
      ),
    ca: fileSchema
      .optional()
      .describe(
        "PEM file with the authorities that callers' certificates must lead to, roots included. Needed where `authenticators` is left out.",
      ),
    authenticators: z
      .array(nameSchema)
      .min(1, "at least one authenticator")
      .max(64, "at most 64 authenticators")
      .optional()
      .describe(
        "Authenticators of type mtls whose authorities count too: the bundles of their trust domains, or their `ca`. What they become while the listener is open is in force at once.",
      ),
    crl: fileSchema
      .optional()
      .describe(
        "File with revocation lists, PEM or DER, one of each authority that certificates rest on. A list that is missing or past its nextUpdate refuses its authority's certificates. Revocation is not looked at when left out, and never for what leads to an authority of an authenticator.",
      ),
  })
  .superRefine(({ ca, crl, authenticators }, context) => {
    if (ca !== undefined) return;
    if (authenticators === undefined) {
      context.addIssue({ code: "custom", message: "ca, or authenticators, or both" });
    }
    if (crl !== undefined) {
      const message = "crl is for the authorities in ca, and there are none";
      context.addIssue({ code: "custom", path: ["crl"], message });
    }
  });

const identitySchema = z.literal(WORKLOAD_API, "workload-api").optional();

/** `listeners[].tls`. */
export const listenerTlsSchema = z
  .strictObject({
    identity: identitySchema.describe(
      "`workload-api`, in place of certificate and key: the X.509-SVID that `workloadApi` brings, renewed without a restart. While there is none, or it has expired, connections are closed as they come and `/readyz` says why.",
    ),
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
  .superRefine(({ identity, certificate, key, certificates }, context) => {
    const issue = (message: string, path: string): void =>
      context.addIssue({ code: "custom", message, path: [path] });
    if (identity !== undefined) {
      const written = { certificate, key, certificates };
      for (const [name, value] of Object.entries(written)) {
        if (value !== undefined) issue("either identity, or certificate files", name);
      }
    } else if (certificates !== undefined) {
      if (certificate !== undefined)
        issue("either certificate and key, or certificates", "certificate");
      if (key !== undefined) issue("either certificate and key, or certificates", "key");
    } else if (certificate === undefined) {
      context.addIssue({ code: "custom", message: NO_PAIR });
    } else if (key === undefined) {
      context.addIssue({ code: "custom", message: NO_PAIR });
    }
  });

const spiffeIdSchema = z
  .string("a SPIFFE ID, such as spiffe://example.org/billing")
  .refine(
    (text) => (parseSpiffeId(text)?.path ?? "") !== "",
    "a SPIFFE ID with a path, such as spiffe://example.org/billing",
  );

/** `services.NAME.tls`. */
export const serviceTlsSchema = z
  .strictObject({
    identity: identitySchema.describe(
      "`workload-api`, in place of certificate and key: we show the X.509-SVID that `workloadApi` brings. While there is none, no connection to the service is opened.",
    ),
    serverId: z
      .union([spiffeIdSchema.transform((id) => [id]), z.array(spiffeIdSchema).min(1).max(32)])
      .optional()
      .describe(
        "SPIFFE ID that the service's X.509-SVID has to have, exactly, or a list of those that it may have. It is verified by the authorities of its own trust domain, which `workloadApi` brings, or by those in `ca`; names and addresses in it say nothing then.",
      ),
    serverTrustDomain: z
      .string()
      .refine(isTrustDomain, "a trust domain, such as example.org")
      .optional()
      .describe(
        "In place of serverId: any X.509-SVID of this trust domain is taken for the service's, so every workload in it can stand in for the service.",
      ),
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
  .superRefine((options, context) => {
    const issue = (message: string, path: string): void =>
      context.addIssue({ code: "custom", message, path: [path] });
    const { identity, certificate, key, serverId, serverTrustDomain, insecureSkipVerify } = options;
    if ((certificate === undefined) !== (key === undefined)) {
      context.addIssue({ code: "custom", message: "certificate and key, or neither" });
    }
    if (identity !== undefined && certificate !== undefined) {
      issue("either identity, or certificate and key", "identity");
    }
    if (serverId !== undefined && serverTrustDomain !== undefined) {
      issue("either serverId or serverTrustDomain", "serverTrustDomain");
    }
    if (insecureSkipVerify && (serverId !== undefined || serverTrustDomain !== undefined)) {
      issue("nobody's identity is looked at then; leave it out", "insecureSkipVerify");
    }
  });

const NO_PAIR = "certificate with its key, certificates, or identity";

export type ListenerTlsOptions = z.output<typeof listenerTlsSchema>;
export type ServiceTlsOptions = z.output<typeof serviceTlsSchema>;

export interface PairFiles {
  readonly certificate: string;
  readonly key: string;
}

/** The pairs of a listener however they were written; the first is the default. None: its identity comes from elsewhere. */
export function certificatePairs(options: ListenerTlsOptions): readonly PairFiles[] {
  const { identity, certificate, key, certificates } = options;
  if (identity !== undefined) return [];
  if (certificates !== undefined) return certificates;
  if (certificate === undefined || key === undefined) throw new TypeError("not checked");
  return [{ certificate, key }];
}

/** Every file of a listener that is looked at for changes. */
export function listenerTlsFiles(options: ListenerTlsOptions): string[] {
  const { clients } = options;
  const files = certificatePairs(options).flatMap(({ certificate, key }) => [certificate, key]);
  if (clients?.ca !== undefined) files.push(clients.ca);
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
            ...(clients.ca === undefined ? {} : { ca: map(clients.ca) }),
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
