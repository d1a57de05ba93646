/**
 * Plain certificates: which of them an authenticator is for, by patterns of their names, and which name
 * becomes the principal's.
 *
 * Refuses where that name is missing or not the only one: of two names that could be meant, the
 * certificate's maker would choose. A DNS name with a star names many, so it is nobody's.
 */
import type { Certificate } from "../crypto/certificate.ts";
import { commonNames } from "../crypto/x509-name.ts";
import type { Principal } from "../model/principal.ts";
import { type CertificateRule, type MtlsOptions, namePatterns } from "./mtls-options.ts";
import { compileNamePattern, type NameKind } from "./claims/name-pattern.ts";
import { type Fitting, staticPrincipal } from "./claims/static-principal.ts";

const LIMITS = {
  /** Of the name of a principal, as other authenticators have it. */
  subjectChars: 512,
} as const;

// Control characters in a name would break log lines and look like another name on a screen.
// oxlint-disable-next-line no-control-regex -- they are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

export interface PlainMatch {
  /** Whether an entry fits. */
  claims(leaf: Certificate): boolean;
  /** The principal, or for the operator why there is none. */
  principal(leaf: Certificate): Principal | { readonly detail: string };
}

export function createPlainMatch(
  authenticator: string,
  options: MtlsOptions["principal"],
  match: readonly CertificateRule[],
): PlainMatch {
  const rules = match.map((grant) => ({
    grant,
    patterns: namePatterns(grant).map(({ kind, text }) => ({
      kind,
      pattern: compileNamePattern(kind, text),
    })),
  }));
  const { subject: kind = "subject" } = options;

  /** The entries that fit, and of each kind the names that their patterns fit. */
  function look(leaf: Certificate) {
    const fitting: Fitting[] = [];
    const fitted = new Map<NameKind, Set<string>>();
    for (const { grant, patterns } of rules) {
      const found = patterns.map(({ kind: of, pattern }) => ({
        of,
        names: namesOf(leaf, of).filter((name) => pattern.fits(name)),
      }));
      if (found.some(({ names }) => names.length === 0)) continue;
      fitting.push({ grant, caught: NOTHING });
      for (const { of, names } of found) {
        fitted.set(of, new Set([...(fitted.get(of) ?? []), ...names]));
      }
    }
    return { fitting, fitted };
  }

  return {
    claims: (leaf) => look(leaf).fitting.length > 0,
    principal(leaf) {
      const { fitting, fitted } = look(leaf);
      const names = [...(fitted.get(kind) ?? new Set(namesOf(leaf, kind)))];
      const [subject] = names;
      if (subject === undefined) return { detail: `it has no ${kind} to name the principal` };
      if (names.length > 1) return { detail: `more than one ${kind} could name the principal` };
      if (subject === "" || subject.length > LIMITS.subjectChars || CONTROL.test(subject)) {
        return { detail: `its ${kind} is not a name` };
      }
      return staticPrincipal({ authenticator, subject }, options, fitting);
    },
  };
}

function namesOf(leaf: Certificate, kind: NameKind): readonly string[] {
  const { subject, subjectDer, extensions } = leaf;
  if (kind === "dns") return extensions.dnsNames.filter((name) => !name.includes("*"));
  if (kind === "uri") return extensions.uris;
  if (kind === "email") return extensions.emails;
  if (kind === "subject") return subject === "" ? [] : [subject];
  const found = commonNames(subjectDer);
  return found.length === 1 ? found : [];
}

const NOTHING: ReadonlyMap<string, string> = new Map();
