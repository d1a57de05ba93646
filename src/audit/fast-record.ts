/**
 * Reads decisions back as `record-schema.ts` does, at the speed that a replay of months needs. What it
 * takes, the schema takes, with the same outcome; what it is not sure of it leaves to the schema,
 * whose word counts. A test holds the two side by side.
 *
 * Refuses nothing by itself, and guesses nothing.
 */
import type { AttributeType, PrincipalKind } from "../model/principal.ts";
import { REASONS } from "../model/reason.ts";
import { RPC_PROTOCOLS, type RpcCall } from "../model/rpc.ts";
import { createTimeCheck } from "./record-time.ts";
import {
  parseRecord,
  type RecordedDecision,
  type RecordedEntry,
  type RecordFault,
} from "./record-schema.ts";

/** Returns what reads one line without its line feed, as `parseRecord`. */
export function createRecordReader(): (line: string) => RecordedEntry | RecordFault {
  const isTime = createTimeCheck();
  return (line) => readDecision(line, isTime) ?? parseRecord(line);
}

/**
 * Whether the line can only be a completion: keys are in order, and every decision has `bundle` before
 * `decisionId`. Whoever looks for decisions need not read it.
 */
export function isCompletionLine(line: string): boolean {
  return line.startsWith('{"decisionId":');
}

/** What was parsed, which is nobody else's: what was left out because it was empty is put in place. */
type Members = Record<string, unknown>;

/** Undefined where it takes the schema to tell. */
function readDecision(
  line: string,
  isTime: (text: unknown) => boolean,
): RecordedDecision | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isMapping(value) || value["type"] !== "decision" || value["v"] !== 1) return undefined;
  if (!onlyKnown(value, DECISION) || !isTime(value["time"])) return undefined;
  if (!hasPlainMembers(value) || !hasPlainParts(value)) return undefined;
  return value as unknown as RecordedDecision;
}

/** Members that it knows. A record with others costs as much as the schema takes. */
export const DECISION: ReadonlySet<string> = new Set([
  "action",
  "actor",
  "asked",
  "authn",
  "body",
  "bundle",
  "clientAddress",
  "credentials",
  "decision",
  "decisionId",
  "detail",
  "determining",
  "device",
  "erroring",
  "host",
  "httpVersion",
  "issue",
  "key",
  "listener",
  "method",
  "params",
  "path",
  "peerAddress",
  "peerCertificate",
  "peerPort",
  "principal",
  "query",
  "reads",
  "reason",
  "redacted",
  "requestId",
  "route",
  "rpc",
  "scopes",
  "service",
  "servicePath",
  "shadow",
  "stream",
  "time",
  "trace",
  "truncated",
  "type",
  "usage",
  "v",
  "workload",
]);

function hasPlainMembers(value: Members): boolean {
  const { decision, reason, httpVersion, peerPort } = value;
  return (
    (decision === "permit" || decision === "deny") &&
    isReason(reason) &&
    (httpVersion === undefined || VERSIONS.has(httpVersion)) &&
    isWhole(peerPort, 65_535) &&
    isText(value["bundle"]) &&
    isText(value["decisionId"]) &&
    isText(value["listener"]) &&
    isText(value["peerAddress"]) &&
    isText(value["requestId"]) &&
    areTextsOrAbsent(value, OPTIONAL) &&
    fillTexts(value, "determining") &&
    fillTexts(value, "erroring") &&
    fillTexts(value, "redacted") &&
    fillTexts(value, "scopes")
  );
}

const VERSIONS: ReadonlySet<unknown> = new Set(["1.0", "1.1", "2"]);
const OPTIONAL = [
  "action",
  "clientAddress",
  "detail",
  "host",
  "method",
  "path",
  "query",
  "route",
  "service",
  "servicePath",
  "stream",
] as const;

function isTraceId(value: unknown): boolean {
  return typeof value === "string" && /^[0-9a-f]{32}$/.test(value);
}

function hasPlainParts(value: Members): boolean {
  value["params"] ??= {};
  value["truncated"] ??= {};
  value["reads"] ??= [];
  value["credentials"] ??= [];
  if (value["trace"] !== undefined && !isTraceId(value["trace"])) return false;
  // Keys are few among requests, and the schema reads them.
  if (value["issue"] !== undefined || value["key"] !== undefined) return false;
  return (
    isMappingOf(value["params"], isText) &&
    isMappingOf(value["truncated"], isCut) &&
    isListOf(value["reads"], isRead) &&
    isListOf(value["credentials"], isCredential) &&
    isAbsentOr(value["asked"], isAsked) &&
    isAbsentOr(value["authn"], isAuthn) &&
    isAbsentOr(value["principal"], isPrincipal) &&
    isAbsentOr(value["actor"], isActor) &&
    isAbsentOr(value["workload"], isPrincipal) &&
    isAbsentOr(value["device"], isPrincipal) &&
    isAbsentOr(value["rpc"], isCall) &&
    (value["body"] === undefined || isMappingOf(value["body"], isBodyValue)) &&
    isAbsentOr(value["peerCertificate"], isCertificate) &&
    isAbsentOr(value["shadow"], isShadow) &&
    isAbsentOr(value["usage"], isUsage)
  );
}

const ASKED = new Set(["by", "decisionId"]);

function isAsked(value: Members): boolean {
  return onlyKnown(value, ASKED) && isText(value["by"]) && isText(value["decisionId"]);
}

const USAGE = new Set(["cost", "plan"]);

function isUsage(value: Members): boolean {
  value["cost"] ??= 1;
  const { cost } = value;
  return (
    onlyKnown(value, USAGE) &&
    isNumberWithin(cost) &&
    (cost as number) >= 0 &&
    areTextsOrAbsent(value, ["plan"])
  );
}

const AUTHN = new Set(["acr", "ageSeconds", "amr", "authenticator", "bound", "kind"]);

function isAuthn(value: Members): boolean {
  return (
    onlyKnown(value, AUTHN) &&
    isNumberWithin(value["ageSeconds"]) &&
    typeof value["bound"] === "boolean" &&
    isText(value["authenticator"]) &&
    isText(value["kind"]) &&
    areTextsOrAbsent(value, ["acr"]) &&
    fillTexts(value, "amr")
  );
}

const PRINCIPAL = new Set(["attributes", "authenticator", "groups", "kind", "roles", "subject"]);
const KINDS: ReadonlySet<unknown> = new Set<PrincipalKind>([
  "user",
  "workload",
  "device",
  "anonymous",
]);

function isPrincipal(value: Members): boolean {
  value["attributes"] ??= {};
  return (
    onlyKnown(value, PRINCIPAL) &&
    KINDS.has(value["kind"]) &&
    isText(value["authenticator"]) &&
    isText(value["subject"]) &&
    fillTexts(value, "groups") &&
    fillTexts(value, "roles") &&
    isMappingOf(value["attributes"], isAttribute)
  );
}

/** A 64-bit integer (`{"long":…}`) is left to the schema. */
function isAttribute(value: unknown): boolean {
  return (
    isText(value) || typeof value === "boolean" || Number.isSafeInteger(value) || areTexts(value)
  );
}

const ACTOR = new Set(["authenticator", "behind", "clientId", "issuer", "subject"]);

function isActor(value: Members): boolean {
  return (
    onlyKnown(value, ACTOR) &&
    isText(value["authenticator"]) &&
    isText(value["subject"]) &&
    areTextsOrAbsent(value, ["clientId", "issuer"]) &&
    fillTexts(value, "behind")
  );
}

const CERTIFICATE = new Set(["issuer", "serial", "spiffeId", "subject", "thumbprint"]);

function isCertificate(value: Members): boolean {
  return (
    onlyKnown(value, CERTIFICATE) &&
    isText(value["issuer"]) &&
    isText(value["serial"]) &&
    isText(value["subject"]) &&
    isText(value["thumbprint"]) &&
    areTextsOrAbsent(value, ["spiffeId"])
  );
}

const CALL = new Set(["kind", "method", "prompt", "protocol", "resource", "tool"]);
const CALL_KINDS: ReadonlySet<unknown> = new Set<RpcCall["kind"]>([
  "request",
  "notification",
  "response",
]);
const PROTOCOLS: ReadonlySet<unknown> = new Set(RPC_PROTOCOLS);

function isCall(value: Members): boolean {
  return (
    onlyKnown(value, CALL) &&
    CALL_KINDS.has(value["kind"]) &&
    PROTOCOLS.has(value["protocol"]) &&
    areTextsOrAbsent(value, ["method", "prompt", "resource", "tool"])
  );
}

const BODY_VALUE = new Set(["hashes", "type", "value"]);
const TYPES: ReadonlySet<unknown> = new Set<AttributeType>(["string", "bool", "long", "strings"]);

/** The value, or hashes of it with its type. */
function isBodyValue(one: unknown): boolean {
  if (!isMapping(one) || !onlyKnown(one, BODY_VALUE)) return false;
  const { hashes, type, value } = one;
  if (value === undefined) return areTexts(hashes) && TYPES.has(type);
  return hashes === undefined && type === undefined && isAttribute(value);
}

const SHADOW = new Set(["bundle", "determining", "reason"]);
const SHADOW_REASONS: ReadonlySet<unknown> = new Set([
  "permitted",
  "no-permit",
  "forbidden",
  "policy-error",
  "step-up-required",
  "internal-error",
]);

function isShadow(value: Members): boolean {
  return (
    onlyKnown(value, SHADOW) &&
    isText(value["bundle"]) &&
    SHADOW_REASONS.has(value["reason"]) &&
    fillTexts(value, "determining")
  );
}

const READ = new Set(["hashes", "kind", "name", "unreadable"]);

function isRead(value: Members): boolean {
  const { kind, name, unreadable = true } = value;
  const known = (kind === "header" || kind === "query") && unreadable === true;
  return onlyKnown(value, READ) && known && isText(name) && fillTexts(value, "hashes");
}

const CREDENTIAL = new Set(["hash", "kind", "outcome"]);
const OUTCOMES: ReadonlySet<unknown> = new Set(["used", "refused", "ignored"]);

function isCredential(value: Members): boolean {
  const { hash, kind, outcome } = value;
  return onlyKnown(value, CREDENTIAL) && isText(hash) && isText(kind) && OUTCOMES.has(outcome);
}

const CUT = new Set(["bytes", "hash"]);

function isCut(value: unknown): boolean {
  if (!isMapping(value) || !onlyKnown(value, CUT)) return false;
  return isWhole(value["bytes"], Number.MAX_SAFE_INTEGER) && isText(value["hash"]);
}

function isMapping(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function onlyKnown(value: Members, known: ReadonlySet<string>): boolean {
  for (const name in value) if (!known.has(name)) return false;
  return true;
}

function isAbsentOr(value: unknown, is: (value: Members) => boolean): boolean {
  return value === undefined || (isMapping(value) && is(value));
}

/** A member that is called `__proto__` is left to the schema. */
function isMappingOf(value: unknown, is: (value: unknown) => boolean): boolean {
  if (!isMapping(value)) return false;
  for (const name in value) if (name === "__proto__" || !is(value[name])) return false;
  return true;
}

function isListOf(value: unknown, is: (value: Members) => boolean): boolean {
  if (!Array.isArray(value)) return false;
  for (const one of value) if (!isMapping(one) || !is(one)) return false;
  return true;
}

function areTextsOrAbsent(value: Members, names: readonly string[]): boolean {
  for (const name of names) {
    const member = value[name];
    if (member !== undefined && typeof member !== "string") return false;
  }
  return true;
}

/** A list of texts, which is empty where it is absent. */
function fillTexts(value: Members, name: string): boolean {
  const list = (value[name] ??= []);
  return areTexts(list);
}

function areTexts(value: unknown): boolean {
  if (!Array.isArray(value)) return false;
  for (const one of value) if (typeof one !== "string") return false;
  return true;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

/** One that policies and sums have whole numbers for. */
function isNumberWithin(value: unknown): boolean {
  return typeof value === "number" && Math.abs(value) <= Number.MAX_SAFE_INTEGER;
}

function isWhole(value: unknown, most: number): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most;
}

function isReason(value: unknown): boolean {
  return typeof value === "string" && Object.hasOwn(REASONS, value);
}
