/**
 * `assertions`: how services are told who calls where no authority says so. An authority brings its own
 * issuer and its own keys, so this has no place beside one.
 */
import { z } from "zod";
import { SIGNING_ALGORITHMS } from "../model/signing.ts";

export const assertionsSchema = z
  .strictObject({
    issuer: z
      .string()
      .max(4096)
      .refine(isIssuer, "an https: URL without '?' and '#'; http: only on loopback")
      .describe(
        "URL that assertions name as their issuer (`iss`), which services compare exactly. It must be no authenticator's.",
      ),
    algorithm: z
      .enum(SIGNING_ALGORITHMS)
      .default("EdDSA")
      .describe(
        "What they are signed with: `EdDSA` (Ed25519), or `ES256` for services that do not know it. EdDSA when left out.",
      ),
  })
  .readonly()
  .describe(
    "Who signs `x-sallyport-assertion` in a process without an authority: by a key that it makes when it starts. With `authority` the issuer is the authority's with `/assertions` behind it.",
  );

export type AssertionsOptions = z.output<typeof assertionsSchema>;

function isIssuer(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.username !== "" || url.password !== "") return false;
  if (/[?#]/.test(text)) return false;
  if (url.protocol === "https:") return true;
  const loopback = /^(?:localhost|\[::1\]|127(?:\.\d+){3})$/.test(url.hostname);
  return url.protocol === "http:" && loopback;
}
