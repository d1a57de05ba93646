/** A generated log of any size, sealed as it would be: for the tests that tamper with it, and measures. */
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { checkpointSchema } from "../src/audit/tree/checkpoint-options.ts";
import { createSealer } from "../src/audit/tree/sealer.ts";
import { ManualClock } from "../src/platform/clock.ts";
import { createMetrics } from "../src/telemetry/metrics.ts";
import { keepingLog, NOW_MS } from "./audit-kit.ts";

export interface GeneratedLog {
  readonly segments: readonly string[];
  readonly records: number;
}

const DECISION =
  '","determining":["billing-admins"],"host":"api.example.com","httpVersion":"2","listener":"edge","method":"GET","params":{"id":"17"},"path":"/billing/records/17","peerAddress":"192.0.2.7","peerPort":50114,"principal":{"attributes":{"external":false,"tenant":"acme"},"authenticator":"corp","kind":"workload","roles":["AdminService","corp/batch"],"subject":"payments"},"query":"page=*&token=*","reason":"permitted","requestId":"5f0c9d5e","route":"billing","scopes":["billing.read"],"service":"billing","time":"2026-11-24T04:05:06.123Z","type":"decision","v":1}';
const COMPLETION =
  '","durationMs":6.438,"end":"complete","requestBytes":0,"responseBytes":1834,"status":200,"time":"2026-11-24T04:05:06.130Z","type":"completion","upstream":"127.0.0.1:9001","upstreamMs":5.9,"v":1}';

/** The `index`th record: decisions and their completions by turns, each different from all others. */
export function generatedRecord(index: number): string {
  const id = `01KAT9T5KV${String(Math.floor(index / 2)).padStart(16, "0")}`;
  return index % 2 === 0
    ? `{"authn":{"acr":"aal2","ageSeconds":12,"authenticator":"corp","bound":false,"kind":"jwt"},"bundle":"sha256-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU","decision":"permit","decisionId":"${id}${DECISION}`
    : `{"decisionId":"${id}${COMPLETION}`;
}

/** Two writers by turns, several segments each, a checkpoint every `every` records. */
export async function generateLog(
  folder: string,
  { records, perSegment, every }: { records: number; perSegment: number; every: number },
): Promise<GeneratedLog> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const clock = new ManualClock(NOW_MS);
  const deps = { clock, log: keepingLog(), metrics: createMetrics(), events: { event: () => {} } };
  const sealer = await createSealer({ ...checkpointSchema.parse({}), path: folder }, deps);
  const segments: string[] = [];
  const writers = [17, 18].map((pid) => ({ pid, segment: "", left: 0, bytes: 0 }));
  const batch = Math.max(1, Math.min(1000, Math.floor(every / 3)));
  for (let done = 0, sealed = 0, turn = 0; done < records; turn++) {
    const writer = writers[turn % 2] as (typeof writers)[number];
    if (writer.left === 0) {
      if (writer.segment !== "")
        sealer.ended?.({ segment: writer.segment, bytes: writer.bytes, tornBytes: 0 });
      clock.advance(1);
      const start = new Date(clock.now()).toISOString().replaceAll(/[-:]/g, "");
      Object.assign(writer, {
        segment: `audit-${start}-${writer.pid}.jsonl`,
        left: perSegment,
        bytes: 0,
      });
      segments.push(writer.segment);
    }
    const count = Math.min(batch, writer.left, records - done);
    const lines: string[] = [];
    for (let index = 0; index < count; index++) lines.push(generatedRecord(done + index), "\n");
    const bytes = Buffer.from(lines.join(""));
    appendFileSync(join(folder, writer.segment), bytes, { mode: 0o600 });
    const { segment } = writer;
    sealer.take({ segment, offset: writer.bytes, bytes, count, entries: () => [] });
    writer.left -= count;
    writer.bytes += bytes.length;
    done += count;
    if (done - sealed < every) continue;
    sealer.commit();
    sealed = done;
    clock.advance(1000);
  }
  sealer.close();
  return { segments, records };
}
