/**
 * Names the metadata of a resource in the challenge of a 401 (RFC 9728 section 5.1), as a parameter of its
 * first scheme: a client that understands it reads it wherever it stands.
 */

/** The challenge as it is where there is nothing to name. */
export function withResourceMetadata(
  challenge: string | undefined,
  url: string | undefined,
): string | undefined {
  // What would need an escape is not named: many readers know none.
  if (challenge === undefined || url === undefined || !/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(url)) {
    return challenge;
  }
  const parameter = `resource_metadata="${url}"`;
  const scheme = /^[A-Za-z]+/.exec(challenge)?.[0] ?? "";
  const rest = challenge.slice(scheme.length).trimStart();
  return rest === "" ? `${scheme} ${parameter}` : `${scheme} ${parameter}, ${rest}`;
}
