/**
 * The sessions that this process knows, so that a request with a known cookie costs a look-up and not a
 * decryption. By the whole Cookie field, by the text of the session's cookie, and by its id.
 *
 * Bounded in two generations, as the cache of facts is: what is in use moves on, what is not goes. One that
 * goes is retired: an open stream that rests on it is decided about again, because nobody would tell it of
 * the session's end any more.
 */
import type { CredentialFacts } from "../../model/facts.ts";
import type { SessionAnswer } from "../../model/verifiers.ts";
import type { SessionContent } from "./session-content.ts";

/** A session as this process knows it. */
export interface LiveSession {
  /** By which its end may be told (`session-standing.ts`). */
  readonly digests: readonly string[];
  /** As it is now, whichever cookie a request carries. */
  content: SessionContent;
  /** The text of its newest cookie. */
  text: string;
  facts: CredentialFacts;
  /** What a request with the newest cookie is answered while nothing is due. */
  answer: SessionAnswer;
  /** False once the claims that the facts were made of are not the newest. */
  epoch: { current: boolean };
  /** Until then nothing is due: no renewal, no refresh, no end. */
  quietUntilMs: number;
  /** When a browser first came with a cookie of this generation; undefined: none has. */
  confirmedMs: number | undefined;
  /** Why it is over. */
  ended: string | undefined;
  /** Not in the table any more. */
  retired: boolean;
  refreshing: Promise<void> | undefined;
  /** Before then the provider is not asked again. */
  retryAtMs: number;
}

/** A cookie of a session. */
export interface KnownCookie {
  readonly live: LiveSession;
  readonly text: string;
  readonly generation: number;
}

const LIMITS = {
  /** Sessions of each generation: some 8 KB each with their cookies. */
  sessions: 4096,
  /** Characters of texts and fields of each generation. */
  chars: 16 * 1024 * 1024,
  /** Fields that are longer are parsed each time. */
  headerChars: 16 * 1024,
} as const;

class Generation {
  readonly headers = new Map<string, KnownCookie>();
  readonly texts = new Map<string, KnownCookie>();
  readonly lives = new Map<string, LiveSession>();
  chars = 0;

  get full(): boolean {
    // A browser may come with many fields around one cookie, so characters count too.
    return this.lives.size >= LIMITS.sessions || this.chars >= LIMITS.chars;
  }
}

export class SessionTable {
  #young = new Generation();
  #old = new Generation();

  get size(): number {
    const old = [...this.#old.lives.keys()].filter((id) => !this.#young.lives.has(id));
    return this.#young.lives.size + old.length;
  }

  /** By the whole Cookie field, as it was remembered. */
  byHeader(header: string): KnownCookie | undefined {
    const known = this.#young.headers.get(header);
    if (known !== undefined) return known;
    const old = this.#old.headers.get(header);
    if (old === undefined) return undefined;
    this.#old.headers.delete(header);
    this.rememberHeader(header, old);
    return old;
  }

  rememberHeader(header: string, known: KnownCookie): void {
    if (header.length > LIMITS.headerChars) return;
    this.#put(known.live);
    if (!this.#young.headers.has(header)) this.#young.chars += header.length;
    this.#young.headers.set(header, known);
  }

  byText(text: string): KnownCookie | undefined {
    const known = this.#young.texts.get(text);
    if (known !== undefined) return known;
    const old = this.#old.texts.get(text);
    if (old !== undefined) this.add(old);
    return old;
  }

  byId(id: string): LiveSession | undefined {
    const live = this.#young.lives.get(id);
    if (live !== undefined) return live;
    const old = this.#old.lives.get(id);
    if (old !== undefined) this.#put(old);
    return old;
  }

  add(known: KnownCookie): KnownCookie {
    this.#put(known.live);
    if (!this.#young.texts.has(known.text)) this.#young.chars += known.text.length;
    this.#young.texts.set(known.text, known);
    return known;
  }

  /** Those that an end means: sessions that began later are not meant. */
  meant(digest: string, untilMs: number): readonly LiveSession[] {
    return [...this.#all()].filter(
      ({ content, digests }) => content.beganMs <= untilMs && digests.includes(digest),
    );
  }

  clear(): void {
    for (const live of this.#all()) retire(live);
    this.#young = new Generation();
    this.#old = new Generation();
  }

  *#all(): Iterable<LiveSession> {
    yield* this.#young.lives.values();
    for (const [id, live] of this.#old.lives) if (!this.#young.lives.has(id)) yield live;
  }

  #put(live: LiveSession): void {
    const { id } = live.content;
    if (this.#young.full) {
      const gone = this.#old;
      this.#old = this.#young;
      this.#young = new Generation();
      for (const [goneId, old] of gone.lives) {
        if (old !== live && this.#old.lives.get(goneId) !== old) retire(old);
      }
    }
    this.#young.lives.set(id, live);
  }
}

function retire(live: LiveSession): void {
  live.retired = true;
  live.quietUntilMs = 0;
}
