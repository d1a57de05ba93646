/**
 * What has changed between two sources of policies, policy by policy and word by word, for a review: what
 * was added, removed and changed, and in which of its parts. Comments, white space and places do not count as changes
 * of a policy. It judges nothing: what an answer becomes is what `sallyport replay` says.
 */
import type { Vocabulary } from "../../model/vocabulary.ts";
import type { LoadedPolicy } from "../load/load-policies.ts";
import type { PolicyFile, PolicySource } from "../policy-source.ts";
import { type DescribedPolicy, describePolicies } from "./describe-policy.ts";

/** One side: its policies passed every check. */
export interface DiffSide {
  readonly source: PolicySource;
  readonly policies: readonly LoadedPolicy[];
}

export interface PolicyChange {
  readonly id: string;
  /** Undefined where it was added. */
  readonly was: DescribedPolicy | undefined;
  /** Undefined where it was removed. */
  readonly is: DescribedPolicy | undefined;
  /** Of one that is on both sides: what differs. */
  readonly parts: readonly PolicyPart[];
}

export type PolicyPart = "effect" | "who" | "what" | "where" | "conditions" | "annotations";

export interface LineChange {
  readonly file: string;
  readonly removed: readonly string[];
  readonly added: readonly string[];
}

export interface WordChange {
  readonly kind: "authenticator" | "service" | "route" | "admin";
  readonly name: string;
  readonly change: "added" | "removed" | "changed";
}

export interface BundleDiff {
  readonly policies: readonly PolicyChange[];
  /** Policies that are on both sides and say the same. */
  readonly same: number;
  /** Lines of data files that are on one side only. */
  readonly data: readonly LineChange[];
  /** What policies could speak of. */
  readonly words: readonly WordChange[];
}

export function diffBundles(from: DiffSide, to: DiffSide): BundleDiff {
  const was = byId(from);
  const is = byId(to);
  const policies: PolicyChange[] = [];
  let same = 0;
  for (const id of [...new Set([...was.keys(), ...is.keys()])].toSorted()) {
    const change = { id, was: was.get(id), is: is.get(id) };
    const parts = differing(change.was, change.is);
    if (change.was !== undefined && change.is !== undefined && parts.length === 0) same += 1;
    else policies.push({ ...change, parts });
  }
  return {
    policies,
    same,
    data: diffData(from.source.files, to.source.files),
    words: diffWords(from.source.vocabulary, to.source.vocabulary),
  };
}

export function isSame({ policies, data, words }: BundleDiff): boolean {
  return policies.length === 0 && data.length === 0 && words.length === 0;
}

function byId({ source, policies }: DiffSide): ReadonlyMap<string, DescribedPolicy> {
  return new Map(describePolicies(policies, source.files).map((policy) => [policy.id, policy]));
}

const PARTS: readonly PolicyPart[] = [
  "effect",
  "who",
  "what",
  "where",
  "conditions",
  "annotations",
];

function differing(
  was: DescribedPolicy | undefined,
  is: DescribedPolicy | undefined,
): PolicyPart[] {
  if (was === undefined || is === undefined) return [];
  return PARTS.filter((part) => sorted(was[part]) !== sorted(is[part]));
}

function diffData(was: readonly PolicyFile[], is: readonly PolicyFile[]): LineChange[] {
  const before = linesOf(was);
  const after = linesOf(is);
  const changes: LineChange[] = [];
  for (const file of [...new Set([...before.keys(), ...after.keys()])].toSorted()) {
    const removed = without(before.get(file) ?? [], after.get(file) ?? []);
    const added = without(after.get(file) ?? [], before.get(file) ?? []);
    if (removed.length + added.length > 0) changes.push({ file, removed, added });
  }
  return changes;
}

function linesOf(files: readonly PolicyFile[]): ReadonlyMap<string, readonly string[]> {
  return new Map(
    files
      .filter(({ name }) => !name.endsWith(".cedar"))
      .map(({ name, text }) => [name, text.split("\n").filter((line) => line.trim() !== "")]),
  );
}

/** Lines of one that the other does not have, as often as it does not have them. */
function without(lines: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const line of others) left.set(line, (left.get(line) ?? 0) + 1);
  return lines.filter((line) => {
    const count = left.get(line) ?? 0;
    if (count > 0) left.set(line, count - 1);
    return count === 0;
  });
}

const WORDS = [
  ["authenticator", "authenticators"],
  ["service", "services"],
  ["route", "routes"],
] as const;

function diffWords(was: Vocabulary, is: Vocabulary): WordChange[] {
  const changes: WordChange[] = [];
  for (const [kind, member] of WORDS) {
    const before = named(was[member]);
    const after = named(is[member]);
    for (const name of [...new Set([...before.keys(), ...after.keys()])].toSorted()) {
      const change = changeOf(before.get(name), after.get(name));
      if (change !== undefined) changes.push({ kind, name, change });
    }
  }
  const admin = changeOf(textOf(was.admin), textOf(is.admin));
  if (admin !== undefined) changes.push({ kind: "admin", name: "api", change: admin });
  return changes;
}

function named(words: readonly { readonly name: string }[]): ReadonlyMap<string, string> {
  return new Map(words.map((word) => [word.name, sorted(word)]));
}

function textOf(value: unknown): string | undefined {
  return value === undefined ? undefined : sorted(value);
}

function changeOf(
  was: string | undefined,
  is: string | undefined,
): WordChange["change"] | undefined {
  if (was === is) return undefined;
  if (was === undefined) return "added";
  return is === undefined ? "removed" : "changed";
}

/** The same text for the same value, whatever the order of its members. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_name, one: unknown) => {
    if (typeof one === "bigint") return `${String(one)}n`;
    if (typeof one !== "object" || one === null || Array.isArray(one)) return one;
    return Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}
