/**
 * Who is calling in plain fields: `x-sallyport-subject`, `-kind`, `-authenticator`, `-roles`, `-groups`,
 * `-scopes`, `-actor`. For services that nobody can reach but through here.
 *
 * A value is percent-encoded (RFC 3986 section 2.1) where it is not visible ASCII, at `%`, and in lists
 * at `,`: whatever an identity provider puts into a name, it stays one value of one field, and
 * whoever decodes it has exactly that name. Lists are divided by `,`.
 */
import type { IdentityField } from "../gate/identity-options.ts";
import type { CredentialFacts } from "../model/facts.ts";
import { principalId } from "../model/principal.ts";

export const PLAIN_LIMITS = {
  /** Characters of all values together: a service's head has to hold them, in 8 KiB as a rule. */
  chars: 8192,
} as const;

/** Appends the fields that have a value. Returns how many characters the values have. */
export function plainFields(
  facts: CredentialFacts,
  names: readonly IdentityField[],
  into: string[],
): number {
  let chars = 0;
  for (const name of names) {
    const value = VALUES[name](facts);
    if (value === "") continue;
    chars += value.length;
    into.push(`x-sallyport-${name}`, value);
  }
  return chars;
}

const VALUES: Readonly<Record<IdentityField, (facts: CredentialFacts) => string>> = {
  subject: ({ principal }) => encode(principalId(principal)),
  kind: ({ principal }) => principal.kind,
  authenticator: ({ principal }) => principal.authenticator,
  roles: ({ principal }) => list(principal.roles),
  groups: ({ principal }) => list(principal.groups),
  scopes: ({ scopes }) => list(scopes),
  actor: ({ actor }) =>
    actor === undefined ? "" : encode(`${actor.authenticator}/${actor.subject}`),
};

function list(items: readonly string[]): string {
  return items.map((item) => encode(item).replaceAll(",", "%2C")).join(",");
}

/** All but visible ASCII without `%`; a surrogate without its other half becomes U+FFFD, as UTF-8 has it. */
function encode(text: string): string {
  return text.toWellFormed().replace(/[^\x21-\x24\x26-\x7e]+/g, encodeURIComponent);
}
