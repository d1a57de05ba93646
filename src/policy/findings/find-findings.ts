/** Looks for every finding of the catalogue, and holds what was found against what is accepted. */
import {
  acceptancesOf,
  acceptanceStale,
  acceptanceUnknown,
  acceptanceWithoutReason,
  type Acceptance,
  type Accepting,
} from "./acceptance.ts";
import { FINDING_CATALOGUE, FINDING_RULES } from "./catalogue.ts";
import type { Finding, FindingWords, Found } from "./finding.ts";
import { FindingSubject, type FindingSource } from "./subject.ts";

/** In the order of files and lines. Pure: it asks nobody, and knows no request. */
export function findFindings(source: FindingSource): readonly Finding[] {
  const subject = new FindingSubject(source);
  const accepting = acceptingOf(subject);
  const used = new Set<Accepting>();
  const findings: Finding[] = [];
  for (const rule of FINDING_RULES) {
    const ofRule = accepting.filter(({ finding, reason }) => finding === rule.id && reason !== "");
    for (const found of rule.find(subject)) {
      const by = acceptedBy(found, ofRule);
      for (const one of by.counting) used.add(one);
      findings.push(findingOf(rule, found, by.reason));
    }
  }
  return inOrder([...findings, ...aboutAcceptances(accepting, used)], source);
}

/** Whether the answer of `check` is no because of it. */
export function isUnaccepted({ severity, accepted }: Finding): boolean {
  return accepted === undefined && severity !== "note";
}

function acceptingOf(subject: FindingSubject): readonly Accepting[] {
  const { routes, services, accept } = subject.written;
  return [
    ...[...subject.policies, ...subject.unlinked].flatMap((policy) =>
      acceptancesOf(policy).map((one) => ({
        ...one,
        policy: policy.id,
        holds: ({ policies = [] }: Found) => policies.includes(policy.id),
      })),
    ),
    ...routes.flatMap((route) =>
      route.accept.map((one) => ({ ...one, holds: (found: Found) => found.route === route.name })),
    ),
    ...services.flatMap((service) =>
      service.accept.map((one) => ({
        ...one,
        holds: (found: Found) => found.service === service.name,
      })),
    ),
    ...accept.map((one: Acceptance) => ({
      ...one,
      holds: ({ of }: Found) => one.of === undefined || one.of === of,
    })),
  ];
}

interface AcceptedBy {
  /** Those that speak of it, whether or not they are enough. */
  readonly counting: readonly Accepting[];
  readonly reason: string | undefined;
}

/** By the configuration, or by every policy from which it follows: one of two cannot speak for the other. */
function acceptedBy(found: Found, accepting: readonly Accepting[]): AcceptedBy {
  const counting = accepting.filter(({ holds }) => holds(found));
  const written = counting.filter(({ policy }) => policy === undefined);
  const byPolicy = new Set(counting.map(({ policy }) => policy));
  const all = (found.policies ?? []).length > 0 && found.policies?.every((id) => byPolicy.has(id));
  const enough = written.length > 0 ? written : all === true ? counting : [];
  const reasons = [...new Set(enough.map(({ reason }) => reason))];
  return { counting, reason: reasons.length === 0 ? undefined : reasons.join("; ") };
}

function findingOf(
  words: FindingWords,
  { of, place, message, remedy = words.remedy }: Found,
  accepted: string | undefined,
): Finding {
  return { ...place, id: words.id, severity: words.severity, of, message, remedy, accepted };
}

function* aboutAcceptances(
  accepting: readonly Accepting[],
  used: ReadonlySet<Accepting>,
): Generator<Finding> {
  const known = new Set(FINDING_CATALOGUE.map(({ id }) => id));
  for (const one of accepting) {
    const { finding: id, reason, place } = one;
    const about = (words: FindingWords, message: string): Finding =>
      findingOf(words, { of: id, place, message }, undefined);
    if (!known.has(id)) yield about(acceptanceUnknown, `there is no finding called "${id}"`);
    else if (reason === "") {
      yield about(acceptanceWithoutReason, `"${id}" is accepted without a reason`);
    } else if (!used.has(one)) {
      yield about(acceptanceStale, `"${id}" is accepted here, and nothing of the kind is found`);
    }
  }
}

function inOrder(
  findings: readonly Finding[],
  { policies, unlinked }: FindingSource,
): readonly Finding[] {
  const files = new Map(
    [...new Set([...policies, ...unlinked].map(({ file }) => file))].map((file, at) => [file, at]),
  );
  // What is in the configuration stands before what is in the policies.
  const rank = ({ file }: Finding): number => files.get(file ?? "") ?? -1;
  return findings.toSorted(
    (a, b) =>
      rank(a) - rank(b) || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  );
}
