/** Whether a record holds keyed hashes in place of what policies looked at: then nobody can ask again. */

/** Members that no policy sees. */
const UNSEEN: ReadonlySet<string> = new Set([
  "asked.by",
  "credentials",
  "detail",
  "key.ancestors",
  "key.clientId",
  "peerCertificate.serial",
  "peerCertificate.spiffeId",
  "peerCertificate.subject",
  "peerCertificate.thumbprint",
  "requestId",
]);

export function hidesFacts({
  redacted = [],
}: {
  readonly redacted?: readonly string[] | undefined;
}): boolean {
  return redacted.some((name) => !UNSEEN.has(name));
}
