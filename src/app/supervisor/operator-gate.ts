/**
 * What a supervisor decides operators' calls with. It serves no callers, so of a configuration it
 * needs authenticators and policies, and no route and no service; its records are in an audit log of
 * its own beside those of the workers.
 */
import { createAuditLog, type RunningAuditLog } from "../../audit/log.ts";
import type { GateDeps } from "../../gate/step.ts";
import { NO_REVOCATIONS } from "../../model/revocation.ts";
import type { Standing } from "../authority/standing.ts";
import { publishAuthorities } from "../authenticators.ts";
import { buildSnapshot, type RunningSnapshot } from "../build-snapshot.ts";
import { createGateDeps } from "../instance.ts";
import type { Instruments } from "../instruments.ts";
import type { Prepared } from "../prepare.ts";

export interface OperatorGate {
  readonly gate: GateDeps;
  /** The log of what is decided here. */
  readonly audit: RunningAuditLog;
  readonly snapshot: RunningSnapshot;
  /** Throws what `buildSnapshot` throws; then the former one stays in force. */
  reload(prepared: Prepared): Promise<void>;
  close(): Promise<void>;
}

export async function openOperatorGate(
  prepared: Prepared,
  instruments: Instruments,
  standing: Standing | undefined,
): Promise<OperatorGate> {
  const { config } = prepared.loaded;
  const instance = `${process.pid}-supervisor`;
  const audit = await createAuditLog(config.audit, { ...instruments, instance });
  const revocations = standing?.revocations ?? NO_REVOCATIONS;
  instruments.tracing.adjust(config.tracing, { redact: config.audit.redact });
  const gate = createGateDeps(config, { audit, revocations }, instruments);
  const open = async (one: Prepared): Promise<RunningSnapshot> => {
    const snapshot = await buildSnapshot(withoutTraffic(one), instruments);
    await snapshot.start();
    publishAuthorities(snapshot.authenticators(), instruments);
    return snapshot;
  };
  let snapshot = await open(prepared);
  return {
    gate,
    audit,
    get snapshot() {
      return snapshot;
    },
    async reload(next) {
      const former = snapshot;
      snapshot = await open(next);
      gate.budget.adjust(next.loaded.config.limits.failures);
      const { audit: auditing, tracing } = next.loaded.config;
      instruments.tracing.adjust(tracing, { redact: auditing.redact });
      former.close();
    },
    async close() {
      snapshot.close();
      await Promise.all([audit.close(), instruments.tracing.close()]);
    },
  };
}

function withoutTraffic({ loaded, ...policies }: Prepared): Prepared {
  const config = { ...loaded.config, routes: [], services: {} };
  return { loaded: { ...loaded, config }, ...policies };
}
