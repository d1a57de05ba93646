/** An authority that serves its feed on loopback over real TLS, and followers of it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type AuthorityState,
  createAuthorityState,
} from "../../src/authority/state/authority-state.ts";
import {
  createFeedFollower,
  type FeedFollower,
  type FeedFollowerDeps,
  type FeedFollowerOptions,
  type FollowerIdentity,
} from "../../src/authority/feed/feed-follower.ts";
import {
  createFeedPublisher,
  type FeedPublisher,
} from "../../src/authority/feed/feed-publisher.ts";
import {
  createFeedServer,
  type FeedServer,
  type FeedSource,
} from "../../src/authority/feed/feed-server.ts";
import { bundleFor, type BundleAssignment } from "../../src/authority/feed/feed-settings.ts";
import { bundleHash } from "../../src/authority/feed/feed-state-file.ts";
import { admitByCertificate } from "../../src/authority/feed/follower-admission.ts";
import { type MachineListener, serveMachines } from "../../src/authority/feed/serve.ts";
import {
  createIssuedIdentity,
  type ServerIdentity,
} from "../../src/authority/feed/server-identity.ts";
import { Deadlines } from "../../src/http/deadlines.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { systemTimers } from "../../src/platform/timers.ts";
import { createMetrics, type RunningMetrics } from "../../src/telemetry/metrics.ts";
import type { ApiKeyEntry, ApiKeyUse } from "../../src/model/api-keys.ts";
import type { StoredDocument, Write } from "../../src/model/store.ts";
import { MAC, type MadeEntry } from "../keys/api-keys.ts";
import { createMemoryStore } from "../store/memory.ts";
import { entryOf, keptLog, TestAuthority, TestConsumer, TestKeys } from "./feed-kit.ts";

export const ISSUER = "https://sallyport.example.com";

/** API keys as these tests keep them: the entry itself. */
export const API_KEY_DOCUMENTS = {
  entryOf({ body }: StoredDocument): ApiKeyEntry {
    if (typeof body?.["digest"] !== "string") throw new TypeError("not an API key");
    return body as unknown as ApiKeyEntry;
  },
  macOf({ body }: StoredDocument): string {
    const mac = body?.["mac"];
    if (typeof mac !== "string") throw new TypeError("not a MAC key");
    return mac;
  },
};

export function keeping({ id, entry }: MadeEntry): Write {
  return { collection: "api-keys", id, body: { ...entry } };
}

export function removing({ id }: MadeEntry): Write {
  return { collection: "api-keys", id, body: undefined };
}

/** What comes before the first of them. */
export const KEEPING_MAC: Write = { collection: "mac-keys", id: "api-keys", body: { mac: MAC } };

/** What outlives one process of an authority. */
export class FeedGround {
  readonly store = createMemoryStore(systemClock);
  readonly keys: TestKeys;
  readonly ca: TestAuthority;
  readonly log = keptLog();
  assignments: BundleAssignment[] = [];
  /** What followers have told of API keys. */
  readonly uses: ApiKeyUse[] = [];
  readonly bundles = new Map<string, Uint8Array>();
  readonly #bundleListeners = new Set<() => void>();
  readonly #ends: (() => Promise<unknown>)[] = [];

  /** `like`: with the same keys and CA, as a store has them that was restored. */
  constructor(like?: FeedGround) {
    this.keys = like?.keys ?? new TestKeys(systemClock);
    this.ca = like?.ca ?? new TestAuthority(systemClock);
  }

  /** Names a bundle for all proxies. */
  publish(text: string, proxy = "*"): string {
    const bytes = Buffer.from(text);
    const hash = bundleHash(bytes);
    this.bundles.set(hash, bytes);
    this.assignments = [{ proxy, bundle: hash }];
    for (const listener of this.#bundleListeners) listener();
    return hash;
  }

  /** `apiKeys: false`: as those of before API keys were, which pass them over. */
  async authority({ apiKeys = true } = {}): Promise<TestAuthorityProcess> {
    const { store, keys, ca, log } = this;
    const shared = { clock: systemClock, timers: systemTimers, log, metrics: createMetrics() };
    const state = createAuthorityState({
      ...shared,
      store,
      keys,
      ca,
      entryOf,
      ...(apiKeys && { apiKeys: API_KEY_DOCUMENTS }),
      disabledOf: ({ id, body }) => (body?.["disabled"] === true ? id : undefined),
      bundles: {
        assignments: () => this.assignments,
        changed: (listener) => {
          this.#bundleListeners.add(listener);
          return () => this.#bundleListeners.delete(listener);
        },
      },
    });
    await state.start();
    const publisher = createFeedPublisher({ ...shared, state, keys, ca });
    const identity = createIssuedIdentity(["localhost", "127.0.0.1"], { ...shared, ca });
    const server = await this.serve(publisher, {
      identity,
      bundle: (hash, name) =>
        Promise.resolve(
          bundleFor(state.settings, name) === hash ? this.bundles.get(hash) : undefined,
        ),
      disabled: () => state.settings.disabled,
      metrics: shared.metrics,
    });
    const end = state.observe({
      reset() {},
      stepped() {},
      settingsChanged: () => server.feed.recheck(new Set(state.settings.disabled)),
      workloadsChanged() {},
      current() {},
    });
    const process = {
      ...server,
      state,
      publisher,
      metrics: shared.metrics,
      async stop() {
        end();
        identity.close();
        publisher.close();
        state.close();
        await server.listener.close(0);
      },
    };
    this.#ends.push(() => process.stop());
    return process;
  }

  async serve(
    source: FeedSource,
    given: {
      readonly identity: ServerIdentity;
      readonly bundle: (hash: string, name: string) => Promise<Uint8Array | undefined>;
      readonly disabled: () => readonly string[];
      readonly metrics?: RunningMetrics;
    },
  ): Promise<{ feed: FeedServer; listener: MachineListener; url: string }> {
    const { metrics = createMetrics(), identity, bundle, disabled } = given;
    const shared = { clock: systemClock, timers: systemTimers, log: this.log, metrics };
    const admit = admitByCertificate(ISSUER, disabled);
    const used = (uses: readonly ApiKeyUse[]): void => void this.uses.push(...uses);
    const feed = createFeedServer({ ...shared, source, admit, bundle, used });
    const listener = await serveMachines(
      { address: "127.0.0.1:0", identity, feed },
      { ...shared, deadlines: new Deadlines(systemClock) },
    );
    return { feed, listener, url: `https://127.0.0.1:${listener.address.port}` };
  }

  identity(name: string, kind = "proxy"): FollowerIdentity & { adopted: string[][] } {
    const machine = this.ca.machine({
      uris: [`spiffe://sallyport.example.com/sallyport/${kind}/${name}`],
      ipAddresses: ["127.0.0.1"],
    });
    const adopted: string[][] = [];
    return {
      name,
      adopted,
      ...machine,
      roots: this.ca.roots(),
      changed: () => () => undefined,
      adoptRoots: (pems) => {
        adopted.push([...pems]);
        return Promise.resolve();
      },
    };
  }

  async follower(
    name: string,
    urls: readonly string[],
    more: Partial<FeedFollowerOptions & FeedFollowerDeps> = {},
  ): Promise<TestFollower> {
    const folder = more.folder ?? (await this.folder());
    const consumer = new TestConsumer();
    const log = keptLog();
    const metrics = createMetrics();
    const taken: string[] = [];
    const { relay = false, maxStalenessMs = 10_000 } = more;
    const follower = createFeedFollower(
      { urls, folder, relay, maxStalenessMs },
      {
        identity: this.identity(name),
        consumer,
        takeBundle: (_hash, bytes) => {
          taken.push(Buffer.from(bytes).toString());
          return Promise.resolve();
        },
        clock: systemClock,
        timers: systemTimers,
        random: () => 0,
        log,
        metrics,
        ...more,
      },
    );
    this.#ends.push(() => follower.close());
    return { follower, consumer, folder, log, metrics, taken };
  }

  async folder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "sallyport-feed-"));
    this.#ends.push(() => rm(folder, { recursive: true, force: true }));
    return folder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends.splice(0).toReversed()) await end();
    await this.store.close();
  }
}

export interface TestAuthorityProcess {
  readonly feed: FeedServer;
  readonly listener: MachineListener;
  readonly url: string;
  readonly state: AuthorityState;
  readonly publisher: FeedPublisher;
  readonly metrics: RunningMetrics;
  stop(): Promise<void>;
}

export interface TestFollower {
  readonly follower: FeedFollower;
  readonly consumer: TestConsumer;
  readonly folder: string;
  readonly log: ReturnType<typeof keptLog>;
  readonly metrics: RunningMetrics;
  /** Texts of the bundles that were taken. */
  readonly taken: string[];
}
