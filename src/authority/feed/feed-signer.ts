/**
 * Signs frames with the feed key that is in use, and certifies that key for those who follow: a
 * `hello` with a short-lived certificate, made anew when the key, its floor or the roots change and
 * well before the certificate ends.
 */
import { createPublicKey, type KeyObject } from "node:crypto";
import { signJws } from "../../crypto/sign-jws.ts";
import type { Clock } from "../../model/ports.ts";
import type { PublishedKey, Signer } from "../../model/signing.ts";
import { feedUris } from "./feed-certificate.ts";
import { frameLine } from "./frame-line.ts";
import { type FeedFrame, FRAME_TYPE, writePayload } from "./feed-frames.ts";

/** What is asked of the certificate authority. */
export interface FeedCertifier {
  issue(request: {
    readonly publicKey: KeyObject;
    readonly commonName: string;
    readonly uris: readonly string[];
    readonly dnsNames: readonly string[];
    readonly ipAddresses: readonly string[];
    readonly usages: readonly ("client" | "server" | "feed")[];
    readonly lifetimeMs: number;
  }): { readonly der: Buffer; readonly notAfterMs: number };
  roots(): readonly string[];
}

export interface FeedSignerDeps {
  readonly keys: {
    signer(use: "feed"): Signer;
    published(): readonly PublishedKey[];
  };
  readonly ca: FeedCertifier;
  readonly clock: Clock;
  /** Generations below it count no more. */
  readonly floor: () => number;
}

const LIMITS = {
  /**
   * Life of a key's certificate at most: how long a stolen key deceives a follower that is cut off
   * from everybody who could tell it of the emergency rotation. It does not outlast the key either:
   * by then the key that replaced it in an emergency may be gone, and with it the word of it.
   */
  certificateMs: 12 * 3600_000,
  /** The least that the certificate authority gives, with a second to spare. */
  minCertificateMs: 5 * 60_000 + 1000,
  /** Share of its life after which it is certified anew: what was signed earlier stays good on relays. */
  renewAt: 0.25,
} as const;

/** A frame as it goes out: one line. */
export interface SignedFrame {
  readonly frame: FeedFrame;
  readonly kid: string;
  /** With its line feed. Shared by all who send it; see `frameLine`. */
  readonly line: Buffer;
}

interface Certified {
  readonly signer: Signer;
  readonly generation: number;
  readonly roots: string;
  readonly floor: number;
  readonly x5c: string;
  readonly renewAtMs: number;
}

export class FeedSigner {
  readonly #deps: FeedSignerDeps;
  #certified: Certified | undefined;

  constructor(deps: FeedSignerDeps) {
    this.#deps = deps;
  }

  /** Whether a `hello` has to go out before the next frame. */
  get due(): boolean {
    const { keys, ca, clock, floor } = this.#deps;
    const now = this.#certified;
    return (
      now === undefined ||
      now.signer.kid !== keys.signer("feed").kid ||
      now.floor !== this.#floorOf(now.generation, floor()) ||
      now.roots !== ca.roots().join("") ||
      clock.now() >= now.renewAtMs
    );
  }

  /** Certifies the key that is in use now; frames after it are signed by that one. */
  hello(epoch: string, asOf: number): SignedFrame {
    const certified = this.#certify();
    this.#certified = certified;
    return this.#sign({ kind: "hello", epoch, asOf, floor: certified.floor }, certified, true);
  }

  sign(frame: Exclude<FeedFrame, { kind: "hello" }>): SignedFrame {
    if (this.#certified === undefined) throw new TypeError("a frame before the first hello");
    return this.#sign(frame, this.#certified, false);
  }

  #certify(): Certified {
    const { keys, ca, clock, floor } = this.#deps;
    const signer = keys.signer("feed");
    const published = keys.published().find(({ kid }) => kid === signer.kid);
    if (published === undefined) throw new TypeError("the feed key in use is not published");
    const generation = published.activeMs;
    const nowMs = clock.now();
    const left = published.removedMs - nowMs;
    const lifetimeMs = Math.max(LIMITS.minCertificateMs, Math.min(LIMITS.certificateMs, left));
    const { der, notAfterMs } = ca.issue({
      publicKey: createPublicKey({ key: published.jwk, format: "jwk" }),
      commonName: "sallyport feed",
      uris: feedUris(generation),
      dnsNames: [],
      ipAddresses: [],
      usages: ["feed"],
      lifetimeMs,
    });
    return {
      signer,
      generation,
      roots: ca.roots().join(""),
      floor: this.#floorOf(generation, floor()),
      x5c: der.toString("base64"),
      renewAtMs: nowMs + (notAfterMs - nowMs) * LIMITS.renewAt,
    };
  }

  /** No key can withdraw itself: it would take its own word with it. */
  #floorOf(generation: number, floor: number): number {
    return Math.min(generation, floor);
  }

  #sign(frame: FeedFrame, { signer, x5c }: Certified, withChain: boolean): SignedFrame {
    const header = { typ: FRAME_TYPE, x5c: withChain ? [x5c] : undefined };
    const text = signJws(signer, header, Buffer.from(writePayload(frame)));
    return { frame, kid: signer.kid, line: frameLine(text) };
  }
}
