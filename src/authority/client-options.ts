/**
 * `authority.clients`: programs that get keys at the token endpoint and have no identity of a configured
 * authenticator, as the configuration declares them: how each proves who it is, and what it is to
 * policies. Others are registered with the authority while it runs.
 */
import { z } from "zod";
import { grantShape } from "../identity/claims/static-principal-options.ts";
import { clientIdSchema } from "../model/clients.ts";

const LIMITS = {
  /** Each is read at start and kept in memory; more belong into the register. */
  clients: 1000,
  /** Of one client: what takes the place of another, and that other. */
  certificates: 16,
  chars: 4096,
} as const;

/** `x5t#S256` of RFC 8705: 32 bytes. */
export const CERTIFICATE_THUMBPRINT = /^[A-Za-z0-9_-]{43}$/;

const certificateSchema = z
  .string()
  .max(LIMITS.chars)
  .regex(
    /^(?:file:.+|[A-Za-z0-9_-]{43})$/,
    "file:PATH of a certificate in PEM, or its SHA-256 thumbprint in base64url (43 characters)",
  );

export const clientSchema = z
  .strictObject({
    keys: z
      .string("file:PATH of a JWK Set with public keys")
      .max(LIMITS.chars)
      .regex(/^file:.+$/, "file:PATH of a JWK Set with public keys")
      .optional()
      .describe(
        "`file:PATH` of a JWK Set (RFC 7517) with the client's public keys, for `private_key_jwt` (RFC 7523). Two while one takes the other's place. A private key in it is refused.",
      ),
    certificates: z
      .array(certificateSchema, "a list of thumbprints and file:PATH")
      .min(1, "at least one")
      .max(LIMITS.certificates, `at most ${LIMITS.certificates}`)
      .readonly()
      .optional()
      .describe(
        "1 to 16 certificates that it shows at the token endpoint (mutual TLS, RFC 8705): `file:PATH` of a PEM file, or the SHA-256 thumbprint in base64url, as `x5t#S256`. A private key in the file is refused.",
      ),
    insecureSecret: z
      .string()
      .min(1)
      .max(LIMITS.chars)
      .optional()
      .describe(
        "A client secret, `${env:NAME}` or `${file:path}`, of 32 characters or more: for clients that can do nothing better. Whoever sees it once is the client until it is changed. `check` and the log at start say so.",
      ),
    ...grantShape,
    roles: grantShape.roles.describe('What it is in policies: `Sallyport::Role::"<role>"`.'),
    groups: grantShape.groups.describe(
      'What it is in policies: `Sallyport::Group::"<authenticator>/<group>"`, of the authenticator of type `sallyport`.',
    ),
    attributes: grantShape.attributes.describe(
      "Values of the attributes that the authenticator of type `sallyport` declares in `principal.attributes`.",
    ),
  })
  .refine(
    ({ keys, certificates, insecureSecret }) =>
      (keys ?? certificates ?? insecureSecret) !== undefined,
    "keys, certificates or insecureSecret: otherwise it could not prove who it is",
  )
  .readonly();

export const clientsSchema = z
  .record(clientIdSchema, clientSchema)
  .refine(
    (all) => Object.keys(all).length <= LIMITS.clients,
    `at most ${LIMITS.clients}; others with \`sallyport clients create\``,
  )
  .readonly();

/** Checked. */
export type ClientOptions = z.output<typeof clientSchema>;
export type ClientsOptions = z.output<typeof clientsSchema>;

const FILE = "file:";

/** The path in `file:PATH`; undefined for what is no file. */
export function clientFile(value: string): string | undefined {
  return value.startsWith(FILE) ? value.slice(FILE.length) : undefined;
}

/** The same with each path of a file as `change` makes it. */
export function mapClientFiles(
  clients: ClientsOptions,
  change: (file: string) => string,
): ClientsOptions {
  const mapped = (value: string): string => {
    const file = clientFile(value);
    return file === undefined ? value : FILE + change(file);
  };
  return Object.fromEntries(
    Object.entries(clients).map(([id, { keys, certificates, ...rest }]) => [
      id,
      {
        ...rest,
        ...(keys === undefined ? {} : { keys: mapped(keys) }),
        ...(certificates === undefined ? {} : { certificates: certificates.map(mapped) }),
      },
    ]),
  );
}
