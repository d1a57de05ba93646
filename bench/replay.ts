/**
 * How many recorded decisions a replay gets through: from files (read, parsed, evaluated, grouped) and
 * from memory (evaluated and grouped), on one core, with 1 000 policies.
 *
 * `tools/with-runtime node|bun bench/replay.ts` prints the table.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRecordReader } from "../src/audit/fast-record.ts";
import { Lines } from "../src/audit/lines.ts";
import { createQueryMask } from "../src/audit/query-mask.ts";
import { isRecordFault } from "../src/audit/record-schema.ts";
import { Serializer } from "../src/audit/serialize.ts";
import { createValueHash } from "../src/audit/value-hash.ts";
import { eachDecision } from "../src/cli/recorded-decisions.ts";
import type { Principal } from "../src/model/principal.ts";
import type { CompletionRecord, DecisionRecord } from "../src/model/records.ts";
import type { Vocabulary } from "../src/model/vocabulary.ts";
import { systemClock } from "../src/platform/clock.ts";
import { compilePolicies } from "../src/policy/compile-policies.ts";
import { type RecordedAnswer, Replay } from "../src/policy/replay/replay.ts";
import { processorMs } from "./processor-time.ts";
import { figure, formatSection, type Section } from "./report.ts";

const LIMITS = {
  policies: 1000,
  principals: 2000,
  routes: 100,
  /** Requests of the log; each has a decision and a completion. */
  requests: 50_000,
  quickRequests: 2000,
  /** Decisions in memory, gone through again and again. */
  held: 20_000,
  rounds: 3,
} as const;

export interface ReplayFigures {
  /** Records (decisions and completions) a second, from files. */
  readonly recordsPerSecond: number;
  /** Of them decisions. */
  readonly decisionsFromFiles: number;
  /** Decisions a second, from memory. */
  readonly decisionsPerSecond: number;
  /** Answers that flipped, of those in the file: the work was done. */
  readonly flips: number;
  readonly megabytes: number;
}

const GOALS = { fromFiles: 50_000, fromMemory: 300_000 } as const;

export async function runReplayBench({ quick }: { readonly quick: boolean }): Promise<Section> {
  return reportReplay(await benchReplay(quick ? LIMITS.quickRequests : LIMITS.requests));
}

export function reportReplay(figures: ReplayFigures): Section {
  const { recordsPerSecond, decisionsPerSecond } = figures;
  return {
    name: "replay",
    title: "A replay of recorded decisions",
    table: {
      columns: ["source", "a second of processor time"],
      rows: [
        ["records of files, half of them completions", figure(recordsPerSecond)],
        ["decisions in memory", figure(decisionsPerSecond)],
      ],
    },
    goals: [
      {
        what: "records from files",
        unit: "",
        measured: recordsPerSecond,
        bound: { atLeast: GOALS.fromFiles },
      },
      {
        what: "decisions from memory",
        unit: "",
        measured: decisionsPerSecond,
        bound: { atLeast: GOALS.fromMemory },
      },
    ],
    data: figures,
  };
}

/** The best of several rounds, as other loads on the machine only ever add. Takes about ten seconds. */
async function benchReplay(requests: number): Promise<ReplayFigures> {
  const { policies, problems } = await compilePolicies(
    { files: [{ name: "bench.cedar", text: policiesText() }], vocabulary: VOCABULARY },
    { clock: systemClock },
  );
  if (policies === undefined) throw new TypeError(JSON.stringify(problems[0]));
  const folder = mkdtempSync(join(tmpdir(), "sallyport-bench-replay-"));
  try {
    const bytes = logBytes(requests);
    writeFileSync(join(folder, "audit-20261124T040506.123Z-1.jsonl"), bytes);
    let files = Infinity;
    let flips = 0;
    for (let round = 0; round < LIMITS.rounds; round++) {
      const replay = new Replay(policies, VOCABULARY);
      const started = processorMs();
      await eachDecision({ from: folder, route: [] }, (record) => replay.add(record));
      files = Math.min(files, processorMs() - started);
      flips = replay.report().wouldDeny.count;
    }
    const held = heldDecisions(bytes);
    let memory = Infinity;
    for (let round = 0; round < LIMITS.rounds; round++) {
      const replay = new Replay(policies, VOCABULARY);
      const started = processorMs();
      for (let again = 0; again < 10; again++) for (const record of held) replay.add(record);
      memory = Math.min(memory, processorMs() - started);
    }
    return {
      recordsPerSecond: (requests * 2 * 1000) / files,
      decisionsFromFiles: (requests * 1000) / files,
      decisionsPerSecond: (held.length * 10 * 1000) / memory,
      flips,
      megabytes: bytes.length / 1e6,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function policiesText(): string {
  return Array.from({ length: LIMITS.policies }, (_, index) => {
    const role = `corp/role${index}`;
    return `@id("p${index}")
permit (
  principal is Sallyport::Workload in Sallyport::Role::"${role}",
  action in Sallyport::Action::"read",
  resource == Sallyport::Route::"route${index % LIMITS.routes}"
) when { context.path like "/route*" && principal.tenant != "none" && context.scopes.contains("read") };`;
  }).join("\n");
}

const VOCABULARY: Vocabulary = {
  authenticators: [
    { name: "corp", kinds: ["workload"], attributes: { tenant: "string" }, bareRoles: [] },
  ],
  services: [{ name: "service", attributes: {} }],
  routes: Array.from({ length: LIMITS.routes }, (_, index) => ({
    name: `route${index}`,
    service: "service",
    attributes: {},
    params: [],
  })),
};

function logBytes(requests: number): Buffer {
  const serializer = new Serializer({
    maskQuery: createQueryMask({ values: "masked", keep: [] }),
    hash: createValueHash(new Uint8Array(32)),
  });
  const lines = new Lines(1 << 20);
  const principals = Array.from({ length: LIMITS.principals }, (_, index) => principalOf(index));
  for (let request = 0; request < requests; request++) {
    const principal = principals[request % LIMITS.principals];
    if (principal === undefined) continue;
    serializer.decision(lines, decisionOf(request, principal), false);
    lines.end();
    serializer.completion(lines, completionOf(request));
    lines.end();
  }
  return Buffer.from(lines.copy());
}

function principalOf(index: number): Principal {
  return {
    kind: "workload",
    authenticator: "corp",
    subject: `spiffe://td/workload-${index}`,
    roles: [`corp/role${index % LIMITS.policies}`, "corp/all"],
    groups: [],
    attributes: { tenant: `tenant-${index % 20}` },
  };
}

/** Every hundredth was permitted by what the candidate does not have. */
function decisionOf(request: number, principal: Principal): DecisionRecord {
  const flips = request % 100 === 0;
  const route = flips ? "route1" : `route${(request % LIMITS.policies) % LIMITS.routes}`;
  return {
    timeMs: 1_800_000_000_000 + request,
    decisionId: `01KAT9T5KVH7Q2M4X8${String(request).padStart(8, "0")}`,
    listener: "edge",
    peerAddress: "192.0.2.7",
    peerPort: 50_114,
    clientAddress: undefined,
    requestId: `5f0c9d5e-${request}`,
    principal,
    scopes: ["read"],
    authn: {
      kind: "jwt",
      authenticator: "corp",
      ageSeconds: request % 3600,
      acr: undefined,
      amr: [],
      bound: false,
    },
    credentials: [
      { kind: "bearer", hash: "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg", outcome: "used" },
    ],
    method: "GET",
    host: "api.example.com",
    httpVersion: "2",
    path: `/${route}/records/${request}`,
    query: "page=2",
    params: {},
    route,
    service: "service",
    decision: "permit",
    reason: "permitted",
    detail: undefined,
    determining: ["p1"],
    erroring: [],
    reads: [],
    bundle: "sha256-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
  };
}

function completionOf(request: number): CompletionRecord {
  return {
    timeMs: 1_800_000_000_007 + request,
    decisionId: `01KAT9T5KVH7Q2M4X8${String(request).padStart(8, "0")}`,
    upstream: "127.0.0.1:9001",
    status: 200,
    requestBytes: 0,
    responseBytes: 1834,
    durationMs: 6.4375,
    upstreamMs: 5.9,
    end: "complete",
  };
}

function heldDecisions(bytes: Buffer): readonly RecordedAnswer[] {
  const read = createRecordReader();
  const lines = bytes.toString("utf8").split("\n", LIMITS.held * 2);
  return lines.flatMap((line) => {
    const entry = read(line);
    return !isRecordFault(entry) && entry.type === "decision" ? [entry] : [];
  });
}

if (import.meta.main) console.log(formatSection(await runReplayBench({ quick: false })));
