/** Decisions that others ask for (AuthZEN), by the configuration that is in force when they ask. */
import { createAuthzen } from "../adapters/authzen.ts";
import { describeRoutes, testWorld } from "../config/policy-tests.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { EvaluationDesk } from "../model/authzen.ts";
import type { TestWorld } from "../policy/testing/test-world.ts";
import type { GateDeps } from "../gate/step.ts";
import type { RunningSnapshot } from "./build-snapshot.ts";
import type { Prepared } from "./prepare.ts";

interface Parts {
  readonly gate: GateDeps;
  readonly snapshot: () => Pick<RunningSnapshot, "admin">;
  readonly prepared: () => Prepared;
}

interface Known {
  readonly loaded: LoadedConfig;
  readonly world: Omit<TestWorld, "policyIds">;
  readonly services: ReadonlyMap<string, string | undefined>;
}

export function createEvaluations({ gate, snapshot, prepared }: Parts): EvaluationDesk {
  let known: Known | undefined;
  // A router costs a millisecond for a thousand routes, and is asked for again only after a reload.
  const current = (): Known => {
    const { loaded } = prepared();
    if (known?.loaded === loaded) return known;
    const { config, vocabulary } = loaded;
    return (known = {
      loaded,
      world: testWorld(describeRoutes(config), vocabulary),
      services: new Map(config.routes.map(({ name, service }) => [name, service])),
    });
  };
  const { audit, clock, nextDecisionId } = gate;
  return createAuthzen({
    audit,
    clock,
    nextDecisionId,
    world: () => current().world,
    serviceOf: (route) => current().services.get(route),
    policies() {
      const { admin } = snapshot();
      if (admin === undefined) throw new TypeError("a question at a door that is not there");
      return admin.policies;
    },
  });
}
