/** Who we are to a provider that we ask something, and how we prove it (RFC 6749 section 2.3). */
import { z } from "zod";

const LIMITS = { chars: 1024, path: 4096 } as const;

const textSchema = z.string().min(1).max(LIMITS.chars);
const fileSchema = z.string().min(1, "a path").max(LIMITS.path);

export const CLIENT_METHODS = [
  "client_secret_basic",
  "client_secret_post",
  "private_key_jwt",
  "tls_client_auth",
] as const;

export type ClientMethod = (typeof CLIENT_METHODS)[number];

/** What a method needs; of what another needs there must be nothing. */
const NEEDS: Readonly<Record<ClientMethod, (typeof PROOFS)[number]>> = {
  client_secret_basic: "secret",
  client_secret_post: "secret",
  private_key_jwt: "privateKey",
  tls_client_auth: "certificate",
};

const PROOFS = ["secret", "privateKey", "certificate"] as const;

export const clientSchema = z
  .strictObject({
    id: textSchema.describe("The client's id at the provider."),
    secret: textSchema
      .optional()
      .describe("Its secret: `${env:NAME}` or `${file:path}`, so that it does not stand here."),
    privateKey: fileSchema
      .optional()
      .describe(
        "PEM file with its private key, for `private_key_jwt` (RFC 7523): RSA (RS256), P-256, P-384, P-521 (ES256, ES384, ES512) or Ed25519 (EdDSA). Read again when it changes.",
      ),
    keyId: textSchema
      .optional()
      .describe("`kid` of that key, where the provider knows several of this client."),
    audience: textSchema
      .optional()
      .describe(
        "`aud` of what the key signs. The provider's issuer where it is configured, else the endpoint, when left out.",
      ),
    certificate: fileSchema
      .optional()
      .describe(
        "PEM file with its certificate, for `tls_client_auth` (RFC 8705 section 2), with those between it and the root. Read again when it changes.",
      ),
    key: fileSchema.optional().describe("PEM file with the private key of `certificate`."),
    method: z
      .enum(CLIENT_METHODS)
      .optional()
      .describe(
        "How it proves who it is. By what is there when left out: a secret goes as client_secret_basic.",
      ),
  })
  .superRefine((client, context) => {
    const issue = (path: string, message: string): void =>
      context.addIssue({ code: "custom", path: [path], message });
    const given = PROOFS.filter((name) => client[name] !== undefined);
    if ((client.certificate === undefined) !== (client.key === undefined)) {
      issue(client.key === undefined ? "key" : "certificate", "certificate and key, or neither");
    }
    if (client.method === undefined && given.length !== 1) {
      const message = "exactly one of secret, privateKey, or certificate with key";
      context.addIssue({ code: "custom", message });
      return;
    }
    const method = clientMethod(client);
    for (const name of PROOFS) {
      const needed = NEEDS[method] === name;
      if (needed === given.includes(name)) continue;
      issue(
        name,
        needed ? `${name}, which ${method} needs` : `no ${name}, which ${method} does not use`,
      );
    }
    for (const name of ["keyId", "audience"] as const) {
      if (client[name] !== undefined && method !== "private_key_jwt") {
        issue(name, `no ${name}, which only private_key_jwt uses`);
      }
    }
  })
  .readonly();

export type ClientOptions = z.output<typeof clientSchema>;

/** How a client proves who it is: as it says, or by what is there. */
export function clientMethod(
  client: Pick<ClientOptions, "method" | "secret" | "privateKey">,
): ClientMethod {
  if (client.method !== undefined) return client.method;
  if (client.secret !== undefined) return "client_secret_basic";
  return client.privateKey === undefined ? "tls_client_auth" : "private_key_jwt";
}

export function mapClientFiles(
  client: ClientOptions,
  change: (file: string) => string,
): ClientOptions {
  const { privateKey, certificate, key } = client;
  return {
    ...client,
    ...(privateKey === undefined ? {} : { privateKey: change(privateKey) }),
    ...(certificate === undefined ? {} : { certificate: change(certificate) }),
    ...(key === undefined ? {} : { key: change(key) }),
  };
}
