/**
 * What a DPoP proof costs to check, all of it (RFC 9449 section 4.3, and that it is used up), beside the
 * bare signature check of the same proofs on the same runtime: the part of it that nobody can save.
 *
 * `tools/with-runtime node|bun bench/dpop.ts` measures one runtime and prints its rows as JSON.
 */
import { spawnSync } from "node:child_process";
import { createPublicKey, randomUUID, verify } from "node:crypto";
import { fileURLToPath } from "node:url";
import { algorithmProfile } from "../src/crypto/algorithms.ts";
import { createProofVerifier } from "../src/identity/dpop/dpop.ts";
import { dpopSchema } from "../src/identity/dpop/dpop-options.ts";
import { createLocalMemory } from "../src/memory/local-memory.ts";
import { systemClock } from "../src/platform/clock.ts";
import { systemTimers } from "../src/platform/timers.ts";
import { createMetrics } from "../src/telemetry/metrics.ts";
import { dpopClient } from "../test/identity/dpop-client.ts";
import { figure } from "./report.ts";
import type { Section } from "./report.ts";

export interface DpopBenchRow {
  readonly algorithm: (typeof ALGORITHMS)[number];
  readonly runtime: "Bun" | "Node";
  /** Signatures checked in a second, and whole proofs; the best round of each. */
  readonly signatures: number;
  readonly proofs: number;
}

const ALGORITHMS = ["ES256", "Ed25519"] as const;
const RATIO_GOAL = 0.6;

const LIMITS = {
  /** Proofs of one round: each is good once. */
  proofs: 2000,
  /** Keys, as many clients have as many. */
  keys: 20,
  /** Both in turn; the best round counts, as other loads on the machine only ever add. */
  rounds: 12,
} as const;

const URL_OF_ALL = "https://api.example.com/orders/7";

export function runDpopBench(): Section {
  return reportDpop(["bun", "node"].flatMap(measuredOn));
}

function measuredOn(runtime: string): DpopBenchRow[] {
  const self = fileURLToPath(import.meta.url);
  const withRuntime = fileURLToPath(new URL("../tools/with-runtime", import.meta.url));
  const { status, stdout, stderr } = spawnSync(withRuntime, [runtime, self], { encoding: "utf8" });
  if (status !== 0) throw new Error(`dpop on ${runtime}: ${stderr}`);
  return JSON.parse(stdout) as DpopBenchRow[];
}

export function reportDpop(rows: readonly DpopBenchRow[]): Section {
  return {
    name: "dpop",
    title: "A DPoP proof",
    table: {
      columns: ["proofs", "signature checks / s", "whole proofs / s", "proofs to signatures"],
      rows: rows.map(({ algorithm, runtime, signatures, proofs }) => [
        `${algorithm} on ${runtime}`,
        figure(signatures),
        figure(proofs),
        `${figure(proofs / signatures)} ×`,
      ]),
    },
    goals: rows.map(({ algorithm, runtime, signatures, proofs }) => ({
      what: `${algorithm} on ${runtime}: proofs to bare signatures`,
      unit: " ×",
      measured: proofs / signatures,
      bound: { atLeast: RATIO_GOAL },
    })),
    data: rows,
  };
}

interface Sample {
  readonly token: string;
  readonly keyThumbprint: string;
  readonly proof: string;
}

function measure(algorithm: DpopBenchRow["algorithm"]): DpopBenchRow {
  const clients = Array.from({ length: LIMITS.keys }, (_, index) =>
    dpopClient(algorithm, `bench-${algorithm}-${index}`),
  );
  const nowMs = systemClock.now();
  const samples = Array.from({ length: LIMITS.proofs }, (_, index): Sample => {
    const client = clients[index % clients.length];
    if (client === undefined) throw new TypeError("no client");
    // As long as an access token of a large provider.
    const token = `${randomUUID()}.${"t".repeat(900)}`;
    const proof = client.proof({ method: "GET", url: URL_OF_ALL, token, nowMs });
    return { token, keyThumbprint: client.thumbprint, proof };
  });
  let [signatures, proofs] = [0, 0];
  const bare = bareChecks(algorithm, samples);
  for (let round = 0; round < LIMITS.rounds; round++) {
    signatures = Math.max(signatures, rateOf(bare));
    proofs = Math.max(proofs, rateOf(wholeChecks(samples, nowMs)));
  }
  const runtime = process.versions["bun"] === undefined ? "Node" : "Bun";
  return { algorithm, runtime, signatures, proofs };
}

function rateOf(round: () => void): number {
  const started = performance.now();
  round();
  return (LIMITS.proofs * 1000) / (performance.now() - started);
}

function bareChecks(algorithm: DpopBenchRow["algorithm"], samples: readonly Sample[]): () => void {
  const { digest, parameters } = algorithmProfile(algorithm);
  const checks = samples.map(({ proof }) => {
    const [header = "", payload = "", signature = ""] = proof.split(".");
    const { jwk } = JSON.parse(Buffer.from(header, "base64url").toString()) as {
      readonly jwk: Record<string, string>;
    };
    return {
      input: Buffer.from(`${header}.${payload}`),
      key: { key: createPublicKey({ key: jwk, format: "jwk" }), ...parameters },
      signature: Buffer.from(signature, "base64url"),
    };
  });
  return () => {
    for (const { input, key, signature } of checks) {
      if (!verify(digest, input, key, signature)) throw new Error("a signature that does not fit");
    }
  };
}

/** With an empty memory, in which each proof is the first. */
function wholeChecks(samples: readonly Sample[], nowMs: number): () => void {
  const shared = createLocalMemory({ clock: systemClock, timers: systemTimers });
  const verifier = createProofVerifier(
    { ...dpopSchema.parse(undefined), nonce: "off" },
    { shared, metrics: createMetrics() },
  );
  const method = "GET";
  const url = URL_OF_ALL;
  return () => {
    for (const { token, keyThumbprint, proof } of samples) {
      // As many fields as a request of a browser has.
      const fields = [
        "accept",
        "*/*",
        "user-agent",
        "bench",
        "accept-language",
        "en",
        "dpop",
        proof,
      ];
      const answer = verifier.verify({ fields, method, url, token, keyThumbprint, nowMs });
      if (answer instanceof Promise || answer.refused !== undefined) throw new Error("refused");
    }
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(JSON.stringify(ALGORITHMS.map(measure)));
}
