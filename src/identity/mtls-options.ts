/**
 * Options of an authenticator of type `mtls`: callers that are known by the certificate of their
 * connection. Either X.509-SVIDs of one SPIFFE trust domain, or plain certificates by their names.
 */
import { z } from "zod";
import { duration } from "../model/options.ts";
import type { VocabularyAuthenticator } from "../model/vocabulary.ts";
import { compileSpiffePath, whyNoPathPattern } from "./spiffe/spiffe-path.ts";
import { spiffePathSchema } from "./spiffe/spiffe-match.ts";
import {
  type Grant,
  grantProblems,
  grantShape,
  rulesOf,
  staticPrincipalShape,
  staticWords,
} from "./claims/static-principal-options.ts";
import { mapBundleFiles, trustBundleSchema, trustDomainSchema } from "./spiffe/trust-options.ts";

const LIMITS = {
  chars: 1024,
} as const;

const NAME_KINDS = ["dns", "uri", "email", "subject", "commonName"] as const;

const patternSchema = z
  .string()
  .min(1, "a pattern")
  .max(LIMITS.chars)
  .refine((text) => !text.includes("**"), "a pattern with single stars");

const ruleSchema = z
  .strictObject({
    path: spiffePathSchema.optional(),
    dns: patternSchema
      .optional()
      .describe("Pattern of a DNS name in the certificate; `*` for letters within a label."),
    uri: patternSchema
      .optional()
      .describe("Pattern of a URI in the certificate; `*` does not reach beyond `/ ? # : @`."),
    email: patternSchema
      .optional()
      .describe("Pattern of an e-mail address in the certificate; `*` does not reach beyond `@`."),
    subject: patternSchema
      .optional()
      .describe(
        "Pattern of the whole subject as RFC 4514 writes it (`CN=*,OU=devices,O=Example`); `*` does not reach into the next part.",
      ),
    commonName: patternSchema
      .optional()
      .describe("Pattern of the subject's common name, where it has exactly one."),
    ...grantShape,
  })
  .readonly();

export const mtlsOptionsSchema = z
  .strictObject({
    type: z
      .literal("mtls")
      .describe(
        "Certificates of connections: X.509-SVIDs of a trust domain, or plain ones by their names.",
      ),
    trustDomain: trustDomainSchema
      .optional()
      .describe(
        "SPIFFE: the trust domain whose X.509-SVIDs it is for, without `spiffe://`. Plain certificates when left out.",
      ),
    bundle: trustBundleSchema.optional(),
    ca: z
      .string()
      .min(1, "a path")
      .max(4096)
      .optional()
      .describe(
        "Plain certificates: PEM file with the authorities that they have to lead to, read again when it changes. Every authority of the listener when left out.",
      ),
    match: rulesOf(ruleSchema)
      .optional()
      .describe(
        "Which certificates it is for, and what policies are told of them. All patterns of an entry have to fit, and one entry is enough. SPIFFE: `path` alone, and every ID of the trust domain when left out. Plain certificates: one or more of dns, uri, email, subject and commonName.",
      ),
    principal: z
      .strictObject({
        ...staticPrincipalShape,
        subject: z
          .enum(NAME_KINDS)
          .optional()
          .describe(
            "Plain certificates: which name of the certificate becomes the principal's; subject when left out. Of several of a kind the one that its pattern fits. With SPIFFE it is the whole ID.",
          ),
      })
      .readonly()
      .prefault({})
      .describe("What policies see of those whom it knows."),
    maxLifetime: duration({ min: "1m", max: "400d" })
      .optional()
      .describe(
        "Certificates that are valid for longer than this are refused. Not looked at when left out.",
      ),
  })
  .superRefine((options, context) => {
    const issue = (path: readonly (string | number)[], message: string): void =>
      context.addIssue({ code: "custom", path: [...path], message });
    const { trustDomain, bundle, ca, match, principal } = options;
    if (trustDomain === undefined) {
      if (bundle !== undefined)
        issue(["bundle"], "only with trustDomain; ca for plain certificates");
      if (match === undefined) issue([], "trustDomain with bundle (SPIFFE), or match");
    } else {
      if (bundle === undefined) issue([], "trustDomain needs bundle");
      if (ca !== undefined) issue(["ca"], "only without trustDomain, which has its bundle");
      if (principal.subject !== undefined) {
        issue(["principal", "subject"], "only without trustDomain: it is the whole SPIFFE ID");
      }
    }
    for (const [index, rule] of (match ?? []).entries()) {
      for (const { at, message } of ruleProblems(rule, options)) {
        issue(["match", index, ...at], message);
      }
    }
  })
  .readonly();

export type MtlsOptions = z.output<typeof mtlsOptionsSchema>;
export type CertificateRule = z.output<typeof ruleSchema>;

/** Patterns of names that an entry has. */
export function namePatterns(
  rule: CertificateRule,
): readonly { readonly kind: (typeof NAME_KINDS)[number]; readonly text: string }[] {
  return NAME_KINDS.flatMap((kind) => {
    const text = rule[kind];
    return text === undefined ? [] : [{ kind, text }];
  });
}

function ruleProblems(
  rule: CertificateRule,
  { trustDomain, principal }: Pick<MtlsOptions, "trustDomain" | "principal">,
): readonly { readonly at: readonly string[]; readonly message: string }[] {
  const names = namePatterns(rule);
  const { path } = rule;
  const problems: { at: readonly string[]; message: string }[] = [];
  if (trustDomain === undefined) {
    if (path !== undefined) problems.push({ at: ["path"], message: "only with trustDomain" });
    else if (names.length === 0) {
      problems.push({ at: [], message: `one or more of ${NAME_KINDS.join(", ")}` });
    }
  } else {
    if (path === undefined) problems.push({ at: [], message: "path, the only pattern of SPIFFE" });
    for (const { kind } of names) {
      problems.push({ at: [kind], message: "only without trustDomain; path for SPIFFE IDs" });
    }
  }
  const caught =
    path === undefined || whyNoPathPattern(path) !== undefined ? [] : compileSpiffePath(path).names;
  for (const { name, message } of grantProblems(rule, principal.attributes, caught)) {
    problems.push({ at: ["attributes", name], message });
  }
  return problems;
}

/** The same options with their files elsewhere. */
export function mapMtlsFiles(options: MtlsOptions, change: (file: string) => string): MtlsOptions {
  const { bundle, ca } = options;
  return {
    ...options,
    ...(bundle === undefined ? {} : { bundle: mapBundleFiles(bundle, change) }),
    ...(ca === undefined ? {} : { ca: change(ca) }),
  };
}

export function mtlsWords({
  principal,
  match = [],
}: Pick<MtlsOptions, "principal"> & {
  readonly match?: readonly Grant[] | undefined;
}): Omit<VocabularyAuthenticator, "name"> {
  return staticWords(principal, match);
}
