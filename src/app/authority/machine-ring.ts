/** The keys of this machine for assertions, beside what its authority tells of keys, and published by it. */
import { createLocalKeys, type LocalKey, type LocalKeys } from "../../keys/local-keys.ts";
import type { SigningAlgorithm } from "../../model/signing.ts";
import type { Instruments } from "../instruments.ts";
import { KeyPublication } from "./key-publication.ts";
import type { Standing } from "./standing.ts";

export interface PublishedRing {
  readonly local: LocalKeys;
  /** Whether anything is signed here: before that nothing is published. */
  wanted(wanted: boolean): void;
  close(): void;
}

export function ringBeside(
  standing: Pick<Standing, "keys">,
  instruments: Pick<Instruments, "clock" | "timers" | "log">,
  publish: (key: LocalKey) => Promise<void>,
): PublishedRing {
  const { clock, timers, log } = instruments;
  const local = createLocalKeys({
    clock,
    timers,
    log,
    algorithm: () => algorithmOf(standing),
    known: (kid) => standing.keys().some((key) => key.kid === kid),
  });
  const publication = new KeyPublication({
    local,
    told: () => standing.keys(),
    publish,
    timers,
    log,
  });
  return {
    local,
    wanted(wanted) {
      publication.wanted = wanted;
    },
    close() {
      publication.close();
      local.close();
    },
  };
}

/** As the authority's own keys for assertions are: those who verify know that one. */
function algorithmOf(standing: Pick<Standing, "keys">): SigningAlgorithm {
  const own = standing
    .keys()
    .filter(({ use, machine }) => use === "assertions" && machine === undefined);
  return own.toSorted((a, b) => a.activeMs - b.activeMs).at(-1)?.algorithm ?? "EdDSA";
}
