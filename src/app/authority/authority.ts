/**
 * The authority in this process: state, keys, the small CA and the registers over one store, opened in
 * the order in which they stand on each other and closed in the opposite one.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { hostname } from "node:os";
import {
  type AuthorityState,
  createAuthorityState,
} from "../../authority/state/authority-state.ts";
import type { KeeperOptions } from "../../authority/authority-options.ts";
import { createBundleRegister } from "../../authority/state/bundle-register.ts";
import {
  createMachineKeys,
  OWN_PREFIX,
  readMachineKeys,
} from "../../authority/enrolment/machine-keys.ts";
import { isKeptOut, readWorkload } from "../../authority/enrolment/workload-record.ts";
import { authorityUrl } from "../../authority/enrolment/enrolment-token.ts";
import { createWorkloadRegister } from "../../authority/enrolment/workload-register.ts";
import { createCertificateAuthority } from "../../keys/certificate-authority.ts";
import { createKeyManager } from "../../keys/key-manager.ts";
import { apiKeyEntryOf } from "../../keys/api-key-document.ts";
import { readApiKeyMac } from "../../keys/api-key-mac.ts";
import { createApiKeyUses } from "../../keys/api-key-uses.ts";
import { createApiKeyRegister } from "../../keys/api-key-register.ts";
import { entryOf } from "../../keys/revocation-document.ts";
import { createRevocationRegister } from "../../keys/revocation-register.ts";
import { ASSERTION_ISSUER_PATH } from "../../model/assertion.ts";
import type { Sealer } from "../../crypto/seal.ts";
import { SallyportError } from "../../model/errors.ts";
import type { StoredDocument } from "../../model/store.ts";
import { keepHouse } from "../../store/housekeeping.ts";
import { openStore } from "../../store/open-store.ts";
import { storeName } from "../../store/store-url.ts";
import { signingByAuthority, signingWith } from "../assertion-signing.ts";
import type { Instruments } from "../instruments.ts";
import type { Backing } from "./backing.ts";
import { Closers } from "./closers.ts";
import { openClients } from "./clients.ts";
import { createIssuing } from "./issuing.ts";
import { ringBeside } from "./machine-ring.ts";
import { openWhenThere } from "./open-when-there.ts";
import { publish } from "./publish.ts";
import type { Registers } from "./registers.ts";
import { readSealer } from "./sealer.ts";
import { openServing } from "./serving.ts";

export interface RunningAuthority extends Backing {
  readonly registers: Registers;
  readonly state: AuthorityState;
}

/** `waits` is told what it waits for. Rejects with what keeps it from running; then nothing is left open. */
export async function startAuthority(
  options: KeeperOptions,
  instruments: Instruments,
  waits?: (text: string) => void,
): Promise<RunningAuthority> {
  const closers = new Closers();
  try {
    return await open(options, { instruments, closers, waits });
  } catch (error) {
    await closers.close();
    throw error;
  }
}

interface Ground {
  readonly instruments: Instruments;
  readonly closers: Closers;
  readonly waits: ((text: string) => void) | undefined;
}

async function open(options: KeeperOptions, ground: Ground): Promise<RunningAuthority> {
  const { instruments } = ground;
  const sealer = await readSealer(options.keyEncryptionKey, instruments);
  const opened = await openRegisters(options, ground, sealer);
  const { store, keys, ca, bundles } = opened;
  const state = createAuthorityState({
    ...instruments,
    store,
    keys,
    ca,
    bundles,
    entryOf,
    disabledOf,
    apiKeys: {
      entryOf: apiKeyEntryOf,
      macOf: (document) => readApiKeyMac(sealer, document),
    },
    machineKeysOf: readMachineKeys,
  });
  ground.closers.add(() => state.close());
  await state.start();
  const { closers } = ground;
  const inForce = (): number => state.size;
  const revocations = createRevocationRegister({ store, log: instruments.log, inForce });
  const apiKeys = createApiKeyRegister({
    ...instruments,
    store,
    sealer,
    randomBytes,
    count: () => state.apiKeyCount,
  });
  const { register: clients, ...ofClients } = openClients(store, instruments, ground.closers);
  const registers = { ...opened, revocations, apiKeys, clients };
  const uses = createApiKeyUses({ ...instruments, store, has: (id) => state.hasApiKey(id) });
  ground.closers.add(() => uses.close());
  const machineKeys = createMachineKeys({ store });
  // Several authorities on one host do not share a document; a name that nobody can enrol under.
  const own = `${OWN_PREFIX}${hostname()}.${randomUUID()}`.slice(0, 128);
  const { issuer, serve } = options;
  const { clock } = instruments;
  const issuing = createIssuing(issuer, {
    keys,
    revocations,
    clients: ofClients.lookup,
    clock,
    lifetimeMs: options.lifetime,
  });
  ground.closers.add(() => issuing.close());
  const serving = { issuer, registers, state, uses, instruments, closers };
  const feed = serve && (await openServing(serve, serving));
  return {
    registers,
    state,
    maxStalenessMs: options.maxStaleness,
    follow: (consumer) => state.follow(consumer, ITSELF),
    used: (told) => uses.note(told),
    issuing,
    signing({ shared, standing }) {
      const name = `${issuer}${ASSERTION_ISSUER_PATH}`;
      // The authority's key leaves its process for nobody.
      return shared
        ? signingWith(
            name,
            ringBeside(standing, instruments, async ({ key, published }) => {
              const { jwk, kid: thumbprint, algorithm } = key;
              const proven = { jwk: jwk as Record<string, string>, thumbprint, algorithm };
              const outcome = await machineKeys.publish(own, proven, published);
              if (outcome !== "published") throw new SallyportError("store-failed", outcome);
            }),
          )
        : signingByAuthority(name, keys, instruments.clock);
    },
    inForce(prepared, how) {
      ofClients.inForce(prepared.loaded.config);
      return publish(prepared, { how, by: hostname(), bundles, log: instruments.log });
    },
    role: (serves) => (serves ? "single" : "authority"),
    feed() {
      const { asOfMs } = state;
      const { epoch, number } = state.position();
      return { epoch, number, asOfMs, maxStalenessMs: options.maxStaleness };
    },
    followers: () => feed?.followers,
    serves: serve?.address,
    detail: () => ({}),
    close: () => closers.close(),
  };
}

function disabledOf(document: StoredDocument): string | undefined {
  return isKeptOut(readWorkload(document)) ? document.id : undefined;
}

/** What follows in memory is no proxy that was enrolled, so no bundle is chosen for it. */
const ITSELF = "";

async function openRegisters(
  options: KeeperOptions,
  { instruments, closers, waits }: Ground,
  sealer: Sealer,
): Promise<Omit<Registers, "revocations" | "apiKeys" | "clients">> {
  const { issuer, algorithm, rotate: rotateMs, lifetime: lifetimeMs } = options;
  const store = await openWhenThere(() => openStore(options.store, instruments), {
    log: instruments.log,
    name: storeName(options.store),
    waits,
  });
  closers.add(() => store.close());
  closers.add(keepHouse(store, instruments));
  const deps = { ...instruments, store, sealer };
  const keys = createKeyManager({ algorithm, rotateMs, lifetimeMs }, deps);
  closers.add(() => keys.close());
  const ca = createCertificateAuthority(deps);
  closers.add(() => ca.close());
  const authority = options.serve && authorityUrl(options.serve);
  const workloads = createWorkloadRegister({ ...deps, ca, issuer, randomBytes, authority });
  closers.add(() => workloads.close());
  const bundles = createBundleRegister(deps);
  closers.add(() => bundles.close());
  await Promise.all([keys.start(), ca.start(), bundles.start()]);
  return { store, keys, ca, workloads, bundles };
}
