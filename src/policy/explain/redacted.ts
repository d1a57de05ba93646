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

/** Members that policies can look at and that are keyed hashes; none: it can be evaluated again. */
export function hiddenFacts({
  redacted = [],
}: {
  readonly redacted?: readonly string[] | undefined;
}): readonly string[] {
  return redacted.filter((name) => !UNSEEN.has(name));
}
