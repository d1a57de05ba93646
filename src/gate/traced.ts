/** What the gate tells the trace of a request, where one is recorded. Nothing of it is done for any other. */
import { isGranted, type Reason, reasonInfo } from "../model/reason.ts";
import { spansOf } from "../telemetry/traces/request-trace.ts";
import type { Deciding } from "./decision.ts";
import type { GateDeps, Step } from "./step.ts";

/** The same steps, each of which says how long it took. */
export function traced(steps: readonly Step[]): readonly Step[] {
  return steps.map((step): Step => {
    const { name } = step;
    return (deciding, deps) => {
      const spans = spansOf(deciding.trace);
      const from = deps.clock.monotonic();
      const result = step(deciding, deps);
      if (!(result instanceof Promise)) {
        spans?.step(name, from, false);
        return result;
      }
      return result.finally(() => spans?.step(name, from, true));
    };
  });
}

/** To be called before the decision is recorded: whether the trace is kept may depend on it. */
export function traceDecision(
  deciding: Deciding,
  reason: Reason,
  { deps, started }: { readonly deps: GateDeps; readonly started: number },
): void {
  if (deciding.trace === undefined) return;
  if (!isGranted(reason) && reason !== "answered-by-proxy") {
    deciding.trace = deps.tracing?.keep(deciding.trace, whyKept(reason), started);
  }
  spansOf(deciding.trace)?.decided(deciding, reason);
}

/** What was decided goes out. `told`: where it has become another reason since. */
export function traceEnd(deciding: Deciding, started: number, told?: Reason): void {
  const spans = spansOf(deciding.trace);
  if (spans === undefined) return;
  if (told !== undefined) spans.decided(deciding, told);
  spans.gateEnded(started, deciding.policy?.determining ?? NONE);
}

function whyKept(reason: Reason): typeof DENIED | typeof FAILED {
  return reasonInfo(reason).status >= 500 ? FAILED : DENIED;
}

const DENIED = Object.freeze(["denied"] as const);
const FAILED = Object.freeze(["denied", "errors"] as const);
const NONE: readonly string[] = Object.freeze([]);
