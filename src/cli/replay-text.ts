/** What `sallyport replay` found, for people. */
import type { ReplayGroup, ReplayList, ReplayReport } from "../policy/replay/replay.ts";
import type { ReadCounts } from "./recorded-decisions.ts";
import { plain, table } from "./table.ts";

/** All that is said about a replay. */
export interface ReplayResult extends ReplayReport {
  /** Of the policies that were evaluated. */
  readonly bundle: string;
  readonly read: ReadCounts;
  readonly seconds: number;
}

const LIMITS = {
  /** Groups of a list; `--format json` has all. */
  shown: 100,
  /** Redacted members; `--format json` has all. */
  members: 20,
} as const;

export function replayText(result: ReplayResult): string {
  const { decisions, same, wouldDeny, wouldPermit, uncertain, bundle, read, seconds } = result;
  const rate = Math.round(read.records / Math.max(seconds, 0.001));
  return [
    `${count(decisions, "decision")} of ${count(read.files, "file")} by ${bundle}\n`,
    list("permitted, would be denied", wouldDeny),
    list("denied, would be permitted", wouldPermit),
    list("uncertain, since the record does not have what it depends on", uncertain),
    leftOut(result),
    redacted(result),
    saysNothing(result)
      ? "NOTHING WAS COMPARED: what policies can look at is redacted in the log (audit.redact)\n"
      : `the same answer: ${same}\n`,
    read.faults === 0 ? "" : `no records: ${read.faults} (${plain(read.firstFault ?? "")})\n`,
    `${count(read.records, "record")} in ${seconds.toFixed(2)} s, ${rate} a second\n`,
  ].join("");
}

/** Whether no record was evaluated, because of what is redacted in them: that nothing flips is no answer then. */
export function saysNothing(result: ReplayReport): boolean {
  const { leftOut: reasons, same, wouldDeny, wouldPermit, uncertain } = result;
  const compared = same + wouldDeny.count + wouldPermit.count + uncertain.count;
  return compared === 0 && (reasons["redacted"] ?? 0) > 0;
}

function list(title: string, { count: total, groups, beyond }: ReplayList): string {
  if (total === 0) return `${title}: none\n`;
  const shown = groups.slice(0, LIMITS.shown);
  const more = total - beyond - shown.reduce((sum, group) => sum + group.count, 0) + beyond;
  const rest = more === 0 ? "" : `  and ${count(more, "decision")} of others: --format json\n`;
  return `${title}: ${total}\n${table(shown.map(row))}${rest}`;
}

function row(group: ReplayGroup): readonly string[] {
  const { principal, action, route, example, reason, determining, dependsOn } = group;
  const why = reason === undefined ? dependsOn.join(", ") : [reason, ...determining].join(" ");
  return [`  ${group.count}x`, plain(principal), action, route, plain(why), `e.g. ${example}`];
}

function leftOut({ leftOut: reasons }: ReplayResult): string {
  const entries = Object.entries(reasons).filter(([reason]) => reason !== "redacted");
  if (entries.length === 0) return "";
  const total = entries.reduce((sum, [, times]) => sum + times, 0);
  return `left out, since no policy decided: ${total} (${timesOf(entries)})\n`;
}

function redacted({ leftOut: reasons, redacted: members }: ReplayResult): string {
  const total = reasons["redacted"] ?? 0;
  if (total === 0) return "";
  const entries = Object.entries(members);
  const more = entries.length > LIMITS.members ? ", …" : "";
  const each = timesOf(entries.slice(0, LIMITS.members)) + more;
  return `left out, since policies can look at what is redacted: ${total} (${each})\n`;
}

function timesOf(entries: readonly [string, number][]): string {
  return entries.map(([name, times]) => `${plain(name)} ${times}`).join(", ");
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
