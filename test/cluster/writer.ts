/**
 * Changes that go on whatever dies: one revocation after the other, each asked again (of the next
 * authority) until somebody says that it is done. What it was told is what has to be there in the end,
 * once, and nothing else.
 */
import { setTimeout as wait } from "node:timers/promises";
import { revokeSubject } from "./admin.ts";
import type { AuthorityMachine } from "./harness.ts";
import type { Scope } from "./machine.ts";

const LIMITS = {
  /** Milliseconds between two attempts or two changes. */
  pause: 30,
} as const;

export interface Writer {
  /** Subjects whose revocation was answered with success, with when. */
  readonly done: ReadonlyMap<string, number>;
  /** Answers that were no success, as their status, with how often. 0: none came. */
  readonly refused: ReadonlyMap<number, number>;
  /** Settles when the change under way is done. */
  stop(): Promise<void>;
}

export function startWriter(
  scope: Scope,
  authorities: readonly AuthorityMachine[],
  prefix: string,
): Writer {
  const done = new Map<string, number>();
  const refused = new Map<number, number>();
  const state = { going: true, over: false };
  let turn = 0;
  const change = async (subject: string): Promise<void> => {
    while (!state.over) {
      const authority = authorities[turn++ % authorities.length];
      if (authority === undefined) throw new TypeError("nobody to write to");
      const { status } = await revokeSubject(authority, subject);
      if (status === 201) {
        done.set(subject, Date.now());
        return;
      }
      refused.set(status, (refused.get(status) ?? 0) + 1);
      await wait(LIMITS.pause);
    }
  };
  const all = (async (): Promise<void> => {
    for (let number = 1; state.going; number++) {
      await change(`${prefix}-${number}`);
      await wait(LIMITS.pause);
    }
  })();
  scope.after(() => {
    state.going = false;
    state.over = true;
  });
  return {
    done,
    refused,
    stop: async () => {
      state.going = false;
      await all;
    },
  };
}
