/** Where an authority serves machines: the feed to proxies, an identity to those that enrol. */
import type { ServeOptions } from "../../authority/authority-options.ts";
import type { AuthorityState } from "../../authority/state/authority-state.ts";
import { createEnrolmentEndpoint } from "../../authority/enrolment/enrolment-endpoint.ts";
import { createEnrolment } from "../../authority/enrolment/enrolment.ts";
import { createMachineKeys } from "../../authority/enrolment/machine-keys.ts";
import { createFeedPublisher } from "../../authority/feed/feed-publisher.ts";
import { createFeedServer, type FeedServer } from "../../authority/feed/feed-server.ts";
import { bundleFor } from "../../authority/feed/feed-settings.ts";
import { admitFromRegister } from "../../authority/feed/follower-admission.ts";
import { serveMachines } from "../../authority/feed/serve.ts";
import { createIssuedIdentity } from "../../authority/feed/server-identity.ts";
import { createWorkloadAdmission } from "../../authority/enrolment/workload-admission.ts";
import type { ApiKeyUses } from "../../keys/api-key-uses.ts";
import type { Instruments } from "../instruments.ts";
import type { Closers } from "./closers.ts";
import type { Registers } from "./registers.ts";

export interface ServingParts {
  readonly issuer: string;
  readonly registers: Pick<Registers, "store" | "keys" | "ca" | "workloads" | "bundles">;
  readonly state: AuthorityState;
  readonly uses: Pick<ApiKeyUses, "note">;
  readonly instruments: Instruments;
  readonly closers: Closers;
}

/** The state must have been started. Rejects with `listen-failed`. */
export async function openServing(
  { address, names }: ServeOptions,
  { issuer, registers, state, uses, instruments, closers }: ServingParts,
): Promise<FeedServer> {
  const { store, keys, ca, workloads, bundles } = registers;
  const publisher = createFeedPublisher({ ...instruments, state, keys, ca });
  closers.add(() => publisher.close());
  const workloadAdmission = createWorkloadAdmission({ ...instruments, store, issuer });
  const admission = admitFromRegister(workloadAdmission);
  const feed = createFeedServer({
    ...instruments,
    source: publisher,
    async admit(certificate) {
      const admitted = await admission(certificate);
      if (admitted.refused === undefined) workloads.seen(admitted.name);
      return admitted;
    },
    used: (told) => uses.note(told),
    async bundle(hash, name) {
      return bundleFor(state.settings, name) === hash ? await bundles.bytes(hash) : undefined;
    },
  });
  closers.add(
    state.observe({
      reset: () => feed.recheck(),
      stepped() {},
      settingsChanged() {},
      workloadsChanged: (changed) => feed.recheck(new Set(changed)),
      current() {},
    }),
  );
  const identity = createIssuedIdentity(names, { ...instruments, ca });
  closers.add(() => identity.close());
  const enrolment = createEnrolmentEndpoint({
    ...instruments,
    enrolment: createEnrolment({ ...instruments, store, ca, issuer }),
    machineKeys: createMachineKeys({ store }),
    admission: workloadAdmission,
    ca,
    issuer,
  });
  const listener = await serveMachines({ address, identity, feed, enrolment }, instruments);
  closers.add(() => listener.close(0));
  return feed;
}
