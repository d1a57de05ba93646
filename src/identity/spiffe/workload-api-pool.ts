/**
 * Clients of the Workload API that outlive one configuration: whoever names the same agent and identity
 * gets the client that is there, so that a process has one connection to its agent, however many
 * listeners and services show what comes from it.
 */
import { GRPC_STATUS } from "../../model/grpc-status.ts";
import type { GrpcClient } from "../../platform/grpc-client.ts";
import { createWorkloadApi, type WorkloadApiDeps } from "./workload-api.ts";
import { workloadAddress, type WorkloadApiOptions } from "./workload-api-options.ts";
import type { WorkloadSource } from "./workload-source.ts";

const LIMITS = {
  /** What gRPC takes by default too: some two thousand authorities. */
  messageBytes: 4 * 1024 * 1024,
} as const;

/** Workload Endpoint section 3: without it an agent has to refuse, so that no page in a browser gets through. */
const METADATA = { "workload.spiffe.io": "true" } as const;

export interface WorkloadApiPool {
  /** Each is to be closed once by each who opened it. */
  open(options: WorkloadApiOptions): WorkloadSource;
}

interface Shared {
  readonly source: WorkloadSource;
  users: number;
}

export function createWorkloadApiPool(
  deps: Omit<WorkloadApiDeps, "client" | "random">,
): WorkloadApiPool {
  const all = new Map<string, Shared>();
  return {
    open(options) {
      const key = JSON.stringify([options.address, options.id]);
      const shared = all.get(key) ?? { source: create(options, deps), users: 0 };
      all.set(key, shared);
      shared.users += 1;
      const { source } = shared;
      let open = true;
      return {
        svid: () => source.svid(),
        bundle: (part, trustDomain) => source.bundle(part, trustDomain),
        want: (part) => source.want(part),
        watch: (changed) => source.watch(changed),
        standing: () => source.standing(),
        close() {
          if (!open) return;
          open = false;
          shared.users -= 1;
          if (shared.users > 0) return;
          all.delete(key);
          source.close();
        },
      };
    },
  };
}

function create(
  options: WorkloadApiOptions,
  deps: Omit<WorkloadApiDeps, "client" | "random">,
): WorkloadSource {
  const client = whenNeeded(() => openClient(options.address));
  return createWorkloadApi(options, { ...deps, client, random: Math.random });
}

/** The library takes 60 ms and 20 MB to load, which nobody pays who has no agent, or asks none. */
async function openClient(address: string): Promise<GrpcClient> {
  const { openGrpcClient } = await import("../../platform/grpc-client.ts");
  return openGrpcClient({
    address: workloadAddress(address, (path) => path),
    metadata: METADATA,
    maxMessageBytes: LIMITS.messageBytes,
  });
}

/** A client that is made by its first call. */
function whenNeeded(make: () => Promise<GrpcClient>): GrpcClient {
  let client: Promise<GrpcClient> | undefined;
  return {
    stream(method, request, handlers) {
      let over = false;
      let cancel = (): void => undefined;
      client ??= make();
      const begin = async (made: Promise<GrpcClient>): Promise<void> => {
        try {
          const ready = await made;
          if (!over) cancel = ready.stream(method, request, handlers);
        } catch (error) {
          const detail = error instanceof Error ? error.message : "not an error";
          if (!over) handlers.ended({ code: GRPC_STATUS.INTERNAL, detail });
        }
      };
      void begin(client);
      return () => {
        over = true;
        cancel();
      };
    },
    close() {
      const end = async (made: Promise<GrpcClient>): Promise<void> => (await made).close();
      // What could not be made need not be closed.
      if (client !== undefined) void end(client).catch(() => undefined);
    },
  };
}
