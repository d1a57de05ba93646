/** What the index holds of one record. The record itself stays in its segment, and is read from there. */
import { parseRecordLine } from "../record-line.ts";
import { principalOf } from "./filter.ts";

/** Columns whose numbers stand for texts: the dictionary has them, 0 for none. */
export const TEXT_COLUMNS = [
  "principal",
  "route",
  "service",
  "reason",
  "peer",
  "address",
  "event",
  "bundle",
] as const;

export type TextColumn = (typeof TEXT_COLUMNS)[number];

/** `time` is milliseconds behind the first of the block, `offset` bytes behind the block's. */
export const COLUMNS = ["time", "offset", "id", "kind", ...TEXT_COLUMNS] as const;

export type ColumnName = (typeof COLUMNS)[number];

/** Numbers of the column `kind`. What somebody only asked about (AuthZEN) was no access. */
export const KINDS = {
  permit: 1,
  deny: 2,
  completion: 3,
  summary: 4,
  event: 5,
  askedPermit: 6,
  askedDeny: 7,
} as const;

export interface IndexEntry {
  readonly timeMs: number;
  readonly kind: number;
  /** Hash of the decision id; 0: it has none. */
  readonly id: number;
  readonly texts: Readonly<Partial<Record<TextColumn, string | undefined>>>;
}

/** Undefined for what is no record of a version that we know. */
export function entryOf(line: string): IndexEntry | undefined {
  return completionOf(line) ?? parsedEntry(line);
}

/**
 * Half of all records are completions, and the index wants two members of theirs. A quote within a text
 * has a backslash before it, so what looks like a member here is one.
 */
function completionOf(line: string): IndexEntry | undefined {
  if (!line.startsWith(ID) || !line.includes(COMPLETION) || !line.endsWith(VERSION))
    return undefined;
  const id = line.slice(ID.length, line.indexOf('"', ID.length));
  const time = line.lastIndexOf(TIME) + TIME.length;
  const timeMs = Date.parse(line.slice(time, time + 24));
  if (Number.isNaN(timeMs) || !/^[0-9A-Z]+$/.test(id)) return undefined;
  return { timeMs, kind: KINDS.completion, id: idHash(id), texts: {} };
}

const ID = '{"decisionId":"';
const TIME = ',"time":"';
const COMPLETION = ',"type":"completion",';
const VERSION = ',"v":1}';

const ASKED = { permit: "askedPermit", deny: "askedDeny" } as const;

function parsedEntry(line: string): IndexEntry | undefined {
  const record = parseRecordLine(line);
  const timeMs = record === undefined ? -1 : Date.parse(record.time);
  if (record === undefined || timeMs < 0) return undefined;
  switch (record.type) {
    case "decision":
      return {
        timeMs,
        kind: KINDS[record.asked === undefined ? record.decision : ASKED[record.decision]],
        id: idHash(record.decisionId),
        texts: {
          principal: principalOf(record),
          route: record.route,
          service: record.service,
          reason: record.reason,
          peer: record.peerAddress,
          address: record.clientAddress,
          bundle: record.bundle,
        },
      };
    case "completion":
      return { timeMs, kind: KINDS.completion, id: idHash(record.decisionId), texts: {} };
    case "summary":
      return { timeMs, kind: KINDS.summary, id: 0, texts: {} };
    case "event":
      return {
        timeMs,
        kind: KINDS.event,
        id: 0,
        texts: { principal: record.principal, address: record.address, event: record.event },
      };
    default:
      return undefined;
  }
}

/**
 * 32 bits of a decision id (FNV-1a), never 0. Ids share most of their characters, so their own bits
 * would not do; what is found by it is compared with the id itself.
 */
export function idHash(id: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index++) {
    hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0 || 1;
}
