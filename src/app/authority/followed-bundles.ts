/**
 * The bundles of a proxy that follows: which one its configuration is composed with, and what becomes of
 * another one that comes.
 */
import type { Prepared } from "../prepare.ts";

export interface FollowedBundlesDeps {
  /** The configuration with the bundle that lies in the folder. */
  readonly prepare: (place: string | undefined) => Promise<Prepared>;
  /** Puts a bundle on the disk; resolves to its folder. `inUse`: those that have to stay there. */
  readonly unpack: (
    bundle: { readonly hash: string; readonly bytes: Uint8Array },
    inUse: readonly string[],
  ) => Promise<string>;
}

/**
 * The bundle that is in force, the one before it that a failure goes back to, and who is to be told.
 * One that comes while the first is still being put in force waits until that is done.
 */
export class FollowedBundles {
  readonly #deps: FollowedBundlesDeps;
  readonly #first = Promise.withResolvers<Prepared>();
  readonly #serving = Promise.withResolvers<() => Promise<void>>();
  #begun = false;
  /** Where the bundle lies that the next configuration is composed with. */
  #place: string | undefined;
  #inUse: readonly string[] = [];

  constructor(deps: FollowedBundlesDeps) {
    this.#deps = deps;
  }

  get first(): Promise<Prepared> {
    return this.#first.promise;
  }

  /** What the file and the bundle of now give. */
  prepare(): Promise<Prepared> {
    return this.#deps.prepare(this.#place);
  }

  serve(reload: () => Promise<void>): void {
    this.#serving.resolve(reload);
  }

  /** Rejects, and stays with the former one, where it does not give a configuration that can be run here. */
  async take(hash: string, bytes: Uint8Array): Promise<void> {
    const reload = this.#begun ? await this.#serving.promise : undefined;
    const former = this.#place;
    this.#place = await this.#deps.unpack({ hash, bytes }, this.#inUse);
    try {
      if (reload === undefined) await this.#begin();
      else await reload();
      this.#inUse = [hash];
    } catch (error) {
      this.#place = former;
      throw error;
    }
  }

  async #begin(): Promise<void> {
    const prepared = await this.prepare();
    this.#begun = true;
    this.#first.resolve(prepared);
  }
}
