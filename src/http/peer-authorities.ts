/**
 * Authorities that callers' certificates may lead to beside those of a listener's own files: those of
 * trust domains, which come and go while it listens.
 */
import type { Certificate } from "../crypto/certificate.ts";

export interface PeerAuthorities {
  /** Of now; others are another reference. */
  readonly current: KnownAuthorities;
  /** Calls `run` after `current` has become another one. Returns what calls it off. */
  onChange(run: () => void): () => void;
}

export interface KnownAuthorities {
  readonly anchors: readonly Certificate[];
  /** Trust domains whose authorities nobody knows now: their callers cannot be judged. */
  readonly unknown: ReadonlySet<string>;
}
