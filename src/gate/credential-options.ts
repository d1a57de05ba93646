/**
 * What a service is told about who is calling: nothing, the caller's own credential, or a static one
 * of the service's own, for services that know no other. A static one lies in a file and never in the
 * configuration, is read when a snapshot is built, and goes nowhere but to the service.
 */
import { z } from "zod";
import { requestHeaderName } from "./header-options.ts";

const LIMITS = {
  /** Bytes of a secret file: a password or an API key. */
  file: 4096,
} as const;

const fileSchema = z.string().min(1, "the path of a file").max(4096);

const basicSchema = z.strictObject({
  basic: z
    .strictObject({
      username: z
        .string()
        .regex(/^[\x20-\x39\x3b-\x7e]{1,255}$/, "a name in visible ASCII without ':' (RFC 7617)")
        .describe("Name that the service knows the proxy by."),
      passwordFile: fileSchema.describe("File with the password; a line break at its end is cut."),
    })
    .describe("HTTP Basic authentication towards the service (RFC 7617)."),
});

const headerSchema = z.strictObject({
  header: z
    .strictObject({
      name: requestHeaderName
        .transform((name) => name.toLowerCase())
        .describe("Field that carries the credential, such as x-api-key or authorization."),
      valueFile: fileSchema.describe("File with the value; a line break at its end is cut."),
      prefix: z
        .string()
        .regex(/^[\x21-\x7e][\x20-\x7e]{0,63}$/, "visible ASCII, such as 'Bearer '")
        .default("")
        .describe("Stands before the value, such as `Bearer ` with its space."),
    })
    .describe("A static value in a header field."),
});

export const credentialsSchema = z.union(
  [z.enum(["strip", "forward"]), basicSchema, headerSchema],
  "strip, forward, { basic: … } or { header: … }",
);

export type CredentialsOptions = z.output<typeof credentialsSchema>;

/** The secret file that a route names, and under which keys. */
export function secretFileOf(
  options: CredentialsOptions,
): { readonly file: string; readonly path: readonly string[] } | undefined {
  if (typeof options === "string") return undefined;
  return "basic" in options
    ? { file: options.basic.passwordFile, path: ["credentials", "basic", "passwordFile"] }
    : { file: options.header.valueFile, path: ["credentials", "header", "valueFile"] };
}

/** Name of the field that a static credential goes into. */
export function credentialField(options: CredentialsOptions): string | undefined {
  if (typeof options === "string") return undefined;
  return "basic" in options ? "authorization" : options.header.name;
}

/** The field's value, or what is wrong with the file; never a part of it. */
export function credentialValue(
  options: Exclude<CredentialsOptions, string>,
  bytes: Uint8Array,
): { readonly value: string } | { readonly fault: string } {
  if (bytes.length > LIMITS.file) return { fault: `larger than ${LIMITS.file} bytes` };
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return { fault: "not UTF-8" };
  }
  const secret = text.replace(/\r?\n$/, "");
  if (secret === "") return { fault: "empty" };
  if ("basic" in options) {
    // RFC 7617 section 2: no control characters.
    if (/\p{Cc}/u.test(secret)) return { fault: "more than one line, or control characters" };
    const pair = Buffer.from(`${options.basic.username}:${secret}`, "utf8");
    return { value: `Basic ${pair.toString("base64")}` };
  }
  if (!/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(secret)) {
    return { fault: "more than one line, or other characters than visible ASCII" };
  }
  return { value: options.header.prefix + secret };
}
