/**
 * What a service is told about the caller: Forwarded (RFC 7239) and its older spellings.
 *
 * They are written from the connection alone, after everything that callers sent under these names
 * was stripped (identity-fields.ts); nothing is appended to what a caller claimed.
 */
export interface ForwardedSource {
  /** The peer's address, normalised; IPv6 without brackets. */
  readonly address: string;
  readonly scheme: "http" | "https";
  /** The canonical authority; empty for HTTP/1.0 without Host. */
  readonly authority: string;
}

/** Names and values to set: `forwarded`, `x-forwarded-for`, `-proto` and `-host`. */
export function forwardedFields(source: ForwardedSource): string[] {
  const { address, scheme, authority } = source;
  const fields = [
    "forwarded",
    forwarded(source),
    "x-forwarded-for",
    address,
    "x-forwarded-proto",
    scheme,
  ];
  if (authority !== "") fields.push("x-forwarded-host", authority);
  return fields;
}

/** Section 4: values that are not tokens are quoted, IPv6 addresses bracketed and quoted (section 6). */
function forwarded(source: ForwardedSource): string {
  const { address, scheme, authority } = source;
  const node = address.includes(":") ? `"[${address}]"` : address;
  const host = authority === "" ? "" : `;host=${quoted(authority)}`;
  return `for=${node}${host};proto=${scheme}`;
}

/** A canonical authority holds no quote and no backslash; only a port or an IPv6 literal needs quotes. */
function quoted(authority: string): string {
  return authority.includes(":") ? `"${authority}"` : authority;
}
