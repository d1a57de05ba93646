/** The keys of this machine for assertions, beside what its authority tells of keys. */
import { createLocalKeys, type LocalKeys } from "../../keys/local-keys.ts";
import type { SigningAlgorithm } from "../../model/signing.ts";
import type { Instruments } from "../instruments.ts";
import type { Standing } from "./standing.ts";

export function ringBeside(
  standing: Pick<Standing, "keys">,
  instruments: Pick<Instruments, "clock" | "timers" | "log">,
): LocalKeys {
  const { clock, timers, log } = instruments;
  return createLocalKeys({ clock, timers, log, algorithm: () => algorithmOf(standing) });
}

/** As the authority's own keys for assertions are: those who verify know that one. */
function algorithmOf(standing: Pick<Standing, "keys">): SigningAlgorithm {
  const own = standing.keys().filter(({ use }) => use === "assertions");
  return own.toSorted((a, b) => a.activeMs - b.activeMs).at(-1)?.algorithm ?? "EdDSA";
}
