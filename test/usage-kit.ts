/** Feeds records to the book of usage as the thread does that reads the log, and sums the log up in another way. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type {
  CompletionLine,
  DecisionLine,
  RecordBatch,
  RecordConsumer,
  RecordLine,
} from "../src/model/record-feed.ts";

/** Whole lines of a segment from `offset` on, at most `most` of them. */
export function batchOf(
  segment: string,
  whole: Buffer,
  { offset, most }: { readonly offset: number; readonly most: number },
): RecordBatch | undefined {
  let end = offset;
  let count = 0;
  while (count < most) {
    const lineFeed = whole.indexOf(10, end);
    if (lineFeed < 0) break;
    end = lineFeed + 1;
    count += 1;
  }
  if (count === 0) return undefined;
  const bytes = whole.subarray(offset, end);
  const lines = bytes.toString("utf8").trimEnd().split("\n");
  const entries = lines.map((line) => JSON.parse(line) as RecordLine);
  return { segment, offset, bytes, count, entries: () => entries };
}

export function segmentsOf(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith("audit-") && name.endsWith(".jsonl"))
    .toSorted();
}

/** All that is there now; `most` lines a batch. Says how many batches. */
export function feed(consumer: RecordConsumer, folder: string, most = 100): number {
  let batches = 0;
  for (const segment of segmentsOf(folder)) {
    const whole = readFileSync(join(folder, segment));
    for (;;) {
      const offset = consumer.position(segment);
      const batch = batchOf(segment, whole, { offset, most });
      if (batch === undefined) break;
      consumer.take(batch);
      batches += 1;
    }
  }
  return batches;
}

export interface Sums {
  requests: number;
  bytesIn: number;
  bytesOut: number;
  cost: number;
}

/** `principal service route operation hour` → sums, straight from the lines. */
export function sumOfLog(folder: string): Map<string, Sums> {
  const sums = new Map<string, Sums>();
  const whose = new Map<string, string>();
  const add = (key: string, more: Partial<Sums>): void => {
    const sum = sums.get(key) ?? { requests: 0, bytesIn: 0, bytesOut: 0, cost: 0 };
    for (const [name, value] of Object.entries(more)) sum[name as keyof Sums] += value;
    sums.set(key, sum);
  };
  for (const segment of segmentsOf(folder)) {
    const lines = readFileSync(join(folder, segment), "utf8").split("\n").slice(0, -1);
    for (const text of lines) {
      const line = JSON.parse(text) as { type: string; time: string };
      const hour = `${line.time.slice(0, 13)}Z`;
      if (line.type === "decision") {
        const { decision, principal, route, service, action, method, decisionId, usage } =
          line as DecisionLine;
        if (decision !== "permit") continue;
        const who =
          principal?.kind === "anonymous"
            ? "anonymous"
            : `${principal?.authenticator}/${principal?.subject}`;
        const key = [who, usage?.plan ?? "", service, route, action ?? method].join(" ");
        whose.set(decisionId, key);
        add(`${key} ${hour}`, { requests: 1, cost: usage?.cost ?? 1 });
      } else if (line.type === "completion") {
        const { decisionId, requestBytes, responseBytes } = line as CompletionLine;
        const key = whose.get(decisionId);
        if (key === undefined) continue;
        add(`${key} ${hour}`, { bytesIn: requestBytes, bytesOut: responseBytes });
      }
    }
  }
  return sums;
}
