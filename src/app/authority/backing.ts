/** What stands behind a process that serves: its authority, whether it is kept here or followed. */
import type { ProcessStatus } from "../../admin/admin-deps.ts";
import type { ApiKeyUse } from "../../model/api-keys.ts";
import type { FeedConsumer } from "../../model/feed.ts";
import type { KeyIssuing } from "../../model/issued-keys.ts";
import type { AssertionSigning } from "../assertion-signing.ts";
import type { Prepared } from "../prepare.ts";
import type { Registers } from "./registers.ts";
import type { Standing } from "./standing.ts";

export interface Backing {
  /** Beyond it every request is denied. */
  readonly maxStalenessMs: number;
  /** Gives all that is known, then each change. The consumer must not throw. Returns what ends it. */
  follow(consumer: FeedConsumer): () => void;
  /**
   * A configuration is in force: who keeps the authority publishes what it gives to proxies. `asked`: by
   * a reload. Never rejects; what went wrong is in the log.
   */
  inForce(prepared: Prepared, how: "start" | "asked"): Promise<void>;
  /**
   * Who signs assertions here. `shared`: several processes of this machine are to sign with the same
   * keys, so these can be handed over.
   */
  signing(how: { readonly shared: boolean; readonly standing: Standing }): AssertionSigning;
  /** Issues provisioning keys; undefined where the authority is elsewhere. */
  readonly issuing?: KeyIssuing | undefined;
  /** Which API keys were used here lately. Never throws; what cannot be told is told of no more. */
  used(uses: readonly ApiKeyUse[]): void;
  /** What this process is, whether it serves callers or not. */
  role(serves: boolean): ProcessStatus["role"];
  /** What was heard last; undefined before anything was. */
  feed(): ProcessStatus["feed"];
  /** Proxies and relays that follow this process now; undefined where it serves no feed. */
  followers(): number | undefined;
  /** How it follows an authority that is elsewhere. */
  follows?(): ProcessStatus["follows"];
  /** Where machines enrol and follow; undefined where they do not. */
  readonly serves: string | undefined;
  /** What operators change, where the state is kept here. */
  readonly registers?: Registers | undefined;
  /** For `/readyz`; no secrets. */
  detail(): Readonly<Record<string, unknown>>;
  close(): Promise<void>;
}
