/** What work costs in processor time: what other processes take of the machine is not counted. */

/** Milliseconds of all threads of this process: the official engine has one of its own. */
export function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Returns the milliseconds that the work took, and what came of it. */
export async function timed<T>(work: () => Promise<T>): Promise<{ ms: number; value: T }> {
  const began = processorMs();
  const value = await work();
  return { ms: processorMs() - began, value };
}

const LIMITS = {
  /** Calls of one batch: the clock counts in milliseconds on some machines. */
  batch: 20_000,
  batches: 15,
} as const;

/** Microseconds of one call: the median of batches. `call` gets numbers from 0 on. */
export function medianUs(call: (step: number) => unknown, batch: number = LIMITS.batch): number {
  let step = 0;
  const round = (): number => {
    const began = processorMs();
    for (let count = 0; count < batch; count++) call(step++);
    return ((processorMs() - began) * 1000) / batch;
  };
  round();
  const each = Array.from({ length: LIMITS.batches }, round).toSorted((a, b) => a - b);
  return each[LIMITS.batches >> 1] ?? 0;
}
