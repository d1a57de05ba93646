/** What a server may ask proofs to hold (RFC 9449 section 8), and when that is no longer said. */

/** Section 8.1: `1*NQCHAR`. The bound is ours: what is longer would outgrow what a server takes of a request. */
const NONCE = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/;

/** Undefined where there is none, and where what is there is none that can be taken. */
export function readNonce(text: unknown): string | undefined {
  return typeof text === "string" && NONCE.test(text) ? text : undefined;
}

/** By which a server may refuse what the proof made of a request, and not ask for another. */
const REFUSED: ReadonlySet<number> = new Set([400, 431]);

/** What proofs are to hold after an answer, where `current` was what they held before it. */
export function nonceAfter(
  current: string | undefined,
  answer: { readonly status: number; readonly said: unknown },
): string | undefined {
  const next = readNonce(answer.said);
  return next ?? (REFUSED.has(answer.status) ? undefined : current);
}
