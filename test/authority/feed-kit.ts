/** What tests of the feed stand on: an authority in memory with keys and a CA, turned by hand. */
import { createMemoryStore, type MemoryStore } from "../store/memory.ts";
import { type Certificate, parseCertificate } from "../../src/crypto/certificate.ts";
import { type CertificateUsage, issueCertificate } from "../../src/crypto/issue-certificate.ts";
import { pemBlocks } from "../../src/crypto/pem.ts";
import { generateSigningKey, type SigningKey } from "../../src/crypto/signing-key.ts";
import type { FeedChange, FeedConsumer, FeedPosition } from "../../src/model/feed.ts";
import type { Clock, Log } from "../../src/model/ports.ts";
import { type ApiKeyEntry, apiKeyId } from "../../src/model/api-keys.ts";
import { NEVER, type RevocationEntry } from "../../src/model/revocation.ts";
import type { PublishedKey, SigningAlgorithm } from "../../src/model/signing.ts";
import type { StoredDocument, Write } from "../../src/model/store.ts";
import { ManualClock } from "../../src/platform/clock.ts";
import { ManualTimers } from "../../src/platform/timers.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import type { FeedFrame } from "../../src/authority/feed/feed-frames.ts";
import { FeedRefusal, type RefusalReason } from "../../src/authority/feed/feed-refusal.ts";
import { FeedSequence, type Outcome } from "../../src/authority/feed/feed-sequence.ts";
import { settingsDigest, writeSettings } from "../../src/authority/feed/feed-settings.ts";
import {
  type FeedCertifier,
  FeedSigner,
  type SignedFrame,
} from "../../src/authority/feed/feed-signer.ts";
import { FeedVerifier, type VerifierOptions } from "../../src/authority/feed/feed-verifier.ts";
import { endorseRoots } from "../../src/authority/feed/root-endorsement.ts";
import { packRevocations } from "../../src/authority/state/revocation-pack.ts";

export const T0 = Date.UTC(2026, 0, 2, 3, 4, 5);
const DAY = 86_400_000;

/** A root that certifies anything it is asked to. */
export class TestAuthority implements FeedCertifier {
  readonly key = generateSigningKey("ES256");
  readonly pem: string;
  readonly certificate: Certificate;
  readonly #name: string;
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  /** What `roots` says; its own alone at first. */
  trusted: string[];

  constructor(clock: Clock, name = "test authority") {
    this.#clock = clock;
    this.#name = name;
    const issued = issueCertificate(
      {
        commonName: name,
        publicKey: this.key.publicKey,
        notBeforeMs: clock.now() - DAY,
        notAfterMs: clock.now() + 3650 * DAY,
        authority: { pathLength: 0 },
      },
      { commonName: name, privateKey: this.key.privateKey },
    );
    this.pem = issued.pem;
    this.certificate = parseCertificate(issued.der);
    this.trusted = [this.pem];
  }

  roots(): readonly string[] {
    return this.trusted;
  }

  changed(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(): void {
    for (const listener of this.#listeners) listener();
  }

  issue(request: Parameters<FeedCertifier["issue"]>[0]): {
    der: Buffer;
    pem: string;
    serial: string;
    notAfterMs: number;
  } {
    const notBeforeMs = this.#clock.now() - 60_000;
    const notAfterMs = this.#clock.now() + request.lifetimeMs;
    const usages: readonly CertificateUsage[] = request.usages;
    const content = { ...request, usages, notBeforeMs, notAfterMs };
    const issuer = { commonName: this.#name, privateKey: this.key.privateKey };
    return { ...issueCertificate(content, issuer), notAfterMs };
  }

  /** A certificate for TLS with its key, in PEM. */
  machine(names: {
    readonly uris?: readonly string[];
    readonly dnsNames?: readonly string[];
    readonly ipAddresses?: readonly string[];
    readonly usages?: readonly ("client" | "server" | "feed")[];
    readonly lifetimeMs?: number;
  }): { certificatePem: string; keyPem: string; certificate: Certificate } {
    const key = generateSigningKey("ES256");
    const made = this.issue({
      publicKey: key.publicKey,
      commonName: "machine",
      uris: names.uris ?? [],
      dnsNames: names.dnsNames ?? [],
      ipAddresses: names.ipAddresses ?? [],
      usages: names.usages ?? ["client", "server"],
      lifetimeMs: names.lifetimeMs ?? DAY,
    });
    const keyPem = key.privateKey.export({ type: "pkcs8", format: "pem" });
    return { certificatePem: made.pem, keyPem, certificate: parseCertificate(made.der) };
  }
}

/** The feed's keys, rotated by hand. */
export class TestKeys {
  readonly #listeners = new Set<() => void>();
  readonly #emergencies = new Set<string>();
  readonly #clock: Clock;
  readonly #algorithm: SigningAlgorithm;
  current: { readonly key: SigningKey; readonly published: PublishedKey };
  #published: PublishedKey[];

  constructor(clock: Clock, algorithm: SigningAlgorithm = "EdDSA") {
    this.#clock = clock;
    this.#algorithm = algorithm;
    this.current = this.#make();
    this.#published = [this.current.published];
  }

  signer(_use: "feed"): SigningKey {
    return this.current.key;
  }

  published(): readonly PublishedKey[] {
    return this.#published;
  }

  changed(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  list(): { use: "feed"; activeMs: number; because: string }[] {
    return this.#published.map(({ activeMs, kid }) => ({
      use: "feed",
      activeMs,
      because: this.#emergencies.has(kid) ? "emergency" : "schedule",
    }));
  }

  rotate({ emergency = false } = {}): void {
    this.current = this.#make();
    if (emergency) this.#emergencies.add(this.current.key.kid);
    this.#published = [...(emergency ? [] : this.#published), this.current.published];
    for (const listener of this.#listeners) listener();
  }

  #make(): TestKeys["current"] {
    const key = generateSigningKey(this.#algorithm);
    const activeMs = this.#clock.now();
    const published = {
      kid: key.kid,
      use: "feed" as const,
      algorithm: this.#algorithm,
      jwk: key.jwk,
      activeMs,
      retiredMs: activeMs + DAY,
      removedMs: activeMs + 2 * DAY,
    };
    return { key, published };
  }
}

/** What a follower knows after what it was told, so that two can be compared. */
export class TestConsumer implements FeedConsumer {
  readonly calls: string[] = [];
  revocations = new Map<string, RevocationEntry>();
  /** By id. */
  apiKeys = new Map<string, ApiKeyEntry>();
  apiKeyMac = "";
  keys: readonly PublishedKey[] = [];
  bundle = "";
  authorities: readonly string[] = [];
  disabled: readonly string[] = [];
  at: FeedPosition | undefined;
  asOfMs = 0;
  #wake: (() => void)[] = [];

  apply(change: FeedChange, at: FeedPosition, { reset }: { readonly reset: boolean }): void {
    this.calls.push(reset ? "reset" : "apply");
    if (reset) {
      this.revocations = new Map();
      this.apiKeys = new Map();
    }
    for (const entry of change.apiKeys ?? []) this.apiKeys.set(apiKeyId(entry.digest), entry);
    for (const id of change.apiKeysGone ?? []) this.apiKeys.delete(id);
    this.apiKeyMac = change.apiKeyMac ?? this.apiKeyMac;
    for (const entry of change.revocations) this.revocations.set(entry.digest, entry);
    for (const digest of change.lifted) this.revocations.delete(digest);
    this.keys = change.keys ?? this.keys;
    this.bundle = change.bundle ?? this.bundle;
    this.authorities = change.authorities ?? this.authorities;
    this.disabled = change.disabled ?? this.disabled;
    this.at = at;
    this.#woken();
  }

  current(at: FeedPosition, asOfMs: number): void {
    this.calls.push("current");
    this.at = at;
    this.asOfMs = asOfMs;
    this.#woken();
  }

  get digests(): string[] {
    return [...this.revocations.keys()].toSorted();
  }

  /** Waits until it is so. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  #woken(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** A digest as targets have them. */
export function digestOf(index: number): string {
  const bytes = Buffer.alloc(16);
  // Spread, as hashes are.
  bytes.writeUInt32BE(Math.imul(index, 0x9e3779b1) >>> 0, 0);
  bytes.writeUInt32BE(index, 12);
  return bytes.toString("base64url");
}

export function entryOf(document: StoredDocument): RevocationEntry {
  const { cutoffMs, expiresMs } = document.body ?? {};
  if (typeof cutoffMs !== "number") throw new TypeError("not a revocation");
  const expires = typeof expiresMs === "number" ? expiresMs : NEVER;
  return { digest: document.id, cutoffMs, blockedUntilMs: undefined, expiresMs: expires };
}

export function revoking(index: number): Write {
  return { collection: "revocations", id: digestOf(index), body: { cutoffMs: T0 + index } };
}

export function lifting(index: number): Write {
  return { collection: "revocations", id: digestOf(index), body: undefined };
}

/** A log that keeps what was said. */
export function keptLog(): Log & { readonly said: string[] } {
  const said: string[] = [];
  const write = (event: string): void => void said.push(event);
  return { said, debug: write, info: write, warn: write, error: write };
}

/** The parts of an authority's state, by hand. */
export interface TestGround {
  readonly clock: ManualClock;
  readonly timers: ManualTimers;
  readonly store: MemoryStore;
  readonly keys: TestKeys;
  readonly ca: TestAuthority;
  readonly log: ReturnType<typeof keptLog>;
  readonly metrics: ReturnType<typeof createMetrics>;
  readonly entryOf: typeof entryOf;
  readonly disabledOf: (document: StoredDocument) => string | undefined;
}

export function testGround(algorithm?: SigningAlgorithm): TestGround {
  const clock = new ManualClock(T0);
  return {
    clock,
    timers: new ManualTimers(),
    store: createMemoryStore(clock),
    keys: new TestKeys(clock, algorithm),
    ca: new TestAuthority(clock),
    log: keptLog(),
    metrics: createMetrics(),
    entryOf,
    disabledOf: ({ id, body }) => (body?.["disabled"] === true ? id : undefined),
  };
}

/** Frames of an authority, one by one. */
export class TestStream {
  readonly ground: TestGround;
  readonly signer: FeedSigner;
  floor = 0;
  epoch = "epoch-1";
  settings: string;

  constructor(ground: TestGround) {
    this.ground = ground;
    const { keys, ca, clock } = ground;
    this.signer = new FeedSigner({ keys, ca, clock, floor: () => this.floor });
    this.settings = this.settingsText();
  }

  settingsText(disabled: readonly string[] = []): string {
    const { keys, ca } = this.ground;
    const shared = {
      keys: keys.published(),
      machineKeys: [],
      authorities: ca.roots(),
      bundles: [],
    };
    return writeSettings({ ...shared, disabled });
  }

  hello(asOf = this.ground.clock.now()): Buffer {
    return this.signer.hello(this.epoch, asOf).line;
  }

  sign(frame: Exclude<FeedFrame, { kind: "hello" }>): Buffer {
    if (this.signer.due) throw new TypeError("hello first");
    return this.signer.sign(frame).line;
  }

  snapshot(number: number, indexes: readonly number[], { parts = 1, id = "s" } = {}): Buffer[] {
    const { epoch } = this;
    const asOf = this.ground.clock.now();
    const each = Math.ceil(indexes.length / parts);
    return Array.from({ length: parts }, (_, part) => {
      const slice = indexes.slice(part * each, (part + 1) * each).map(entryOfIndex);
      const revocations = packRevocations(slice);
      return this.sign({ kind: "snapshot", epoch, asOf, number, id, part, parts, revocations });
    });
  }

  change(before: number, number: number, revoked: number[], lifted: number[] = []): Buffer {
    return this.sign({
      kind: "change",
      epoch: this.epoch,
      asOf: this.ground.clock.now(),
      before,
      number,
      revocations: revoked.map(entryOfIndex),
      lifted: lifted.map(digestOf),
    });
  }

  settle(text = this.settings): Buffer {
    this.settings = text;
    const endorsements = endorseRoots(this.ground.ca);
    const asOf = this.ground.clock.now();
    return this.sign({ kind: "settings", epoch: this.epoch, asOf, text, endorsements });
  }

  current(before: number, number: number, asOf = this.ground.clock.now()): Buffer {
    const settings = settingsDigest(this.settings);
    return this.sign({ kind: "current", epoch: this.epoch, asOf, before, number, settings });
  }
}

export function entryOfIndex(index: number): RevocationEntry {
  const times = { cutoffMs: T0 + index, blockedUntilMs: undefined, expiresMs: NEVER };
  return { digest: digestOf(index), ...times };
}

/** The receiving end, without the network. */
export class TestReader {
  readonly consumer = new TestConsumer();
  readonly sequence: FeedSequence;
  readonly verifier: FeedVerifier;

  constructor(ground: TestGround, options: Partial<VerifierOptions> = {}) {
    const { clock, ca } = ground;
    const roots = [ca.certificate];
    this.verifier = new FeedVerifier({ roots, floor: 0, validity: "now", ...options }, clock);
    const { consumer } = this;
    const accept = (): void => {};
    const who = "edge-1";
    this.sequence = new FeedSequence({ consumer, who, clock, accept, maxAgeMs: 10_000 });
    this.sequence.begin();
  }

  take(...lines: readonly Buffer[]): Outcome | undefined {
    let outcome: Outcome | undefined;
    for (const line of lines) {
      const verified = this.verifier.read(line.subarray(0, line.length - 1));
      outcome = verified && this.sequence.take(verified);
    }
    return outcome;
  }

  /** Why it is refused; undefined: it is not. */
  refusal(...lines: readonly Buffer[]): RefusalReason | undefined {
    try {
      this.take(...lines);
    } catch (error) {
      if (error instanceof FeedRefusal) return error.reason;
      throw error;
    }
    return undefined;
  }
}

export type { SignedFrame };

export function certificatesOf(pems: readonly string[]): Certificate[] {
  return pems.flatMap((pem) => pemBlocks(pem, "CERTIFICATE")).map(parseCertificate);
}
