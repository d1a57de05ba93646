/**
 * A proxy whose authority is elsewhere: its identity, the feed that it follows, and the bundle of
 * configuration that comes over it, which is composed with its own file and put in force as any other
 * configuration is.
 */
import { join } from "node:path";
import { createFeedFollower, type FeedFollower } from "../../authority/feed/feed-follower.ts";
import type { ServeOptions } from "../../authority/authority-options.ts";
import { createFeedServer, type FeedServer } from "../../authority/feed/feed-server.ts";
import { admitByCertificate } from "../../authority/feed/follower-admission.ts";
import {
  type MachineIdentity,
  openMachineIdentity,
} from "../../authority/enrolment/machine-identity.ts";
import { publishKey } from "../../authority/enrolment/publish-key.ts";
import type { LocalKey } from "../../keys/local-keys.ts";
import { serveMachines } from "../../authority/feed/serve.ts";
import type { LoadedOwn } from "../../config/load.ts";
import { unpackBundle } from "../../config/unpack-bundle.ts";
import { ConfigError } from "../../model/errors.ts";
import { ASSERTION_ISSUER_PATH } from "../../model/assertion.ts";
import type { FeedConsumer } from "../../model/feed.ts";
import { signingWith } from "../assertion-signing.ts";
import type { Instruments } from "../instruments.ts";
import { createPreparer, type Prepared } from "../prepare.ts";
import type { Backing } from "./backing.ts";
import { Closers } from "./closers.ts";
import { FanOut } from "./fan-out.ts";
import { ringBeside } from "./machine-ring.ts";
import { ToldUses } from "./told-uses.ts";
import { FollowedBundles } from "./followed-bundles.ts";

export interface Following extends Backing {
  /** Begins to follow. Resolves to the first configuration that is whole, which may be long in coming. */
  begin(): Promise<Prepared>;
  /** What the file and the bundle of now give. */
  readonly prepare: () => Promise<Prepared>;
  /** From now on another bundle is put in force by `reload`, which rejects where it cannot be. */
  serve(reload: () => Promise<void>): void;
}

/** Rejects with `enrolment-failed` where this machine has no identity that can be used. */
export async function openFollowing(
  { file, config }: LoadedOwn,
  instruments: Instruments,
): Promise<Following> {
  const { authority } = config;
  const closers = new Closers();
  const random = Math.random;
  const deps = { ...instruments, random };
  const authorities = authority.feed;
  const identity = await openMachineIdentity(authority.identity, { ...deps, authorities });
  closers.add(() => identity.close());
  identity.start();
  const bundles = followedBundles(file, join(authority.identity, "bundles"));
  // Workers come when the supervisor starts them, and again when one has died.
  const late = config.workers !== 1;
  const consumers = new FanOut({ clock: instruments.clock, late });
  const follower = createFeedFollower(
    {
      urls: authority.feed,
      folder: join(authority.identity, "feed"),
      maxStalenessMs: authority.maxStaleness,
      relay: authority.serve !== undefined,
    },
    {
      ...deps,
      identity,
      consumer: consumers,
      takeBundle: (hash, bytes) => bundles.take(hash, bytes),
    },
  );
  closers.add(() => follower.close());
  const uses = new ToldUses((told) => follower.report(told), instruments);
  // Before the follower: it is told by way of it.
  closers.add(() => uses.close());
  const { serve } = authority;
  const relay =
    serve &&
    (await openRelay(serve, { identity, follower, consumers, uses, instruments, closers }));
  return {
    maxStalenessMs: authority.maxStaleness,
    follow: (consumer: FeedConsumer) => consumers.follow(consumer),
    used: (told) => uses.tell(told),
    prepare: () => bundles.prepare(),
    async begin() {
      await follower.start();
      return await bundles.first;
    },
    serve: (reload) => bundles.serve(reload),
    signing({ standing }) {
      const publish = (key: LocalKey): Promise<void> =>
        publishKey(identity, key, instruments.clock.now());
      const name = `${identity.issuer}${ASSERTION_ISSUER_PATH}`;
      return signingWith(name, ringBeside(standing, instruments, publish));
    },
    inForce: () => Promise.resolve(),
    role: () => "proxy",
    feed: () => feedOf(consumers, authority.maxStaleness),
    followers: () => relay?.followers,
    follows() {
      const { connected, authority: followed, bundle, lastError } = heardOf(follower);
      const { name, notAfterMs } = identity;
      return { connected, authority: followed, bundle, lastError, name, notAfterMs };
    },
    serves: serve?.address,
    detail: () => detailOf(follower),
    close: () => closers.close(),
  };
}

/** Passes on what was verified here. Rejects with ConfigError for a name that its certificate is not for. */
async function openRelay(
  { address, names }: ServeOptions,
  { identity, follower, consumers, uses, instruments, closers }: RelayParts,
): Promise<FeedServer> {
  const other = names.find((name) => name !== identity.name);
  if (other !== undefined) {
    const message = `authority.serve.names has "${other}", and this machine is enrolled as "${identity.name}"`;
    const remedy = "a relay is reached under the name that it is enrolled under; enrol it as that";
    throw new ConfigError([{ message, remedy }]);
  }
  const disabled = (): readonly string[] => follower.settings?.disabled ?? [];
  const feed = createFeedServer({
    ...instruments,
    source: follower.source,
    admit: admitByCertificate(identity.issuer, disabled),
    used: (told) => uses.tell(told),
    bundle: (hash, name) => follower.bundleOf(hash, name),
  });
  closers.add(
    consumers.follow({
      apply({ disabled: changed }) {
        if (changed !== undefined) feed.recheck(new Set(changed));
      },
      current() {},
    }),
  );
  const listener = await serveMachines({ address, identity, feed }, instruments);
  closers.add(() => listener.close(0));
  return feed;
}

interface RelayParts {
  readonly consumers: FanOut;
  readonly identity: MachineIdentity;
  readonly follower: FeedFollower;
  readonly uses: ToldUses;
  readonly instruments: Instruments;
  readonly closers: Closers;
}

function followedBundles(file: string, folder: string): FollowedBundles {
  let place: string | undefined;
  const prepare = createPreparer(file, { bundle: () => place });
  return new FollowedBundles({
    prepare(wanted) {
      place = wanted;
      return prepare();
    },
    unpack: (bundle, inUse) => unpackBundle(bundle, { folder, inUse }),
  });
}

function feedOf({ position, asOfMs }: FanOut, maxStalenessMs: number): ReturnType<Backing["feed"]> {
  return position && { ...position, asOfMs: asOfMs === 0 ? undefined : asOfMs, maxStalenessMs };
}

/** No secrets: addresses are in the configuration, errors name codes. */
function detailOf(follower: FeedFollower): Readonly<Record<string, unknown>> {
  const { connected, authority, bundle, bundleHash, lastError } = heardOf(follower);
  return { connected, authority, bundle: { state: bundle, hash: bundleHash }, lastError };
}

/** Why the last stream ended says nothing any more once there is another. */
function heardOf(follower: FeedFollower): ReturnType<FeedFollower["detail"]> {
  const detail = follower.detail();
  return detail.connected ? { ...detail, lastError: undefined } : detail;
}
