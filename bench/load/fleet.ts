/**
 * The programs of `bench/fleet.ts`: an authority over SQLite, relays, and followers by the hundred in a
 * process, all with real TLS, real signatures and the code that a proxy runs, save that followers keep
 * nothing on the disk. They meet in a folder: each writes what the others wait for.
 *
 * `fleet.ts authority FOLDER RELAYS FOLLOWERS`, `fleet.ts relay FOLDER INDEX`,
 * `fleet.ts followers FOLDER FIRST COUNT URL…`
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createAuthorityState } from "../../src/authority/state/authority-state.ts";
import { openStream } from "../../src/authority/feed/feed-client.ts";
import {
  createFeedFollower,
  type FollowerIdentity,
} from "../../src/authority/feed/feed-follower.ts";
import { createFeedPublisher } from "../../src/authority/feed/feed-publisher.ts";
import { createFeedServer, type FeedSource } from "../../src/authority/feed/feed-server.ts";
import { FeedSequence } from "../../src/authority/feed/feed-sequence.ts";
import { FeedVerifier } from "../../src/authority/feed/feed-verifier.ts";
import { admitByCertificate } from "../../src/authority/feed/follower-admission.ts";
import { readRootList } from "../../src/authority/feed/root-endorsement.ts";
import { serveMachines } from "../../src/authority/feed/serve.ts";
import {
  createIssuedIdentity,
  type ServerIdentity,
} from "../../src/authority/feed/server-identity.ts";
import { Deadlines } from "../../src/http/deadlines.ts";
import type { FeedConsumer } from "../../src/model/feed.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { systemTimers } from "../../src/platform/timers.ts";
import { openStore } from "../../src/store/open-store.ts";
import { createMetrics } from "../../src/telemetry/metrics.ts";
import {
  digestOf,
  entryOf,
  revoking,
  TestAuthority,
  TestKeys,
} from "../../test/authority/feed-kit.ts";

export const FILES = {
  /** What the authority gives: its address, root, and everybody's certificate. */
  ready: "ready.json",
  /** To be made by the bench: the authority then commits. */
  go: "go",
  /** When each change was given to the store, and frames sent since the beginning. */
  commits: "commits.json",
  /** To be made by the bench: followers then tell what they saw, and all end. */
  stop: "stop",
  sent: "sent.json",
} as const;

const LIMITS = {
  /** Revocations at the beginning: what a follower is sent first. */
  revocations: 1000,
  changes: 20,
  /** Between two changes: a thousand followers on one core check what came before; and beside the beat of the proofs of freshness, so that each meets another moment of it. */
  everyMs: 1270,
  /** Followers of one process that shake hands at once. */
  dialling: 16,
} as const;

export interface FleetReady {
  readonly url: string;
  readonly root: string;
  readonly machines: Readonly<
    Record<string, { readonly certificatePem: string; readonly keyPem: string }>
  >;
}

export interface FeedSent {
  readonly atMs: number;
  /** Bytes that the authority has given to followers. */
  readonly sent: number;
}

export interface FollowersSeen {
  readonly readyMs: number;
  /** Of each change, when each follower had it, by the clock of the machine. */
  readonly arrivals: readonly (readonly number[])[];
}

const silent = (): void => undefined;
const log = { debug: silent, info: silent, warn: silent, error: console.error };
const shared = { clock: systemClock, timers: systemTimers, log };
const ISSUER = "https://sallyport.example.com";
const nobody: FeedConsumer = { apply: silent, current: silent };

if (import.meta.main) {
  const [role, folder = "", ...rest] = process.argv.slice(2);
  if (role === "authority") await authority(folder, Number(rest[0]), Number(rest[1]));
  else if (role === "relay") await relay(folder, Number(rest[0]));
  else await followers(folder, rest);
  process.exit(0);
}

async function authority(folder: string, relays: number, count: number): Promise<void> {
  const store = await openStore(`sqlite:${join(folder, "state", "sallyport.db")}`, {
    ...shared,
    metrics: createMetrics(),
  });
  for (let from = 0; from < LIMITS.revocations; from += 1000) {
    await store.commit(Array.from({ length: 1000 }, (_, index) => revoking(1e6 + from + index)));
  }
  const [keys, ca, metrics] = [
    new TestKeys(systemClock),
    new TestAuthority(systemClock),
    createMetrics(),
  ];
  const state = createAuthorityState({ ...shared, metrics, store, keys, ca, entryOf });
  await state.start();
  const source = createFeedPublisher({ ...shared, metrics, state, keys, ca });
  const identity = createIssuedIdentity(["127.0.0.1"], { ...shared, ca });
  const url = await serve(source, identity, metrics);
  const names = [
    ...Array.from({ length: relays }, (_, index) => `relay-${index}`),
    ...Array.from({ length: count }, (_, index) => `edge-${index}`),
  ];
  const machines = Object.fromEntries(
    names.map((name) => {
      const uris = [`spiffe://sallyport.example.com/sallyport/proxy/${name}`];
      const { certificatePem, keyPem } = ca.machine({ uris, ipAddresses: ["127.0.0.1"] });
      return [name, { certificatePem, keyPem }];
    }),
  );
  put(folder, FILES.ready, { url, root: ca.pem, machines } satisfies FleetReady);
  const told = setInterval(() => {
    const { body } = metrics.render();
    const sent = Number(/^sallyport_feed_sent_bytes_total (\d+)/m.exec(body)?.[1] ?? 0);
    put(folder, FILES.sent, { atMs: Date.now(), sent } satisfies FeedSent);
  }, 250);
  await waitFor(folder, FILES.go);
  const commits: number[] = [];
  for (let index = 0; index < LIMITS.changes; index++) {
    commits.push(Date.now());
    await store.commit([revoking(index)]);
    await pause(LIMITS.everyMs);
  }
  put(folder, FILES.commits, commits);
  await waitFor(folder, FILES.stop);
  clearInterval(told);
}

async function relay(folder: string, index: number): Promise<void> {
  const { url, root, machines } = await ready(folder);
  const name = `relay-${index}`;
  const identity = identityOf(name, root, machines);
  const options = { urls: [url], folder: join(folder, name), relay: true, maxStalenessMs: 10_000 };
  const follower = createFeedFollower(options, {
    ...shared,
    identity,
    consumer: nobody,
    takeBundle: () => Promise.resolve(),
    random: Math.random,
    metrics: createMetrics(),
  });
  await follower.start();
  while (follower.detail().asOfMs === undefined) await pause(20);
  put(folder, `${name}.json`, await serve(follower.source, identity, createMetrics()));
  await waitFor(folder, FILES.stop);
  await follower.close();
}

async function followers(folder: string, [first, count, ...urls]: string[]): Promise<void> {
  const { root, machines } = await ready(folder);
  const arrivals: number[][] = Array.from({ length: LIMITS.changes }, () => []);
  const index = new Map(arrivals.map((_, change) => [digestOf(change), change]));
  const consumer: FeedConsumer = {
    apply({ revocations }) {
      const now = Date.now();
      for (const { digest } of revocations) arrivals[index.get(digest) ?? -1]?.push(now);
    },
    current: silent,
  };
  const began = performance.now();
  const left = Array.from({ length: Number(count) }, (_, at) => Number(first) + at);
  const dial = async (): Promise<void> => {
    for (let edge = left.pop(); edge !== undefined; edge = left.pop()) {
      const url = urls[edge % urls.length] ?? "";
      await follow(url, identityOf(`edge-${edge}`, root, machines), consumer);
    }
  };
  await Promise.all(Array.from({ length: LIMITS.dialling }, dial));
  const readyMs = performance.now() - began;
  put(folder, `followers-${first}.ready`, readyMs);
  await waitFor(folder, FILES.stop);
  put(folder, `followers-${first}.json`, { readyMs, arrivals } satisfies FollowersSeen);
}

/** Resolves with the first proof of freshness. */
function follow(url: string, identity: FollowerIdentity, consumer: FeedConsumer): Promise<void> {
  const roots = readRootList(identity.roots);
  const verifier = new FeedVerifier({ roots, floor: 0, validity: "now" }, systemClock);
  return new Promise((resolve) => {
    const sequence = new FeedSequence({
      consumer: { apply: (...told) => consumer.apply(...told), current: () => resolve() },
      who: identity.name,
      maxAgeMs: 10_000,
      clock: systemClock,
      accept: silent,
    });
    openStream(new URL("/feed", url), identity, {
      timers: systemTimers,
      events: {
        opened: silent,
        line: (line) => {
          const verified = verifier.read(line);
          if (verified !== undefined) sequence.take(verified);
        },
        ended: (error) => {
          console.error(`${identity.name}: its stream ended`, error);
          process.exit(1);
        },
      },
    });
  });
}

async function serve(
  source: FeedSource,
  identity: ServerIdentity,
  metrics: ReturnType<typeof createMetrics>,
): Promise<string> {
  const feed = createFeedServer({
    used: () => undefined,
    ...shared,
    metrics,
    source,
    admit: admitByCertificate(ISSUER, () => []),
    bundle: () => Promise.resolve(undefined),
  });
  const deadlines = new Deadlines(systemClock);
  const options = { address: "127.0.0.1:0", identity, feed };
  const { address } = await serveMachines(options, { ...shared, metrics, deadlines });
  return `https://127.0.0.1:${address.port}`;
}

function identityOf(
  name: string,
  root: string,
  machines: FleetReady["machines"],
): FollowerIdentity & ServerIdentity {
  const machine = machines[name];
  if (machine === undefined) throw new TypeError(`nobody is called ${name}`);
  const never = (): (() => void) => silent;
  return { name, ...machine, roots: [root], changed: never, adoptRoots: () => Promise.resolve() };
}

async function ready(folder: string): Promise<FleetReady> {
  await waitFor(folder, FILES.ready);
  return JSON.parse(readFileSync(join(folder, FILES.ready), "utf8")) as FleetReady;
}

export async function waitFor(folder: string, name: string): Promise<void> {
  while (!existsSync(join(folder, name))) await pause(50);
}

/** Whole or not there. */
export function put(folder: string, name: string, value: unknown): void {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(`${path}.new`, JSON.stringify(value));
  renameSync(`${path}.new`, path);
}
