/**
 * What several tests of a file use in turn, for those that leave it as they found it: a proxy costs seconds of
 * processor time to start. The first that asks starts it; it ends behind the last test of the file.
 */
import { after, type TestContext } from "node:test";

export type Scope = Pick<TestContext, "after">;

/** To be called at the top of a file. `start` says to the scope what ends what it starts. */
export function shared<T>(start: (scope: Scope) => Promise<T>): () => Promise<T> {
  const ends: (() => unknown)[] = [];
  after(async () => {
    for (const end of ends.toReversed()) await end();
  });
  const scope: Scope = { after: (end) => void ends.push(end as () => unknown) };
  let started: Promise<T> | undefined;
  return () => (started ??= start(scope));
}
