/**
 * What may not have happened: judged by the audit logs of the proxies, by what reached the service,
 * and by the answers that callers got, each with its time.
 */
import assert from "node:assert/strict";
import type { Cluster, ProxyMachine } from "./harness.ts";
import type { Answered } from "./load.ts";
import { type AuditRecord, until } from "./machine.ts";

/** Milliseconds that two readings of the one clock of the machine may be apart, with its rounding. */
const CLOCK_MS = 5;

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Decisions to permit in the span, of one subject or of all. */
export function permits(proxy: ProxyMachine, span: Span, subject?: string): readonly AuditRecord[] {
  return proxy.records().filter((record) => {
    if (record["type"] !== "decision" || record["decision"] !== "permit") return false;
    const atMs = Date.parse(String(record["time"]));
    if (atMs <= span.fromMs + CLOCK_MS || atMs > span.toMs) return false;
    const principal = record["principal"] as { readonly subject?: string } | undefined;
    return subject === undefined || principal?.subject === subject;
  });
}

/**
 * A proxy that could hear nothing newer than `lastHeardMs` permitted nothing beyond its bound, until
 * it could hear again.
 */
export function assertStale(
  cluster: Cluster,
  proxy: ProxyMachine,
  { lastHeardMs, untilMs }: { readonly lastHeardMs: number; readonly untilMs: number },
  answers: readonly Answered[] = [],
): void {
  const fromMs = lastHeardMs + cluster.maxStalenessMs;
  assert.ok(untilMs - fromMs > 500, "it was looked at for some time beyond the bound");
  assert.deepEqual(
    permits(proxy, { fromMs, toMs: untilMs }),
    [],
    `${proxy.name}: a permit past the bound`,
  );
  const late = answers.filter(
    ({ target, askedMs, answeredMs, status }) =>
      target === proxy.edge &&
      askedMs > fromMs + CLOCK_MS &&
      answeredMs < untilMs &&
      status === 200,
  );
  assert.deepEqual(late, [], `${proxy.name}: a caller was let through past the bound`);
}

/** Whose access was taken away at `committedMs` is permitted nothing anywhere once the bound is over. */
export function assertRevoked(cluster: Cluster, subject: string, committedMs: number): void {
  const fromMs = committedMs + cluster.maxStalenessMs;
  for (const proxy of cluster.proxies) {
    const found = permits(proxy, { fromMs, toMs: Infinity }, subject);
    assert.deepEqual(found, [], `${proxy.name} permitted ${subject} after its revocation`);
  }
}

/** Whatever died: every caller got an answer, or the end of his connection, in time. */
export function assertAnswered(answers: readonly Answered[], withinMs: number): void {
  assert.ok(answers.length > 50, "there was somebody to answer");
  const late = answers.filter(({ askedMs, answeredMs }) => answeredMs - askedMs > withinMs);
  assert.deepEqual(late, [], "a request hung");
}

/** All authorities and all proxies stand at the same number of the same epoch, and say that they are ready. */
export async function converged(cluster: Cluster): Promise<void> {
  const machines = [...cluster.authorities, ...cluster.proxies];
  let seen: string[] = [];
  try {
    await until("positions are equal", async () => {
      seen = await Promise.all(
        machines.map(async (machine) => {
          const { status, body } = await machine
            .ready()
            .catch((error: unknown) => ({ status: 0, body: { error: String(error) } }));
          return status === 200 ? positionOf(body) : `${machine.name}: ${JSON.stringify(body)}`;
        }),
      );
      return new Set(seen).size === 1;
    });
  } catch (error) {
    throw new Error(`${String(error)}\n${seen.join("\n")}`, { cause: error });
  }
}

function positionOf(body: object): string {
  const { authority } = body as {
    readonly authority?: {
      readonly position?: { readonly epoch: string; readonly number: number };
    };
  };
  return `${authority?.position?.epoch} ${authority?.position?.number}`;
}
