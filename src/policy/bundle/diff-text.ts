/** A diff of policies as people read it in a terminal or a review. */
import type { BundleDiff, PolicyChange, PolicyPart } from "./diff-bundles.ts";
import type { DescribedPolicy } from "./describe-policy.ts";

/** Without a line end at its end. */
export function diffText({ policies, same, data, words }: BundleDiff): string {
  const of = (wanted: (change: PolicyChange) => boolean): string =>
    String(policies.filter(wanted).length);
  const lines = [
    `policies: ${of(({ was }) => was === undefined)} added, ` +
      `${of(({ is }) => is === undefined)} removed, ` +
      `${of(({ was, is }) => was !== undefined && is !== undefined)} changed, ${String(same)} as before`,
  ];
  for (const change of policies) lines.push("", ...changeLines(change));
  for (const { file, removed, added } of data) {
    lines.push("", `~ data ${file}`);
    lines.push(...removed.map((line) => `    - ${line}`), ...added.map((line) => `    + ${line}`));
  }
  if (words.length > 0) lines.push("");
  for (const { kind, name, change } of words) {
    lines.push(
      `${SIGNS[change]} ${kind} "${name}"${change === "changed" ? " has other words" : ""}`,
    );
  }
  return lines.join("\n");
}

const SIGNS = { added: "+", removed: "-", changed: "~" } as const;

function changeLines({ was, is, parts }: PolicyChange): string[] {
  if (was !== undefined && is !== undefined) {
    const differing = parts.flatMap((part) => partLines(part, was, is));
    return [headLine("~", is), ...differing];
  }
  const whole = is ?? was;
  if (whole === undefined) return [];
  return [
    headLine(is === undefined ? "-" : "+", whole),
    ...ALL.flatMap((part) => shown(part, whole)),
  ];
}

const ALL = ["who", "what", "where", "conditions", "annotations"] as const satisfies PolicyPart[];

function headLine(sign: string, { effect, id, file, line }: DescribedPolicy): string {
  return `${sign} ${effect} "${id}"  ${file}:${String(line)}`;
}

function shown(part: PolicyPart, policy: DescribedPolicy): string[] {
  return texts(part, policy).map((text) => `    ${label(part)}${text}`);
}

function partLines(part: PolicyPart, was: DescribedPolicy, is: DescribedPolicy): string[] {
  const before = texts(part, was);
  const after = texts(part, is);
  return [
    ...before.filter((text) => !after.includes(text)).map((text) => `    ${label(part)}- ${text}`),
    ...after.filter((text) => !before.includes(text)).map((text) => `    ${label(part)}+ ${text}`),
  ];
}

function texts(part: PolicyPart, policy: DescribedPolicy): readonly string[] {
  if (part === "conditions") return policy.conditions;
  if (part !== "annotations") return [policy[part]];
  return Object.entries(policy.annotations).map(
    ([name, value]) => `@${name}(${JSON.stringify(value)})`,
  );
}

function label(part: PolicyPart): string {
  return part === "conditions" || part === "annotations" ? "" : `${part.padEnd(6)} `;
}
