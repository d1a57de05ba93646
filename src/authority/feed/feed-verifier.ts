/**
 * From a line of the feed to a frame that the authority has signed. Nothing of a payload is looked at
 * before its signature is good, save of a `hello`, whose certificate brings the key.
 *
 * It refuses what `feed-refusal.ts` lists and keeps no state but keys: whether a frame fits to what
 * came before is for `feed-sequence.ts`.
 */
import { verify } from "node:crypto";
import { decodeBase64url } from "../../crypto/base64url.ts";
import { type Certificate, parseCertificate } from "../../crypto/certificate.ts";
import {
  type Chain,
  checkStanding,
  findChain,
  isChainFault,
} from "../../crypto/certificate-chain.ts";
import { isJsonObject, type JsonObject, type JsonValue, parseJsonBytes } from "../../model/json.ts";
import type { Clock } from "../../model/ports.ts";
import { SIGNING_ALGORITHMS, type SigningAlgorithm } from "../../model/signing.ts";
import { FEED_USAGE, generationOf } from "./feed-certificate.ts";
import {
  type FeedFrame,
  FRAME_LIMITS,
  FRAME_TYPE,
  isFrameFault,
  readPayload,
} from "./feed-frames.ts";
import { FeedRefusal } from "./feed-refusal.ts";

const LIMITS = {
  /** Characters of a header; one with a chain of two certificates has some 3000. */
  header: 16 * 1024,
  /** Certificates of a chain. */
  chain: 4,
  /** Keys that are known at once: one in use, and those of frames that a relay has kept. */
  keys: 16,
  kid: 256,
  /** How far a clock of the authority may be ahead of ours. */
  skewMs: 5000,
} as const;

export interface VerifierOptions {
  /** Authorities that this machine trusts, as of its enrolment or as they were told since. */
  readonly roots: readonly Certificate[];
  /** Keys of a smaller generation are refused. */
  readonly floor: number;
  /**
   * When a certificate has to be good: `now` for what comes over the wire; `then`, when the frame was
   * made, for what this machine itself has kept: it was good when it was written.
   */
  readonly validity: "now" | "then";
}

/** A frame whose signature is good. */
export interface VerifiedFrame {
  readonly frame: FeedFrame;
  readonly kid: string;
  readonly generation: number;
}

interface FeedKey {
  readonly kid: string;
  readonly leaf: Certificate;
  readonly presented: readonly Certificate[];
  readonly algorithm: SigningAlgorithm;
  readonly generation: number;
  chain: Chain;
}

export class FeedVerifier {
  readonly #options: VerifierOptions;
  readonly #clock: Clock;
  readonly #keys = new Map<string, FeedKey>();
  #roots: readonly Certificate[];
  #floor: number;
  /** The header of the last frame: those of one key are the same to the letter. */
  #lastHeader = "";
  #lastKey: FeedKey | undefined;

  constructor(options: VerifierOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#roots = options.roots;
    this.#floor = options.floor;
  }

  get floor(): number {
    return this.#floor;
  }

  /** From now on only what leads to these counts. */
  trust(roots: readonly Certificate[]): void {
    this.#roots = roots;
    this.#lastKey = undefined;
    for (const key of this.#keys.values()) {
      const chain = this.#chainOf(key.leaf, key.presented);
      if (chain === undefined) this.#keys.delete(key.kid);
      else key.chain = chain;
    }
  }

  /** A line without its line feed. Undefined: a frame that may be passed over. Throws FeedRefusal. */
  read(line: Buffer): VerifiedFrame | undefined {
    if (line.length > FRAME_LIMITS.line) throw new FeedRefusal("too-large");
    const headerEnd = line.indexOf(0x2e);
    const payloadEnd = line.lastIndexOf(0x2e);
    if (headerEnd < 1 || headerEnd > LIMITS.header || payloadEnd <= headerEnd + 1) {
      throw new FeedRefusal("malformed");
    }
    const { key, hello } = this.#keyOf(line.toString("latin1", 0, headerEnd));
    if (!this.#signed(line, payloadEnd, key)) throw new FeedRefusal("bad-signature");
    const payload = decodeBase64url(line.toString("latin1", headerEnd + 1, payloadEnd));
    if (payload === undefined) throw new FeedRefusal("malformed");
    const frame = readPayload(payload);
    if (frame === undefined) return undefined;
    if (isFrameFault(frame)) throw new FeedRefusal(frame.reason);
    if (hello !== (frame.kind === "hello")) throw new FeedRefusal("malformed");
    this.#checkTimes(frame, key);
    if (frame.kind === "hello") this.#greet(frame.floor, key);
    return { frame, kid: key.kid, generation: key.generation };
  }

  #keyOf(text: string): { readonly key: FeedKey; readonly hello: boolean } {
    if (this.#lastKey !== undefined && text === this.#lastHeader) {
      return { key: this.#lastKey, hello: false };
    }
    const header = readHeader(text);
    const algorithm = SIGNING_ALGORITHMS.find((one) => one === header["alg"]);
    const { kid, typ, x5c } = header;
    const fits = typeof kid === "string" && kid.length > 0 && kid.length <= LIMITS.kid;
    if (algorithm === undefined || typ !== FRAME_TYPE || !fits) throw new FeedRefusal("malformed");
    if (x5c !== undefined) return { key: this.#certified(kid, algorithm, x5c), hello: true };
    const key = this.#keys.get(kid);
    if (key?.algorithm !== algorithm) throw new FeedRefusal("unknown-key");
    this.#lastHeader = text;
    this.#lastKey = key;
    return { key, hello: false };
  }

  #certified(kid: string, algorithm: SigningAlgorithm, x5c: JsonValue): FeedKey {
    const [leaf, ...presented] = readChain(x5c);
    if (leaf === undefined) throw new FeedRefusal("malformed");
    const chain = this.#chainOf(leaf, presented);
    if (chain === undefined) throw new FeedRefusal("not-certified");
    const generation = generationOf(leaf);
    if (generation === undefined) throw new FeedRefusal("wrong-usage");
    if (algorithmOf(leaf) !== algorithm) throw new FeedRefusal("malformed");
    return { kid, leaf, presented, algorithm, generation, chain };
  }

  #chainOf(leaf: Certificate, presented: readonly Certificate[]): Chain | undefined {
    const trust = { anchors: this.#roots, lists: undefined };
    const found = findChain(leaf, { presented, trust, usage: FEED_USAGE });
    // A pinned certificate that signs the feed itself would be root and key in one.
    return isChainFault(found) || found.certificates.length < 2 ? undefined : found;
  }

  #signed(line: Buffer, payloadEnd: number, { leaf, algorithm }: FeedKey): boolean {
    const signature = decodeBase64url(line.toString("latin1", payloadEnd + 1));
    if (signature?.length !== 64) return false;
    const input = line.subarray(0, payloadEnd);
    const [digest, parameters] =
      algorithm === "EdDSA" ? [null, {}] : ["sha256", { dsaEncoding: "ieee-p1363" as const }];
    try {
      return verify(digest, input, { key: leaf.key, ...parameters }, signature);
    } catch {
      return false;
    }
  }

  #checkTimes({ asOf }: FeedFrame, { chain, generation }: FeedKey): void {
    if (generation < this.#floor) throw new FeedRefusal("key-withdrawn");
    const nowMs = this.#clock.now();
    if (asOf > nowMs + LIMITS.skewMs) {
      throw new FeedRefusal("future", `by ${asOf - nowMs} ms; compare the clocks`);
    }
    const at = this.#options.validity === "now" ? nowMs : asOf;
    const standing = checkStanding(chain, undefined, at);
    if (isChainFault(standing)) throw new FeedRefusal("key-expired", standing.detail);
  }

  #greet(floor: number, key: FeedKey): void {
    if (floor > key.generation) throw new FeedRefusal("malformed", "a key that withdraws itself");
    if (floor > this.#floor) {
      this.#floor = floor;
      for (const { kid, generation } of this.#keys.values()) {
        if (generation < floor) this.#keys.delete(kid);
      }
    }
    this.#lastKey = undefined;
    this.#keys.delete(key.kid);
    this.#keys.set(key.kid, key);
    const [oldest] = this.#keys.keys();
    if (this.#keys.size > LIMITS.keys && oldest !== undefined) this.#keys.delete(oldest);
  }
}

function readHeader(text: string): JsonObject {
  const bytes = decodeBase64url(text);
  if (bytes === undefined) throw new FeedRefusal("malformed");
  let value: JsonValue;
  try {
    value = parseJsonBytes(bytes, { maxDepth: 2 });
  } catch {
    throw new FeedRefusal("malformed");
  }
  // RFC 7515 section 4.1.11: `crit` would be an extension; none is understood, and nothing else is sent.
  const known = ["typ", "alg", "kid", "x5c"];
  if (!isJsonObject(value) || !Object.keys(value).every((name) => known.includes(name))) {
    throw new FeedRefusal("malformed");
  }
  return value;
}

/** RFC 7515 section 4.1.6: base64, not base64url. */
function readChain(x5c: JsonValue): Certificate[] {
  if (!Array.isArray(x5c) || x5c.length === 0 || x5c.length > LIMITS.chain) {
    throw new FeedRefusal("malformed");
  }
  return (x5c as readonly JsonValue[]).map((text) => {
    if (typeof text !== "string") throw new FeedRefusal("malformed");
    const der = Buffer.from(text, "base64");
    if (der.toString("base64") !== text) throw new FeedRefusal("malformed");
    try {
      return parseCertificate(der);
    } catch (cause) {
      throw new FeedRefusal("malformed", "a certificate cannot be read", { cause });
    }
  });
}

function algorithmOf({ key }: Certificate): SigningAlgorithm | undefined {
  if (key.asymmetricKeyType === "ed25519") return "EdDSA";
  const p256 = key.asymmetricKeyDetails?.namedCurve === "prime256v1";
  return key.asymmetricKeyType === "ec" && p256 ? "ES256" : undefined;
}
