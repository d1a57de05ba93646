/** What `audit verify` says to a person. Names and times come from files that somebody else may have written. */
import {
  type Fault,
  FAULTS,
  type KeptFinding,
  type VerifyReport,
  type WitnessFinding,
} from "../audit/tree/verify/report.ts";
import { counted } from "./counted.ts";
import { plain } from "./table.ts";

const LIMITS = {
  /** Faults, files and the like that are listed. */
  listed: 20,
} as const;

export function ownKeyWarning(folder: string): string {
  return (
    `the key is the one in ${folder} itself: whoever wrote the folder could have made it too, so this proves ` +
    "nothing against them; with --key VKEY, as it was kept elsewhere, it does"
  );
}

export function verifyText(report: VerifyReport, seconds: number): string {
  const { faultCount, records, checkpoints } = report;
  const lines = [
    ...report.faults.slice(0, LIMITS.listed).map(faultText),
    ...(faultCount > LIMITS.listed ? [`… and ${faultCount - LIMITS.listed} further faults`] : []),
    ...sealedText(report),
    ...listed(report.torn, ({ segment, bytes }) => {
      return `torn: ${segment} ends with ${counted(bytes, "byte")} of a line without its end, which is no record`;
    }),
    ...listed(report.removed, ({ segment, records: removed }) => {
      return `removed: ${segment} with ${counted(removed, "record")}, as a record says; only their hashes are proven`;
    }),
    ...timesText(report),
    ...resumedText(report),
    unsealedText(report),
    ...report.kept.filter(({ holds }) => holds).map(keptText),
    ...report.witnesses.map((witness) => witnessText(witness, records)),
    `neither witnessed nor kept elsewhere, as far as was shown: ${report.unwitnessed} of ${counted(records, "sealed record")}`,
    verdict(faultCount, checkpoints),
    `${Math.round(records / Math.max(seconds, 0.001))} records/s`,
  ];
  return `${lines.map(plain).join("\n")}\n`;
}

function faultText(fault: Fault): string {
  const place = [
    fault.segment,
    fault.line === undefined ? undefined : `line ${fault.line}`,
    fault.byte === undefined ? undefined : `byte ${fault.byte}`,
    fault.leaf === undefined ? undefined : `leaf ${fault.leaf} of the tree (from 0)`,
    fault.decisionId === undefined ? undefined : `decision ${fault.decisionId}`,
  ].filter((part) => part !== undefined);
  const where = place.length === 0 ? "" : `${place.join(", ")}: `;
  return `FAULT ${fault.kind}: ${where}${FAULTS[fault.kind]}: ${fault.detail}`;
}

function sealedText(report: VerifyReport): string[] {
  if (report.checkpoints === 0) return ["nothing is sealed: there is no checkpoint"];
  return [
    `log ${report.origin}: ${counted(report.records, "record")} in ${counted(report.segments, "file")}, sealed by ${counted(report.checkpoints, "checkpoint")}, the last of ${report.time}`,
    `root ${report.root}`,
  ];
}

function unsealedText({ unsealed: { records, segments } }: VerifyReport): string {
  if (records === 0) return "not sealed yet: none";
  return `not sealed yet: ${counted(records, "record")} in ${segments.slice(0, LIMITS.listed).join(", ")}`;
}

/** With `--keep` they are among the faults. */
function timesText({ times: { count, told }, faults }: VerifyReport): string[] {
  if (count === 0 || faults.some(({ kind }) => kind === "time")) return [];
  const more = count - told.length;
  return [
    ...told.map((what) => `WARNING: ${what}; no key signs it, and the clock may have been set`),
    ...(more > 0 ? [`… and ${more} further times that cannot be true`] : []),
  ];
}

function resumedText({ resumed: { count, told } }: VerifyReport): string[] {
  const more = count - told.length;
  return [
    ...told.map(
      (what) =>
        `WARNING: ${what}: somebody wrote there who is not its process, or that one was taken for dead`,
    ),
    ...(more > 0 ? [`… and ${more} further files that went on behind their end`] : []),
  ];
}

function keptText({ name, size }: KeptFinding): string {
  return `the log begins with the kept checkpoint ${name} of ${counted(size, "record")}`;
}

function witnessText({ name, size, time, proven, type }: WitnessFinding, records: number): string {
  const seen = `${counted(size, "record")} (${time})`;
  if (proven) {
    if (size === 0) return `witness ${name} has cosigned nothing of this log`;
    return `witness ${name} has seen the first ${seen}`;
  }
  const proof =
    type === "tlog-witness"
      ? "--witness VKEY proves it"
      : "--checkpoint FILE, with the copy that it keeps, proves it";
  if (size <= records) return `${type} ${name} is said to have seen ${seen}; ${proof}`;
  return (
    `WARNING: ${type} ${name} is said to have seen ${seen}, and ${records} are sealed here: ` +
    `the log was cut back, or is an older copy; ${proof}`
  );
}

function verdict(faultCount: number, checkpoints: number): string {
  if (faultCount > 0) return `NOT WHOLE: ${counted(faultCount, "fault")}`;
  return checkpoints === 0 ? "nothing to verify" : "whole";
}

function listed<T>(values: readonly T[], text: (value: T) => string): string[] {
  const more = values.length - LIMITS.listed;
  return [...values.slice(0, LIMITS.listed).map(text), ...(more > 0 ? [`… and ${more} more`] : [])];
}
