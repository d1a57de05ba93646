/** A record as one line for people: when, what became of it and why, who, what, where, its id. */
import type { RecordLine } from "../../model/record-feed.ts";
import { principalOf } from "./filter.ts";

/** Cells of the line. What others have written is not made harmless yet. */
export function recordCells(record: RecordLine): readonly string[] {
  const { time } = record;
  if (record.type === "decision") {
    const { action, method = "", host = "", path = "", route = "-" } = record;
    const what = `${action ?? method} ${host}${path}`.trim();
    const from = record.clientAddress ?? record.peerAddress;
    const who = principalOf(record) ?? "-";
    return [time, record.decision, record.reason, who, route, from, record.decisionId, what];
  }
  if (record.type === "completion") {
    const what = `${record.status}, ${record.responseBytes} bytes in ${record.durationMs} ms`;
    return [time, "ended", record.end, "-", "-", record.upstream ?? "-", record.decisionId, what];
  }
  if (record.type === "summary") {
    const count = record.counts.reduce((sum, one) => sum + one.count, 0);
    return [time, "counted", "-", "-", "-", "-", "-", `${count} without records of their own`];
  }
  const { address = "-", event, principal = "-", detail } = record;
  return [time, "event", event, principal, "-", address, "-", detail];
}
