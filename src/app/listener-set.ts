/**
 * The listeners that are open, and how a reload changes them: what is new is bound before anything
 * changes, what is gone stops accepting and ends in its own time, what stays keeps its connections.
 */
import type { ListenerOptions } from "../http/listener-options.ts";
import type { Listener } from "../http/listener.ts";
import { ConfigError } from "../model/errors.ts";

/** What an open listener can take while it is open. */
const LIVE: ReadonlySet<string> = new Set([
  "name",
  "address",
  "limits",
  "publicOrigin",
  "trustedProxies",
  // The handler asks the snapshot.
  "serve",
]);

interface Open {
  readonly options: ListenerOptions;
  readonly listener: Listener;
}

/** A change that can be had: its new addresses are bound. */
export interface ListenerChange {
  /** Lets go of what is gone; settles when its connections have ended. */
  commit(graceMs: number): Promise<void>;
  /** Closes what was bound for it. */
  undo(): Promise<void>;
}

export class ListenerSet {
  readonly #listen: (options: ListenerOptions) => Promise<Listener>;
  #open = new Map<string, Open>();
  /** Those that a reload took away and whose connections have not ended. */
  readonly #leaving = new Set<Listener>();
  #refusedBefore = 0;

  constructor(listen: (options: ListenerOptions) => Promise<Listener>) {
    this.#listen = listen;
  }

  /** In the order of the configuration. */
  get listeners(): readonly Listener[] {
    return [...this.#open.values()].map(({ listener }) => listener);
  }

  /** Which listener can serve nobody now, and why; undefined where all can. */
  get missing(): string | undefined {
    const texts = this.listeners.flatMap(({ name, missing }) =>
      missing === undefined ? [] : [`${name}: ${missing}`],
    );
    return texts.length === 0 ? undefined : texts.join("; ");
  }

  get connections(): number {
    return this.#all().reduce((sum, { connections }) => sum + connections, 0);
  }

  /** For metrics: connections that each has, and may have. Those that are leaving are not shown. */
  fill(): readonly { readonly name: string; readonly open: number; readonly most: number }[] {
    return this.listeners.map(({ name, connections, maxConnections }) => ({
      name,
      open: connections,
      most: maxConnections,
    }));
  }

  get refused(): number {
    return this.#all().reduce((sum, { refused }) => sum + refused, this.#refusedBefore);
  }

  /** Throws ConfigError, or SallyportError `listen-failed`; then nothing has changed. */
  async change(wanted: readonly ListenerOptions[], file: string): Promise<ListenerChange> {
    const stays = (options: ListenerOptions): Open | undefined => {
      const open = this.#open.get(options.name);
      if (open === undefined) return undefined;
      // Where it was bound to port 0, others may name it by what that became.
      const names = [open.options.address, textOf(open.listener.address)];
      return names.includes(options.address) ? open : undefined;
    };
    const fixed = wanted.flatMap((options) => fixedChanges(stays(options)?.options, options));
    if (fixed.length > 0) {
      const message = `${fixed.join(" and ")} changed, which a reload cannot put in force`;
      const remedy = "give the listener another name and address, or restart";
      throw new ConfigError([{ file, message, remedy }]);
    }
    const bound: Open[] = [];
    const undo = async (): Promise<void> => {
      await Promise.all(bound.map(({ listener }) => listener.close(0)));
    };
    try {
      for (const options of wanted) {
        if (stays(options) === undefined) {
          bound.push({ options, listener: await this.#listen(options) });
        }
      }
    } catch (error) {
      await undo();
      throw error;
    }
    return { undo, commit: (graceMs) => this.#commit(wanted, bound, graceMs) };
  }

  announceEnd(): void {
    for (const listener of this.#all()) listener.announceEnd();
  }

  async close(graceMs: number): Promise<void> {
    await Promise.all(this.#all().map((listener) => listener.close(graceMs)));
  }

  async #commit(
    wanted: readonly ListenerOptions[],
    bound: readonly Open[],
    graceMs: number,
  ): Promise<void> {
    const former = this.#open;
    const next = new Map<string, Open>();
    for (const options of wanted) {
      const made = bound.find((one) => one.options === options);
      const open = made ?? former.get(options.name);
      if (open === undefined) throw new TypeError("a listener that was neither open nor bound");
      if (made === undefined) open.listener.change(options);
      next.set(options.name, { options, listener: open.listener });
    }
    this.#open = next;
    const kept = new Set(this.listeners);
    const gone = [...former.values()].filter(({ listener }) => !kept.has(listener));
    await Promise.all(gone.map(({ listener }) => this.#leave(listener, graceMs)));
  }

  async #leave(listener: Listener, graceMs: number): Promise<void> {
    this.#leaving.add(listener);
    await listener.close(graceMs);
    this.#leaving.delete(listener);
    this.#refusedBefore += listener.refused;
  }

  #all(): readonly Listener[] {
    return [...this.listeners, ...this.#leaving];
  }
}

export function textOf(address: { readonly host: string; readonly port: number }): string {
  return address.host.includes(":")
    ? `[${address.host}]:${address.port}`
    : `${address.host}:${address.port}`;
}

/** Names of what differs and cannot be changed on an open socket. */
function fixedChanges(running: ListenerOptions | undefined, wanted: ListenerOptions): string[] {
  if (running === undefined) return [];
  const before: Readonly<Record<string, unknown>> = running;
  const after: Readonly<Record<string, unknown>> = wanted;
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((key) => !LIVE.has(key))
    .filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]))
    .map((key) => `${key} of listener ${wanted.name}`);
}
