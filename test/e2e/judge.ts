/**
 * One way to judge every hostile case, whatever it attacks. Given what the caller sent and got, what
 * reached the service, and what the audit log says, it returns every rule that was broken:
 *
 * 1. what reached the service reads strictly as exactly the requests that the log says were allowed;
 * 2. it never holds both framing fields, a bare CR or LF, a NUL, a folded line, or two Hosts;
 * 3. no spoofed identity field and no forbidden path arrives without an allow record that names it;
 * 4. the proxy refused with a status for that, closed, or gave the right 200;
 * 5. the next good request gets its own answer.
 */
import {
  readRequests,
  readResponses,
  valuesOf,
  type StrictRequest,
  type StrictResponse,
} from "./strict-http1.ts";

/** A record as it stands in the log. */
export type AuditRecord = Readonly<Record<string, unknown>>;

export interface Evidence {
  /** Methods of the requests that the caller believes to have sent, in order. */
  readonly methods: readonly string[];
  /** All that came back to the caller. */
  readonly answer: string;
  /** Whether the proxy closed the connection. */
  readonly closed: boolean;
  /** What reached the service, connection by connection, since the case began. */
  readonly arrived: readonly string[];
  readonly decisions: readonly AuditRecord[];
  readonly completions: readonly AuditRecord[];
  /** Values that only the caller wrote, into fields in which a caller must not speak. */
  readonly spoofed: readonly string[];
}

/** How a proxy may say no (rule 4), and what it says when it is not to blame. */
const REFUSALS: ReadonlySet<number> = new Set([
  400, 401, 403, 404, 405, 408, 413, 414, 415, 417, 421, 429, 431, 501, 502, 505,
]);

/** `OPTIONS *`, which the proxy answers itself. */
const OWN_ANSWER = 204;

/** Every rule that was broken, in words; empty when all is well. */
export function judge(evidence: Evidence): string[] {
  const allowed = new Map<string, AuditRecord>();
  for (const record of evidence.decisions) {
    if (record["decision"] === "permit") allowed.set(String(record["decisionId"]), record);
  }
  const seen = new Set<string>();
  const faults: string[] = [];
  for (const text of evidence.arrived) {
    const reading = readRequests(text);
    if (reading.end === "invalid") faults.push(`rule 2: the service got ${reading.fault}`);
    for (const request of reading.messages) {
      faults.push(...judgeArrival(request, { allowed, seen, spoofed: evidence.spoofed }));
    }
  }
  faults.push(...judgeAbsent(allowed, seen, evidence.completions));
  faults.push(...judgeAnswers(evidence));
  return faults;
}

/** The answers that reached the caller, as far as they read strictly. */
export function answersOf(evidence: Evidence): readonly StrictResponse[] {
  return readResponses(evidence.answer, evidence.methods, evidence.closed).messages;
}

/** Rules 1 and 3 for one request that reached the service. */
function judgeArrival(
  request: StrictRequest,
  context: {
    readonly allowed: ReadonlyMap<string, AuditRecord>;
    readonly seen: Set<string>;
    readonly spoofed: readonly string[];
  },
): string[] {
  const ids = valuesOf(request, "sallyport-decision");
  const [id = ""] = ids;
  const record = context.allowed.get(id);
  if (ids.length !== 1 || record === undefined) {
    return [`rule 1: ${request.startLine} reached the service without an allow record`];
  }
  const faults: string[] = [];
  if (context.seen.has(id)) faults.push(`rule 1: ${request.startLine} arrived twice`);
  context.seen.add(id);
  const [path = ""] = request.target.split("?");
  if (record["method"] !== request.method || !namesPath(record, path)) {
    const allowed = `${String(record["method"])} ${String(record["path"])}`;
    faults.push(`rule 1: ${request.method} ${path} arrived, ${allowed} was allowed`);
  }
  const ambiguity = ambiguityOf(request.target);
  if (ambiguity !== undefined) faults.push(`rule 3: ${request.target} arrived with ${ambiguity}`);
  for (const [name, value] of request.fields) {
    if (context.spoofed.includes(value)) faults.push(`rule 3: ${name}: ${value} arrived`);
  }
  return faults;
}

/** A path that is too long for a record stands there by its beginning and its length. */
function namesPath(record: AuditRecord, path: string): boolean {
  const truncated = record["truncated"] as { path?: { bytes: number } } | undefined;
  const recorded = String(record["path"]);
  if (truncated?.path === undefined) return recorded === path;
  return path.startsWith(recorded) && path.length === truncated.path.bytes;
}

/** What lets two readers of a path disagree about it. */
function ambiguityOf(target: string): string | undefined {
  const [path = ""] = target.split("?");
  if (target.includes("#")) return "a fragment";
  if (!path.startsWith("/")) return "no slash at its start";
  if (/\/\.{1,2}(?:\/|$)/.test(path)) return "a dot segment";
  if (path.includes("//")) return "an empty segment";
  if (/%(?:2f|5c|00)/i.test(path)) return "an encoded slash, backslash or NUL";
  if (/%25[0-9a-f]{2}/i.test(path)) return "a double escape";
  if (/[\\;]/.test(path)) return "a backslash or semicolon";
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) return "an escape that is none";
  if (/%(?:2d|2e|5f|7e|3[0-9]|[46][1-9a-f]|[57][0-9a])/i.test(path)) return "an escape for nothing";
  return undefined;
}

/** Rule 1, the other way: what was allowed and ended well did arrive. */
function judgeAbsent(
  allowed: ReadonlyMap<string, AuditRecord>,
  seen: ReadonlySet<string>,
  completions: readonly AuditRecord[],
): string[] {
  const faults: string[] = [];
  for (const [id, record] of allowed) {
    const ends = completions.filter((completion) => completion["decisionId"] === id);
    const name = `${String(record["method"])} ${String(record["path"])}`;
    if (ends.length !== 1) faults.push(`rule 1: ${name} has ${ends.length} completion records`);
    if (!seen.has(id) && ends[0]?.["end"] === "complete") {
      faults.push(`rule 1: ${name} is recorded as complete, and never arrived`);
    }
  }
  return faults;
}

/** Rule 4. */
function judgeAnswers(evidence: Evidence): string[] {
  const reading = readResponses(evidence.answer, evidence.methods, evidence.closed);
  const faults: string[] = [];
  if (reading.end === "invalid") faults.push(`rule 4: the caller got ${reading.fault}`);
  if (reading.end === "incomplete" && evidence.answer.length > reading.position) {
    faults.push("rule 4: an answer was cut off");
  }
  const final = reading.messages.filter(({ status }) => status >= 200);
  if (final.length > evidence.methods.length) faults.push("rule 4: more answers than requests");
  for (const answer of final) faults.push(...judgeAnswer(answer, evidence.decisions));
  if (final.length === 0 && !evidence.closed) faults.push("rule 4: neither answered nor closed");
  return faults;
}

/** Each answer names the decision that it comes from, and says what that says. */
function judgeAnswer(answer: StrictResponse, decisions: readonly AuditRecord[]): string[] {
  const { status } = answer;
  const ids = valuesOf(answer, "sallyport-decision");
  const record = decisions.find(({ decisionId }) => decisionId === ids[0]);
  if (ids.length !== 1 || record === undefined) {
    return [`rule 4: an answer with status ${status} names no decision that is in the log`];
  }
  if (status === OWN_ANSWER) {
    return record["reason"] === "answered-by-proxy" ? [] : ["rule 4: a 204 that nobody gave"];
  }
  if (status === 200) {
    return record["decision"] === "permit" ? [] : ["rule 4: a 200 to what was denied"];
  }
  return REFUSALS.has(status) ? [] : [`rule 4: status ${status}`];
}
