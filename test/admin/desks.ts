/** The real registers of an authority over one store in memory, for the API to show and change. */
import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import type { AdminDeps } from "../../src/admin/admin-deps.ts";
import { createWorkloadRegister } from "../../src/authority/enrolment/workload-register.ts";
import { createCertificateAuthority } from "../../src/keys/certificate-authority.ts";
import { createKeyManager } from "../../src/keys/key-manager.ts";
import { createApiKeyRegister } from "../../src/keys/api-key-register.ts";
import { createClientRegister } from "../../src/keys/client-register.ts";
import { createRevocationRegister } from "../../src/keys/revocation-register.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { ManualTimers } from "../../src/platform/timers.ts";
import { createFixtureCa } from "../authority/enrolment-ground.ts";
import { OPTIONS, testSealer } from "../keys/kit.ts";
import { recordedLog, recordedMetrics } from "../ports.ts";
import { createMemoryStore, type MemoryStore } from "../store/memory.ts";

type Whole = { readonly [Name in keyof AdminDeps]-?: NonNullable<AdminDeps[Name]> };

export interface Desks extends Pick<
  Whole,
  "workloads" | "revocations" | "apiKeys" | "clients" | "keys" | "roots" | "bundles"
> {
  readonly store: MemoryStore;
}

export async function desks(t: TestContext): Promise<Desks> {
  const clock = systemClock;
  const timers = new ManualTimers();
  const log = recordedLog();
  const store = createMemoryStore(clock);
  const deps = { store, clock, timers, log };
  const keys = createKeyManager(OPTIONS, {
    ...deps,
    metrics: recordedMetrics(),
    sealer: testSealer(),
  });
  const roots = createCertificateAuthority({
    ...deps,
    metrics: recordedMetrics(),
    sealer: testSealer(),
  });
  await Promise.all([keys.start(), roots.start()]);
  const workloads = createWorkloadRegister({
    ...deps,
    metrics: recordedMetrics(),
    ca: createFixtureCa(clock),
    randomBytes,
    issuer: "https://sallyport.example.com",
    authority: "https://authority.example.com:9443",
  });
  t.after(async () => {
    await keys.close();
    await roots.close();
    await workloads.close();
  });
  const publishedMs = clock.now();
  const hash = (letter: string): string => `sha256-${letter.repeat(43)}`;
  return {
    store,
    keys,
    roots,
    workloads,
    revocations: createRevocationRegister({ store, log, inForce: () => 0 }),
    apiKeys: createApiKeyRegister({
      store,
      log,
      randomBytes,
      sealer: testSealer(),
      count: () => 0,
    }),
    clients: createClientRegister({ store, log, randomBytes }),
    bundles: {
      list: () =>
        (["b", "a"] as const).map((letter) => ({
          hash: hash(letter),
          atMs: publishedMs,
          by: "local/1000",
          inForce: letter === "b",
          parts: [
            { proxy: "edge-*", services: ["billing"], bundle: hash("c"), bytes: 10 },
            { proxy: "*", services: "all" as const, bundle: hash("d"), bytes: 20 },
          ],
        })),
    },
  };
}
