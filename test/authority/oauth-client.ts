/**
 * `openid-client`, a library that we did not write, as clients of the token endpoint use it: over TLS to an
 * address that is not the one that its URLs name, with a certificate of the caller where one is given.
 */
import { request } from "node:https";
import * as client from "openid-client";
import type { TestCertificate } from "../certificates.ts";

export interface Reaching {
  /** `host:port` of the listener. */
  readonly address: string;
  /** Authorities of its certificate, PEM. */
  readonly ca: string;
  readonly certificate?: TestCertificate | undefined;
}

/** Discovers the server as a client finds it (RFC 8414), and speaks to it as this client from then on. */
export async function discover(
  issuer: string,
  id: string,
  given: { readonly auth?: client.ClientAuth; readonly reaching: Reaching },
): Promise<client.Configuration> {
  return await client.discovery(new URL(issuer), id, undefined, given.auth, {
    algorithm: "oauth2",
    [client.customFetch]: fetchOver(given.reaching),
  });
}

/** As `fetch`, as far as the library needs it. */
export function fetchOver({ address, ca, certificate }: Reaching): client.CustomFetch {
  const [host = "", port = ""] = address.split(":");
  return async (text, { method, headers, body }) => {
    const url = new URL(text);
    const bytes = body === undefined || body === null ? undefined : Buffer.from(textOf(body));
    const shown =
      certificate === undefined ? {} : { cert: certificate.chainPem, key: certificate.keyPem };
    return await new Promise<Response>((resolve, reject) => {
      const sent = request(
        {
          host,
          port,
          ca,
          servername: url.hostname,
          method,
          path: url.pathname + url.search,
          headers: {
            ...headers,
            host: url.host,
            ...(bytes === undefined ? {} : { "content-length": bytes.length }),
          },
          agent: false,
          ...shown,
        },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on("data", (chunk: Buffer) => chunks.push(chunk));
          answer.on("end", () => {
            const fields = Object.entries(answer.headers).flatMap(([name, value]) =>
              [value ?? []].flat().map((one): [string, string] => [name, one]),
            );
            const status = answer.statusCode ?? 0;
            const content = Buffer.concat(chunks);
            resolve(
              new Response(content.length === 0 ? null : content, { status, headers: fields }),
            );
          });
          answer.on("error", reject);
        },
      );
      sent.on("error", reject);
      sent.end(bytes);
    });
  };
}

function textOf(body: unknown): string {
  if (typeof body === "string") return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new TypeError("a body that is no form");
}
