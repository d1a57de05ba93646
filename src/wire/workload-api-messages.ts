/**
 * Messages of the SPIFFE Workload API (SPIFFE_Workload_API, `workload.proto`) ↔ values: protobuf, read
 * by hand since there are three of them, and what an agent says is read as strictly as what callers do.
 *
 * Refuses (`workload-api-failed`) what is no such message, texts that are not UTF-8 without controls,
 * more entries than the limits, and a trust domain that stands twice: which of its two bundles counts
 * is nothing to guess. Fields that later versions may add are passed over, as protobuf demands.
 */
import { SallyportError } from "../model/errors.ts";
import {
  type BinaryWriter,
  type BytesFields,
  createWriter,
  readMessage,
  WireType,
} from "./protobuf.ts";

const LIMITS = {
  /** Identities of one workload. SPIRE gives one for each entry that fits; more than a few is a mistake. */
  svids: 64,
  /** Trust domains with their own bundle, the federated ones. */
  bundles: 1024,
  /** A SPIFFE ID has at most 2048 bytes (SPIFFE-ID section 2.3); the hint and the key are shorter. */
  textBytes: 2048,
  /** Revocation lists are read over, but counted. */
  lists: 1024,
} as const;

/** One identity as the agent hands it out; nothing in it is verified yet. */
export interface X509SvidMessage {
  readonly spiffeId: string;
  /** DER certificates one after the other, the leaf first. */
  readonly certificates: Buffer;
  /** PKCS#8 in DER. */
  readonly key: Buffer;
  /** The authorities of its own trust domain, DER one after the other. */
  readonly bundle: Buffer;
  /** For the workload that has several; empty: none. */
  readonly hint: string;
}

export interface X509SvidResponse {
  readonly svids: readonly X509SvidMessage[];
  /** By the SPIFFE ID of the trust domain. */
  readonly federatedBundles: ReadonlyMap<string, Buffer>;
}

/** Bundles by the SPIFFE ID of their trust domain: DER certificates, or a JWKS. */
export type BundlesResponse = ReadonlyMap<string, Buffer>;

/** Every request of ours is the empty message. */
export const EMPTY_REQUEST: Uint8Array = new Uint8Array(0);

/** `FetchX509SVID` → its message. */
export function readX509SvidResponse(bytes: Uint8Array): X509SvidResponse {
  const svids: X509SvidMessage[] = [];
  const federatedBundles = new Map<string, Buffer>();
  read(bytes, {
    1: (value) => {
      within(svids.length, LIMITS.svids, "identities");
      svids.push(readSvid(value));
    },
    2: counted(LIMITS.lists, "revocation lists"),
    3: (value) => addBundle(federatedBundles, value),
  });
  return { svids, federatedBundles };
}

/** `FetchX509Bundles`. */
export function readX509BundlesResponse(bytes: Uint8Array): BundlesResponse {
  const bundles = new Map<string, Buffer>();
  read(bytes, {
    1: counted(LIMITS.lists, "revocation lists"),
    2: (value) => addBundle(bundles, value),
  });
  return bundles;
}

/** `FetchJWTBundles`. */
export function readJwtBundlesResponse(bytes: Uint8Array): BundlesResponse {
  const bundles = new Map<string, Buffer>();
  read(bytes, { 1: (value) => addBundle(bundles, value) });
  return bundles;
}

export function writeX509SvidResponse(response: X509SvidResponse): Uint8Array {
  const writer = createWriter();
  for (const { spiffeId, certificates, key, bundle, hint } of response.svids) {
    writer.tag(1, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).string(spiffeId);
    writer.tag(2, WireType.LengthDelimited).bytes(certificates);
    writer.tag(3, WireType.LengthDelimited).bytes(key);
    writer.tag(4, WireType.LengthDelimited).bytes(bundle);
    if (hint !== "") writer.tag(5, WireType.LengthDelimited).string(hint);
    writer.join();
  }
  writeBundles(writer, 3, response.federatedBundles);
  return writer.finish();
}

export function writeX509BundlesResponse(bundles: BundlesResponse): Uint8Array {
  return writeBundles(createWriter(), 2, bundles).finish();
}

export function writeJwtBundlesResponse(bundles: BundlesResponse): Uint8Array {
  return writeBundles(createWriter(), 1, bundles).finish();
}

function read(bytes: Uint8Array, fields: BytesFields): void {
  try {
    readMessage(bytes, fields);
  } catch (error) {
    if (error instanceof SyntaxError) throw fault(error.message);
    throw error;
  }
}

function readSvid(bytes: Buffer): X509SvidMessage {
  let [spiffeId, hint] = ["", ""];
  let certificates: Buffer = Buffer.alloc(0);
  let key: Buffer = Buffer.alloc(0);
  let bundle: Buffer = Buffer.alloc(0);
  read(bytes, {
    1: (value) => (spiffeId = text(value)),
    2: (value) => (certificates = value),
    3: (value) => (key = value),
    4: (value) => (bundle = value),
    5: (value) => (hint = text(value)),
  });
  return { spiffeId, certificates, key, bundle, hint };
}

/** One entry of `map<string, bytes>`. */
function addBundle(bundles: Map<string, Buffer>, bytes: Buffer): void {
  within(bundles.size, LIMITS.bundles, "trust domains");
  let name = "";
  let bundle: Buffer = Buffer.alloc(0);
  read(bytes, { 1: (value) => (name = text(value)), 2: (value) => (bundle = value) });
  if (bundles.has(name)) throw fault("a trust domain that stands twice");
  bundles.set(name, bundle);
}

function writeBundles(
  writer: BinaryWriter,
  field: number,
  bundles: ReadonlyMap<string, Buffer>,
): BinaryWriter {
  for (const [name, bundle] of bundles) {
    writer.tag(field, WireType.LengthDelimited).fork();
    writer.tag(1, WireType.LengthDelimited).string(name);
    writer.tag(2, WireType.LengthDelimited).bytes(bundle);
    writer.join();
  }
  return writer;
}

function counted(limit: number, what: string): () => void {
  let count = 0;
  return () => within(count++, limit, what);
}

function within(count: number, limit: number, what: string): void {
  if (count >= limit) throw fault(`more than ${limit} ${what}`);
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** What will stand in logs: a control character in it is meant to be read wrongly. */
function text(bytes: Buffer): string {
  if (bytes.length > LIMITS.textBytes) throw fault(`a text of more than ${LIMITS.textBytes} bytes`);
  let decoded: string;
  try {
    decoded = UTF8.decode(bytes);
  } catch {
    throw fault("a text that is not UTF-8");
  }
  if (/[\p{C}\p{Zl}\p{Zp}]/u.test(decoded)) throw fault("a text with control characters");
  return decoded;
}

function fault(detail: string): SallyportError {
  return new SallyportError("workload-api-failed", `the agent sent ${detail}`);
}
