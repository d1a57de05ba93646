/** What the `workloads` commands ask of whoever keeps the register: the admin API, over its typed client. */
import type { EnrolmentMethod, Invitation, Workload, WorkloadKind } from "../model/workloads.ts";

/** Every verb rejects with a SallyportError that says what is wrong: no such name, one that is taken, … */
export interface WorkloadsDesk {
  enrol(
    name: string,
    options: { readonly kind: WorkloadKind; readonly method: EnrolmentMethod },
  ): Promise<Invitation>;
  reenrol(name: string, options: { readonly now: boolean }): Promise<Invitation>;
  get(name: string): Promise<Workload>;
  /** All of them, page after page. */
  list(options: { readonly unusedSinceMs: number | undefined }): AsyncIterable<Workload>;
  disable(name: string, options: { readonly reason: string | undefined }): Promise<Workload>;
  enable(name: string): Promise<Workload>;
  remove(name: string): Promise<void>;
}
