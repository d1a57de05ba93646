/**
 * The frames of the feed: their kinds, and payloads as JSON text. A frame on the wire is one line, a
 * compact JWS (RFC 7515 section 7.1) of such a payload; who signs and who checks are in
 * `feed-signer.ts` and `feed-verifier.ts`.
 *
 * Reading is strict: every member is of its type and within its bound, and no other is there, save in
 * kinds that a later version adds as `optional`: those may be passed over, all others may not.
 */
import { decodeBase64url } from "../../crypto/base64url.ts";
import { isJsonObject, type JsonObject, type JsonValue, parseJsonBytes } from "../../model/json.ts";
import type { ApiKeyEntry } from "../../model/api-keys.ts";
import type { RevocationEntry } from "../../model/revocation.ts";
import { packApiKeys, readApiKeyIds, unpackApiKeys } from "./api-key-pack.ts";
import { DIGEST_BYTES, RECORD_BYTES } from "../state/revocation-pack.ts";
import {
  packDigests,
  packRevocations,
  unpackDigests,
  unpackRevocations,
} from "../state/revocation-pack.ts";

/** `typ` of the JWS. */
export const FRAME_TYPE = "sallyport-feed+jws";

/** The version of all of this. Another one is refused, and said. */
export const FEED_VERSION = 1;

/**
 * The version of frames of an authority that keeps API keys. Who does not know them must not be told
 * that it knows all: it refuses this version, and says so. As long as there was never a key, all is as
 * in version 1.
 */
export const API_KEY_VERSION = 2;

export type FrameVersion = typeof FEED_VERSION | typeof API_KEY_VERSION;

/** The media type of the stream. */
export const FEED_MEDIA_TYPE = "application/vnd.sallyport.feed";

interface Common {
  /** Left out: 1. */
  readonly v?: FrameVersion;
  /** Numbers of two epochs do not compare. */
  readonly epoch: string;
  /** When it was made, by the store's clock. */
  readonly asOf: number;
}

/** Certifies the key that signs from here on (`x5c` in its header), and says which keys count no more. */
export interface HelloFrame extends Common {
  readonly kind: "hello";
  /** Keys of a smaller generation are worthless: one was lost, and all were made anew. */
  readonly floor: number;
}

/** One part of all revocations and API keys as of a number. */
export interface SnapshotFrame extends Common {
  readonly kind: "snapshot";
  readonly number: number;
  /** Random; parts of two snapshots do not mix. */
  readonly id: string;
  readonly part: number;
  readonly parts: number;
  /** Records, packed. */
  readonly revocations: Buffer;
  /** From version 2 on. */
  readonly apiKeys?: readonly ApiKeyEntry[];
}

/** All changes of revocations and API keys after `before` up to `number`. */
export interface ChangeFrame extends Common {
  readonly kind: "change";
  readonly before: number;
  readonly number: number;
  readonly revocations: readonly RevocationEntry[];
  readonly lifted: readonly string[];
  /** From version 2 on. */
  readonly apiKeys?: readonly ApiKeyEntry[];
  /** Their ids; from version 2 on. */
  readonly apiKeysGone?: readonly string[];
}

/** The settings, whole. */
export interface SettingsFrame extends Common {
  readonly kind: "settings";
  readonly text: string;
  /** By which authorities that are named anew are vouched for; see `root-endorsement.ts`. */
  readonly endorsements: readonly string[];
}

/** Nothing changed after `before` up to `number`, and that is so as of `asOf`: the proof of freshness. */
export interface CurrentFrame extends Common {
  readonly kind: "current";
  readonly before: number;
  readonly number: number;
  /** Digest of the settings that are in force. */
  readonly settings: string;
}

export type FeedFrame = HelloFrame | SnapshotFrame | ChangeFrame | SettingsFrame | CurrentFrame;
export type FrameKind = FeedFrame["kind"];

export const FRAME_LIMITS = {
  /** Bytes of one line. The largest that we make, a part of a snapshot, has 500 KB. */
  line: 640 * 1024,
  /** Records of one part: 500 KB on the wire, some 2 ms to sign or to check. */
  partRecords: 8192,
  /** Parts of a snapshot: 33 million revocations, more than a proxy is meant to hold. */
  parts: 4096,
  /** Records and digests of one change; a commit of the store has at most 1000 writes. */
  changeRecords: 8192,
  /** Bytes of the API keys of one part, about: a line has room for them and for some revocations. */
  partBytes: 400 * 1024,
  /** One a root. */
  endorsements: 8,
} as const;

/** The text of a payload. */
export function writePayload(frame: FeedFrame): string {
  const { v = FEED_VERSION, ...members } = frame;
  const { apiKeys: _keys, apiKeysGone: _gone, ...others } = members as Partial<ChangeFrame>;
  return JSON.stringify({ v, ...others, ...packedMembers(frame) });
}

function packedMembers(frame: FeedFrame): object {
  if (frame.kind === "snapshot") {
    return { revocations: frame.revocations.toString("base64url"), ...packedKeys(frame) };
  }
  if (frame.kind !== "change") return {};
  return {
    revocations: packRevocations(frame.revocations).toString("base64url"),
    lifted: packDigests(frame.lifted).toString("base64url"),
    ...packedKeys(frame),
    ...(frame.v === API_KEY_VERSION && { apiKeysGone: frame.apiKeysGone ?? [] }),
  };
}

function packedKeys({ v, apiKeys = [] }: SnapshotFrame | ChangeFrame): object {
  if (v === API_KEY_VERSION) return packApiKeys(apiKeys);
  // Left out in silence, somebody would be vouched for what he was not told.
  if (apiKeys.length > 0) throw new TypeError("API keys in a frame that cannot carry them");
  return {};
}

/** What is wrong with a payload; holds nothing of it. */
export interface FrameFault {
  readonly reason: "malformed" | "unknown-kind" | "version";
}

/** Undefined: of a kind that this version need not know. */
export function readPayload(bytes: Buffer): FeedFrame | FrameFault | undefined {
  let value: JsonValue;
  try {
    value = parseJsonBytes(bytes, { maxDepth: 4 });
  } catch {
    return MALFORMED;
  }
  if (!isJsonObject(value)) return MALFORMED;
  const { v, kind } = value;
  if (v !== FEED_VERSION && v !== API_KEY_VERSION) return { reason: "version" };
  const read = typeof kind === "string" ? READERS.get(kind) : undefined;
  if (read === undefined) {
    return value["optional"] === true ? undefined : { reason: "unknown-kind" };
  }
  return read(value) ?? MALFORMED;
}

export function isFrameFault(frame: FeedFrame | FrameFault): frame is FrameFault {
  return "reason" in frame;
}

const MALFORMED: FrameFault = { reason: "malformed" };

type Reader = (value: JsonObject) => FeedFrame | undefined;

const READERS: ReadonlyMap<string, Reader> = new Map<FrameKind, Reader>([
  ["hello", readHello],
  ["snapshot", readSnapshot],
  ["change", readChange],
  ["settings", readSettingsFrame],
  ["current", readCurrent],
]);

function readHello(value: JsonObject): HelloFrame | undefined {
  const common = commonOf(value, ["floor"]);
  const { floor } = value;
  return common && isNumber(floor) ? { kind: "hello", ...common, floor } : undefined;
}

function readSnapshot(value: JsonObject): SnapshotFrame | undefined {
  const own = ["number", "id", "part", "parts", "revocations"];
  const common = commonOf(value, isKeyed(value) ? [...own, ...KEYED] : own);
  const { number, id, part, parts } = value;
  if (!common || !isNumber(number) || !isId(id) || !isNumber(part) || !isNumber(parts)) {
    return undefined;
  }
  if (parts < 1 || parts > FRAME_LIMITS.parts || part >= parts) return undefined;
  const revocations = packedOf(value["revocations"], RECORD_BYTES, FRAME_LIMITS.partRecords);
  if (revocations === undefined) return undefined;
  const frame = { kind: "snapshot", ...common, number, id, part, parts, revocations } as const;
  if (!isKeyed(value)) return frame;
  const apiKeys = unpackApiKeys(value);
  return apiKeys && { ...frame, apiKeys };
}

/** Members that frames of version 2 have besides. */
const KEYED = ["apiKeys", "profiles"] as const;

function isKeyed({ v }: JsonObject): boolean {
  return v === API_KEY_VERSION;
}

function readChange(value: JsonObject): ChangeFrame | undefined {
  const own = ["before", "number", "revocations", "lifted"];
  const common = commonOf(value, isKeyed(value) ? [...own, ...KEYED, "apiKeysGone"] : own);
  const { before, number } = value;
  if (!common || !isNumber(before) || !isNumber(number) || before >= number) return undefined;
  const records = packedOf(value["revocations"], RECORD_BYTES, FRAME_LIMITS.changeRecords);
  const digests = packedOf(value["lifted"], DIGEST_BYTES, FRAME_LIMITS.changeRecords);
  if (records === undefined || digests === undefined) return undefined;
  const [revocations, lifted] = [unpackRevocations(records), unpackDigests(digests)];
  if (revocations === undefined || lifted === undefined) return undefined;
  const frame = { kind: "change", ...common, before, number, revocations, lifted } as const;
  if (!isKeyed(value)) return frame;
  const apiKeys = unpackApiKeys(value);
  const apiKeysGone = readApiKeyIds(value["apiKeysGone"], FRAME_LIMITS.changeRecords);
  return apiKeys && apiKeysGone && { ...frame, apiKeys, apiKeysGone };
}

function readSettingsFrame(value: JsonObject): SettingsFrame | undefined {
  const common = commonOf(value, ["text", "endorsements"]);
  const { text } = value;
  const endorsements = textsOf(value["endorsements"]);
  if (!common || typeof text !== "string" || endorsements === undefined) return undefined;
  return { kind: "settings", ...common, text, endorsements };
}

function readCurrent(value: JsonObject): CurrentFrame | undefined {
  const common = commonOf(value, ["before", "number", "settings"]);
  const { before, number, settings } = value;
  if (!common || !isNumber(before) || !isNumber(number) || before > number) return undefined;
  if (typeof settings !== "string" || settings.length > 100) return undefined;
  return { kind: "current", ...common, before, number, settings };
}

function textsOf(value: JsonValue | undefined): string[] | undefined {
  if (!Array.isArray(value) || value.length > FRAME_LIMITS.endorsements) return undefined;
  const texts = value as readonly JsonValue[];
  return texts.every((one) => typeof one === "string") ? [...texts] : undefined;
}

/** `own`: the members that this kind has besides; with any other it is not this kind. */
function commonOf(value: JsonObject, own: readonly string[]): Common | undefined {
  const { epoch, asOf } = value;
  if (!isId(epoch) || !isNumber(asOf)) return undefined;
  const known = ["v", "kind", "epoch", "asOf", ...own];
  if (!Object.keys(value).every((name) => known.includes(name))) return undefined;
  return isKeyed(value) ? { v: API_KEY_VERSION, epoch, asOf } : { epoch, asOf };
}

/** Canonical base64url of whole pieces. */
function packedOf(
  value: JsonValue | undefined,
  pieceBytes: number,
  limit: number,
): Buffer | undefined {
  if (typeof value !== "string") return undefined;
  const bytes = decodeBase64url(value);
  if (bytes === undefined || bytes.length % pieceBytes !== 0) return undefined;
  return bytes.length > limit * pieceBytes ? undefined : bytes;
}

function isNumber(value: JsonValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isId(value: JsonValue | undefined): value is string {
  return typeof value === "string" && /^[\x21-\x7e]{1,64}$/.test(value);
}
