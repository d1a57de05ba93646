/** What may stand in a log line: bounded texts without anything that looks like a secret. */

const LIMITS = {
  /** Characters of one value. */
  text: 2048,
  /** Errors in a chain of causes. */
  causes: 5,
} as const;

/** What must not be in a log, wherever a foreign error put it. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  // JWTs and JWEs (RFC 7515 section 7.1): the head of each begins with `{"`.
  [/\beyJ[\w-]{4,}(?:\.[\w-]*){0,4}/g, "[token]"],
  // Authorization values (RFC 9110 section 11.6.2).
  [/\b(Bearer|Basic|DPoP)\s+[\w.~+/=-]+/gi, "$1 [credential]"],
  // The userinfo of a URL (RFC 3986 section 3.2.1).
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, "$1[credential]@"],
  // Parameters of OAuth and their like, in URLs, form bodies and JSON.
  [
    /\b((?:access|refresh|id|subject|actor)_token|client_(?:secret|assertion)|passw(?:or)?d|api_?key)(["']?\s*[:=]\s*["']?)[^\s&"',}]+/gi,
    "$1$2[credential]",
  ],
  // In query strings only: elsewhere `code: 404` and the like is what an operator needs.
  [/([?&]|\b)(code|secret|token|sig|signature)=[^\s&"']+/gi, "$1$2=[credential]"],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, "[key]"],
];

/** The text, bounded, without what looks like a secret. */
export function redact(text: string): string {
  // Before the cut: half a token is still recognised, and a secret that the cut divides is not left.
  let clean = text.length > LIMITS.text * 4 ? text.slice(0, LIMITS.text * 4) : text;
  for (const [pattern, replacement] of SECRETS) clean = clean.replace(pattern, replacement);
  return clean.length > LIMITS.text ? `${clean.slice(0, LIMITS.text)}…` : clean;
}

/** Code, message and the messages of the causes; the stack only where it is asked for. */
export interface ErrorDescription {
  readonly name: string;
  readonly code?: string | number;
  readonly message: string;
  readonly causes?: readonly string[];
  readonly stack?: string;
}

export function describeError(error: Error, withStack: boolean): ErrorDescription {
  const causes: string[] = [];
  let cause = error.cause;
  while (cause !== undefined && causes.length < LIMITS.causes) {
    causes.push(cause instanceof Error ? redact(cause.message) : "not an error");
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  const code = "code" in error ? error.code : undefined;
  return {
    name: error.name,
    ...(typeof code === "string" || typeof code === "number" ? { code } : {}),
    message: redact(error.message),
    ...(causes.length > 0 ? { causes } : {}),
    ...(withStack && error.stack !== undefined ? { stack: redact(error.stack) } : {}),
  };
}
