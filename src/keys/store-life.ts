/**
 * Under which epoch of the store the keys of the feed were made. Proxies keep on disk which of these keys
 * an emergency has ended, and they believe nothing that is signed by an older one: a store that was put
 * back from before such an emergency signs with a key that they refuse for good. Whoever finds another
 * epoch than the remembered one therefore replaces that key.
 *
 * A store of before this was remembered is taken as it is: that it was restored cannot be known.
 */
import type { Store, Write } from "../model/store.ts";

/** Its document in `facts`; it comes back with a backup, while the epoch does not. */
const ID = "feed-key-epoch";

export class StoreLife {
  readonly #store: Pick<Store, "epoch" | "get">;
  #epoch = "";
  #remembered: { readonly epoch: unknown; readonly number: number } | undefined;

  constructor(store: Pick<Store, "epoch" | "get">) {
    this.#store = store;
  }

  /** Rejects as the store does. */
  async look(): Promise<void> {
    const epoch = await this.#store.epoch();
    // Once both agree only another epoch can part them.
    if (epoch === this.#epoch && this.#remembered?.epoch === epoch) return;
    const found = await this.#store.get("facts", ID);
    this.#remembered = found && { epoch: found.body?.["epoch"], number: found.number };
    this.#epoch = epoch;
  }

  /** Whether the store was put back since its key was made, as last looked at. */
  get restored(): boolean {
    return this.#remembered !== undefined && this.#remembered.epoch !== this.#epoch;
  }

  /**
   * What remembers the epoch; nothing where it is remembered. To be committed together with what is done
   * about it: of several replicas one does it.
   */
  remember(): Write[] {
    const remembered = this.#remembered;
    if (remembered?.epoch === this.#epoch) return [];
    const body = { epoch: this.#epoch };
    return [{ collection: "facts", id: ID, body, expect: remembered?.number ?? "absent" }];
  }
}
