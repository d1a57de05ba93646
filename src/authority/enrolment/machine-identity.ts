/**
 * This machine's identity while it is in use: read from its folder, renewed by itself at half of its
 * life, replaced where another process enrolled the machine anew.
 *
 * There is no grace: a certificate that has expired cannot renew itself. What lay on a disk that was
 * switched off, or in a backup, for longer than its life is what its life bounds; and one command enrols
 * the machine anew. So a machine that was off for longer than a day says so, and how.
 */
import { SallyportError } from "../../model/errors.ts";
import type { JsonObject } from "../../model/json.ts";
import type { Clock, Log, Metrics, Timers } from "../../model/ports.ts";
import type { EnrolmentMethod, WorkloadKind } from "../../model/workloads.ts";
import { sendProof } from "./enrolment-client.ts";
import { type ProofKey, PROOF_TYPES, signProof } from "./enrolment-proof.ts";
import { checkOwn, EnrolmentRefused, readGrant } from "./machine-identity-answer.ts";
import type { IdentityFiles } from "./machine-identity-files.ts";
import {
  HOW_TO_ENROL,
  type IdentityFolder,
  type LoadedIdentity,
  openIdentityFolder,
} from "./machine-identity-folder.ts";
import { readRoots } from "./machine-roots.ts";
import { trustDomainOf, workloadUri } from "./workload-id.ts";

const LIMITS = {
  /** Of its life, after which it is renewed: half is left for authorities that are away. */
  renewAt: 0.5,
  /** Share of its life by which machines differ, so that those that started together do not renew together. */
  jitter: 0.1,
  /** Looks at clock and folder so often: timers stand still while a machine sleeps, and `sallyport enrol` is another process. */
  lookMs: 15_000,
  /** Between attempts that fail, doubling, with jitter. */
  firstRetryMs: 15_000,
  lastRetryMs: 10 * 60_000,
} as const;

/** What every enrolled machine has. Times are milliseconds since the epoch. */
interface EnrolledMachine {
  readonly name: string;
  readonly kind: WorkloadKind;
  /** `spiffe://<trust domain>/sallyport/<kind>/<name>`. */
  readonly id: string;
  readonly issuer: string;
  /** Where it renews. */
  readonly authorities: readonly string[];
  /** PKCS #8. Never logged, never sent. */
  readonly keyPem: string;
  /** PEM of the authorities that vouch for the authority's servers, one each. */
  readonly roots: readonly string[];
  readonly notAfterMs: number;
  /** Called after any of these has changed. Returns the function that ends it. */
  changed(listener: () => void): () => void;
  /** From the feed: the authorities of now. Rejects with `enrolment-failed` for those under which our own certificate would not count. */
  adoptRoots(pems: readonly string[]): Promise<void>;
  /** Renews by itself from now on. */
  start(): void;
  /** When it is to be renewed. */
  readonly renewAtMs: number;
  /** Renews now, whatever its age. Rejects with `enrolment-failed`. */
  renew(): Promise<void>;
  close(): void;
}

/** With a certificate: what the feed is followed with. */
export interface MachineIdentity extends EnrolledMachine {
  readonly method: "mtls";
  /** PEM, our own first. */
  readonly certificatePem: string;
}

/** With a registered key: signs assertions (RFC 7523 section 2.2). */
export interface MachineKey extends EnrolledMachine {
  readonly method: "private-key-jwt";
  readonly clientId: string;
  readonly kid: string;
}

export interface MachineIdentityDeps {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  /** From 0 to 1; for the jitter. */
  readonly random: () => number;
  readonly files?: IdentityFiles | undefined;
  /** Where it may renew besides where it was enrolled: the addresses in the configuration. */
  readonly authorities?: readonly string[] | undefined;
}

/** The identity of a machine that was enrolled with mtls. Throws `enrolment-failed`, with what to do. */
export async function openMachineIdentity(
  folder: string,
  deps: MachineIdentityDeps,
): Promise<MachineIdentity> {
  const machine = await openMachine(folder, deps);
  if (machine.method === "mtls") return machine;
  throw wrongMethod(folder, machine.name, "mtls");
}

/** The same of one that was enrolled with private-key-jwt. */
export async function openMachineKey(
  folder: string,
  deps: MachineIdentityDeps,
): Promise<MachineKey> {
  const machine = await openMachine(folder, deps);
  if (machine.method === "private-key-jwt") return machine;
  throw wrongMethod(folder, machine.name, "private-key-jwt");
}

/** Whichever it was enrolled with. Throws `enrolment-failed`, with what to do. */
export async function openMachine(
  path: string,
  deps: MachineIdentityDeps,
): Promise<MachineIdentity | MachineKey> {
  const { clock, files } = deps;
  const folder = await openIdentityFolder(path, { create: false, nowMs: () => clock.now(), files });
  const identity = await folder.load();
  if (identity === undefined) {
    throw failed(`${path} holds no identity: this machine is not enrolled. ${HOW_TO_ENROL}`);
  }
  const nowMs = clock.now();
  if (nowMs >= identity.notAfterMs) throw failed(expiredText(identity, path, nowMs));
  const notBefore = identity.certificate?.notBefore ?? 0;
  if (nowMs < notBefore) {
    const seconds = Math.ceil((notBefore - nowMs) / 1000);
    throw failed(
      `the certificate in ${path} is valid only in ${seconds} s: set this machine's clock right`,
    );
  }
  // What it has follows its method, which `readGrant` and `load` see to.
  return new Machine(folder, identity, deps) as Machine & (MachineIdentity | MachineKey);
}

class Machine {
  readonly #folder: IdentityFolder;
  readonly #deps: MachineIdentityDeps;
  readonly #listeners = new Set<() => void>();
  #identity: LoadedIdentity;
  #renewAtMs: number;
  #failures = 0;
  #callOff: (() => void) | undefined;
  /** What writes to the folder, one after the other. */
  #work: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(folder: IdentityFolder, identity: LoadedIdentity, deps: MachineIdentityDeps) {
    this.#folder = folder;
    this.#deps = deps;
    this.#identity = identity;
    this.#renewAtMs = this.#halfLife(identity);
    deps.metrics.sampled(
      "sallyport_identity_expires_seconds",
      "Seconds until this machine's identity expires; it is renewed at about half of its life.",
      () => (this.#identity.notAfterMs - deps.clock.now()) / 1000,
    );
  }

  get name(): string {
    return this.#identity.name;
  }
  get kind(): WorkloadKind {
    return this.#identity.kind;
  }
  get method(): EnrolmentMethod {
    return this.#identity.method;
  }
  get id(): string {
    return idOf(this.#identity);
  }
  get issuer(): string {
    return this.#identity.issuer;
  }
  get authorities(): readonly string[] {
    // Where it was enrolled comes first: what the configuration names may be relays, which cannot renew.
    return [...new Set([...this.#identity.authorities, ...(this.#deps.authorities ?? [])])];
  }
  get keyPem(): string {
    return this.#identity.keyPem;
  }
  get certificatePem(): string | undefined {
    return this.#identity.certificatePem;
  }
  get clientId(): string | undefined {
    return this.#identity.clientId;
  }
  get kid(): string {
    return this.#identity.key.thumbprint;
  }
  get roots(): readonly string[] {
    return this.#identity.roots;
  }
  get notAfterMs(): number {
    return this.#identity.notAfterMs;
  }

  get renewAtMs(): number {
    return this.#renewAtMs;
  }

  changed(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  adoptRoots(pems: readonly string[]): Promise<void> {
    return this.#alone(async () => {
      const roots = readRoots([...pems]);
      const identity = this.#identity;
      if (roots.join("") === identity.roots.join("")) return;
      const { certificatePem, key } = identity;
      const nowMs = this.#deps.clock.now();
      // A list that would lock us out is a mistake or an attack; what we trust now stays.
      if (certificatePem !== undefined) {
        checkOwn(certificatePem, { key, roots, expected: this.id, nowMs });
      }
      this.#use(await this.#folder.adopt(storedOf(identity, { roots }), identity.keyPem));
    });
  }

  start(): void {
    void this.#begin();
  }

  renew(): Promise<void> {
    return this.#alone(() => this.#renewOnce());
  }

  close(): void {
    this.#closed = true;
    this.#callOff?.();
    this.#listeners.clear();
  }

  async #begin(): Promise<void> {
    // An answer was lost: the authority may know that key already, and ours not for long.
    if (await this.#folder.hasPendingKey().catch(() => false)) this.#renewAtMs = 0;
    this.#look();
  }

  #look(): void {
    if (this.#closed) return;
    this.#callOff?.();
    const waitMs = this.#renewAtMs - this.#deps.clock.now();
    const delay = Math.min(Math.max(waitMs, 0), LIMITS.lookMs);
    this.#callOff = this.#deps.timers.after(delay, () => {
      void this.#alone(() => this.#due())
        .catch((error: unknown) => this.#failed(error))
        .finally(() => this.#look());
    });
  }

  async #due(): Promise<void> {
    await this.#reload();
    if (this.#deps.clock.now() >= this.#renewAtMs) await this.#renewOnce();
  }

  /** Another process may have enrolled this machine anew. */
  async #reload(): Promise<void> {
    if ((await this.#folder.generation()) === this.#identity.generation) return;
    const stored = await this.#folder.load();
    if (stored === undefined) return;
    this.#use(stored);
    this.#deps.log.info("identity: this machine was enrolled anew", { name: stored.name });
  }

  #failed(error: unknown): void {
    const { clock, log, random } = this.#deps;
    const backOff = Math.min(LIMITS.firstRetryMs * 2 ** this.#failures, LIMITS.lastRetryMs);
    this.#failures += 1;
    const nowMs = clock.now();
    this.#renewAtMs = nowMs + backOff * (0.5 + random() / 2);
    const { name, notAfterMs } = this.#identity;
    const leftSeconds = Math.round((notAfterMs - nowMs) / 1000);
    const given = error instanceof Error ? error : undefined;
    if (leftSeconds > 0) {
      log.warn("identity: could not be renewed; tried again", { name, leftSeconds, error: given });
    } else {
      log.error("identity: it has expired; this machine has to be enrolled anew", {
        name,
        error: given,
      });
    }
  }

  async #renewOnce(): Promise<void> {
    await this.#reload();
    const nowMs = this.#deps.clock.now();
    const identity = this.#identity;
    if (nowMs >= identity.notAfterMs) {
      throw failed(expiredText(identity, this.#folder.path, nowMs));
    }
    const { key, keyPem } = await this.#folder.pendingKey();
    const granted = await this.#ask(identity, key);
    const { authorities } = identity;
    this.#use(await this.#folder.adopt({ ...granted, authorities }, keyPem));
    this.#deps.log.info("identity: renewed", {
      name: granted.name,
      notAfter: new Date(granted.notAfterMs).toISOString(),
    });
  }

  /** Asks one authority after the other. The first no that is meant for us counts; others may just be relays. */
  async #ask(identity: LoadedIdentity, key: ProofKey): Promise<ReturnType<typeof readGrant>> {
    const { issuer, name, roots, certificatePem, keyPem } = identity;
    const { clock } = this.#deps;
    const own =
      certificatePem === undefined ? undefined : { certificate: certificatePem, key: keyPem };
    let last: unknown = failed("there is no authority to renew with");
    for (const authority of this.authorities) {
      try {
        const proof = renewalProof(identity, key, clock.now());
        const answer = await sendProof(new URL("/renew", authority), proof, { roots, own });
        return readGrant(answer, { key, issuer, name, nowMs: clock.now(), known: roots });
      } catch (error) {
        last = error;
        if (error instanceof EnrolmentRefused && error.refusal !== undefined) throw error;
      }
    }
    throw last;
  }

  #use(identity: LoadedIdentity): void {
    this.#identity = identity;
    this.#renewAtMs = this.#halfLife(identity);
    this.#failures = 0;
    for (const listener of this.#listeners) listener();
  }

  #halfLife({ obtainedMs, notAfterMs }: LoadedIdentity): number {
    const life = notAfterMs - obtainedMs;
    const share = LIMITS.renewAt + LIMITS.jitter * (this.#deps.random() - 0.5);
    return obtainedMs + life * share;
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#work.then(work);
    this.#work = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }
}

function renewalProof(identity: LoadedIdentity, key: ProofKey, nowMs: number): string {
  const { issuer: audience, certificate, key: oldKey, clientId } = identity;
  const old = certificate?.thumbprint ?? oldKey.thumbprint;
  const claims: JsonObject = { jwk: key.jwk, old };
  const proof = signProof(key, { type: PROOF_TYPES.renew, audience, nowMs, claims });
  if (clientId === undefined) return proof;
  const outer = { type: PROOF_TYPES.rotate, audience, nowMs, claims: { sub: clientId, proof } };
  return signProof(oldKey, outer);
}

function storedOf(
  {
    name,
    kind,
    method,
    issuer,
    authorities,
    obtainedMs,
    notAfterMs,
    certificatePem,
    clientId,
  }: LoadedIdentity,
  { roots }: { readonly roots: readonly string[] },
) {
  return {
    name,
    kind,
    method,
    issuer,
    authorities,
    obtainedMs,
    notAfterMs,
    certificatePem,
    clientId,
    roots,
  };
}

function idOf({ kind, name, issuer }: LoadedIdentity): string {
  return workloadUri(trustDomainOf(issuer), { kind, name });
}

function expiredText({ name, notAfterMs }: LoadedIdentity, path: string, nowMs: number): string {
  const minutes = Math.max(1, Math.round((nowMs - notAfterMs) / 60_000));
  return `the identity of ${name} in ${path} expired ${minutes} min ago, and an expired one cannot renew itself. Get a join token with \`sallyport workloads re-enrol ${name}\`, then \`sallyport enrol --identity ${path}\` here. If this machine's clock is wrong, set it right instead`;
}

function wrongMethod(folder: string, name: string, wanted: EnrolmentMethod): SallyportError {
  return failed(
    `${folder} holds the identity of ${name}, which was not enrolled with ${wanted}: remove it and enrol it with --method ${wanted}`,
  );
}

function failed(message: string): SallyportError {
  return new SallyportError("enrolment-failed", message);
}
