/**
 * Reads one line for those who follow, search and count: whether it is a record, and whether the members that
 * they read are of the types that they count on. Members and values that a later release adds are taken as they
 * come; what somebody else wrote into the log is no record, and must not stop who reads the others.
 */
import type { RecordLine } from "../model/record-feed.ts";
import { createTimeCheck } from "./record-time.ts";
import { RECORD_LIMITS } from "./serialize.ts";

const LIMITS = {
  /** Characters of the shortest record; a flood of shorter lines costs next to nothing. */
  shortest: 64,
} as const;

/** Undefined for what is no record of a version that we know. Without its line feed. */
export function parseRecordLine(line: string): RecordLine | undefined {
  if (line.length < LIMITS.shortest || line.length > RECORD_LIMITS.line) return undefined;
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    return undefined;
  }
  return isRecord(record) ? record : undefined;
}

type Members = Readonly<Record<string, unknown>>;

const isTime = createTimeCheck();

function isRecord(record: unknown): record is RecordLine {
  if (!isMapping(record) || record["v"] !== 1 || !isTime(record["time"])) return false;
  switch (record["type"]) {
    case "decision":
      return isDecision(record);
    case "completion":
      return isCompletion(record);
    case "summary":
      return isTime(record["from"]) && isListOf(record["counts"], isSummaryCount);
    case "event":
      return isEvent(record);
    default:
      return false;
  }
}

const DECISION_TEXTS = ["decisionId", "listener", "peerAddress", "reason", "requestId"];
const DECISION_MORE = [
  "action",
  "bundle",
  "clientAddress",
  "detail",
  "host",
  "httpVersion",
  "method",
  "path",
  "query",
  "route",
  "service",
  "stream",
  "trace",
];

function isDecision(record: Members): boolean {
  const { decision, authn, asked, credentials, principal, usage } = record;
  return (
    (decision === "permit" || decision === "deny") &&
    areTexts(record, DECISION_TEXTS) &&
    areTextsOrAbsent(record, DECISION_MORE) &&
    isAbsentOr(asked, isMapping) &&
    isAbsentOr(authn, isAuthn) &&
    isAbsentOr(credentials, (list) => isListOf(list, isCredential)) &&
    isAbsentOr(principal, isPrincipal) &&
    isAbsentOr(usage, isUsage) &&
    isAbsentOr(record["determining"], isTextList) &&
    isAbsentOr(record["redacted"], isTextList)
  );
}

function isAuthn(value: unknown): boolean {
  return (
    isMapping(value) &&
    areTexts(value, ["authenticator", "kind"]) &&
    typeof value["bound"] === "boolean"
  );
}

function isCredential(value: unknown): boolean {
  return isMapping(value) && areTexts(value, ["hash", "kind", "outcome"]);
}

function isPrincipal(value: unknown): boolean {
  return (
    isMapping(value) &&
    areTexts(value, ["authenticator", "kind", "subject"]) &&
    isAbsentOr(value["attributes"], isMapping) &&
    isAbsentOr(value["groups"], isTextList) &&
    isAbsentOr(value["roles"], isTextList)
  );
}

function isUsage(value: unknown): boolean {
  if (!isMapping(value)) return false;
  const { cost = 0 } = value;
  return isAmount(cost) && areTextsOrAbsent(value, ["plan"]);
}

function isCompletion(record: Members): boolean {
  return (
    areTexts(record, ["decisionId", "end"]) &&
    areTextsOrAbsent(record, ["upstream"]) &&
    isCount(record["requestBytes"]) &&
    isCount(record["responseBytes"]) &&
    isCount(record["status"]) &&
    isAmount(record["durationMs"]) &&
    isAbsentOr(record["upstreamMs"], isAmount) &&
    isAbsentOr(record["grpcStatus"], isCount)
  );
}

function isSummaryCount(value: unknown): boolean {
  return (
    isMapping(value) && areTexts(value, ["cause", "listener", "reason"]) && isCount(value["count"])
  );
}

function isEvent(record: Members): boolean {
  const { decisions, figures = {} } = record;
  return (
    areTexts(record, ["detail", "event"]) &&
    areTextsOrAbsent(record, ["address", "principal"]) &&
    isAbsentOr(decisions, isTextList) &&
    isMapping(figures) &&
    Object.values(figures).every((one) => typeof one === "string" || typeof one === "number")
  );
}

function isMapping(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `null` is not absent: nothing of ours writes it. */
function isAbsentOr(value: unknown, is: (value: unknown) => boolean): boolean {
  return value === undefined || is(value);
}

function isListOf(value: unknown, is: (value: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(is);
}

function isTextList(value: unknown): boolean {
  return isListOf(value, (one) => typeof one === "string");
}

function areTexts(value: Members, names: readonly string[]): boolean {
  for (const name of names) if (typeof value[name] !== "string") return false;
  return true;
}

function areTextsOrAbsent(value: Members, names: readonly string[]): boolean {
  for (const name of names) {
    const member = value[name];
    if (member !== undefined && typeof member !== "string") return false;
  }
  return true;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Thousandths of it can still be counted. */
function isAmount(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER / 1000;
}
