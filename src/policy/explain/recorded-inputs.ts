/**
 * What a decision record lets us know of header fields and query parameters. Values are recorded as keyed
 * hashes, and only where a policy read them; of the query there are the names, and the values that the
 * configuration keeps. What the record does not say is unknown, never guessed.
 */
import { BAD_QUERY } from "../cedar/evaluation-error.ts";
import { CedarSet, CedarRecord, type Value } from "../cedar/values.ts";
import { decodeQueryPart } from "../../wire/query.ts";
import { isIdentityName } from "../../wire/identity-fields.ts";
import { PartialRecord, type Unknown } from "./unknown.ts";

export interface RecordedRead {
  readonly kind: "header" | "query";
  readonly name: string;
  /** Of each value; empty where it was absent, or could not be read. */
  readonly hashes: readonly string[];
  readonly unreadable?: true | undefined;
}

/** The keyed hash of a value (`audit/value-hash.ts`). */
export type RecordedHash = (
  kind: "body" | "header" | "query",
  name: string,
  value: string,
) => string;

export interface RecordedInputs {
  readonly query?: string | undefined;
  readonly reads: readonly RecordedRead[];
  readonly truncated: Readonly<Record<string, unknown>>;
}

/** Tags of the entity that `context.headers` is. */
export function recordedHeaders(record: RecordedInputs, hash?: RecordedHash): RecordedTags {
  const unknown = new Map<string, Unknown>();
  const absent = new Set<string>();
  for (const read of record.reads) {
    if (read.kind !== "header") continue;
    if (read.hashes.length === 0) absent.add(read.name);
    else unknown.set(read.name, hashed(read, hash));
  }
  return new KnownTags("header", { unknown, known: new Map(), absent, rest: HEADER });
}

/** Tags of the entity that `context.query` is; undefined where the record holds all of the query. */
export function recordedQuery(
  record: RecordedInputs,
  hash?: RecordedHash,
): RecordedTags | undefined {
  const { query, truncated } = record;
  if (query === undefined) return undefined;
  const names = namesOf(query, truncated["query"] !== undefined);
  if (names.whole) return undefined;
  const reads = record.reads.filter(({ kind }) => kind === "query");
  if (reads.some(({ unreadable }) => unreadable === true)) return new UnreadableTags();
  // It is decoded as a whole: what could be read of it says so.
  const decoded = reads.length > 0;
  const mayErr = !decoded;
  const unknown = new Map<string, Unknown>();
  const known = new Map<string, readonly string[]>();
  for (const [name, values] of names.values) {
    if (values === undefined || mayErr) unknown.set(name, parameter(name, { mayErr }));
    else known.set(name, values);
  }
  const absent = new Set<string>();
  for (const read of decoded ? reads : []) {
    if (read.hashes.length === 0) absent.add(read.name);
    else if (!known.has(read.name)) unknown.set(read.name, hashed(read, hash));
  }
  const rest = names.open || mayErr ? { ...PARAMETER, mayErr, maybeAbsent: true } : undefined;
  return new KnownTags("query", { unknown, known, absent, rest });
}

type Like = Omit<Unknown, "name">;
const HEADER: Like = { type: "set", maybeAbsent: true };
const PARAMETER: Like = { type: "set" };

interface Names {
  /** Decoded, with all values where each is there. */
  readonly values: ReadonlyMap<string, readonly string[] | undefined>;
  /** Whether there may be names besides. */
  readonly open: boolean;
  /** Whether nothing of it is masked or cut. */
  readonly whole: boolean;
}

/** Of a masked query: `name=*`, and `*` for a piece of which not even the name is kept. */
function namesOf(query: string, cut: boolean): Names {
  const values = new Map<string, string[] | undefined>();
  let open = cut;
  let whole = !cut;
  const pieces = query.split("&");
  for (const piece of cut ? pieces.slice(0, -1) : pieces) {
    if (piece === "") continue;
    const equals = piece.indexOf("=");
    const name = equals < 0 ? undefined : decodeQueryPart(piece.slice(0, equals));
    const value = piece.slice(equals + 1);
    if (name === undefined) open = true;
    const kept = equals >= 0 && value !== "*" ? decodeQueryPart(value) : undefined;
    if (kept === undefined) whole = false;
    if (name === undefined) continue;
    const before = values.has(name) ? values.get(name) : [];
    const all = kept === undefined || before === undefined ? undefined : [...before, kept];
    values.set(name, all);
  }
  return { values, open, whole };
}

function parameter(name: string, like: Like): Unknown {
  return { name: `context.query.${name}`, ...PARAMETER, ...like };
}

function hashed({ kind, name, hashes }: RecordedRead, hash?: RecordedHash): Unknown {
  const own = `context.${kind === "header" ? "headers" : "query"}.${name}`;
  const type = "set";
  if (hash === undefined) return { name: own, type };
  return {
    name: own,
    type,
    hashed: { hashes: new Set(hashes), hash: (value) => hash(kind, name, value) },
  };
}

interface TagsOptions {
  readonly unknown: ReadonlyMap<string, Unknown>;
  readonly known: ReadonlyMap<string, readonly string[]>;
  /** Names that are known to be absent. */
  readonly absent: ReadonlySet<string>;
  /** What every other name may be; undefined: absent. */
  readonly rest: Like | undefined;
}

/** Tags as policies see them, and as whoever made them of a request had them. */
export interface RecordedTags extends CedarRecord {
  /** All values, in their order; none where it was absent. Throws as `get`. */
  texts(name: string): readonly string[];
}

/** Every name fails alike. */
class UnreadableTags extends CedarRecord implements RecordedTags {
  constructor() {
    super(new Map());
  }

  override get(): never {
    throw BAD_QUERY;
  }

  override has(): never {
    throw BAD_QUERY;
  }

  texts(): never {
    throw BAD_QUERY;
  }
}

class KnownTags extends PartialRecord implements RecordedTags {
  readonly #absent: (name: string) => boolean;
  readonly #texts: TagsOptions["known"];

  constructor(kind: "header" | "query", { unknown, known, absent, rest }: TagsOptions) {
    const sets = [...known].map(([name, values]) => [name, new CedarSet(values)] as const);
    super({
      name: kind === "header" ? "context.headers" : "context.query",
      known: new CedarRecord(new Map(sets)),
      unknown,
      open: rest,
    });
    this.#texts = known;
    this.#absent = (name) => absent.has(name) || (kind === "header" && isIdentityName(name));
  }

  override get(name: string): Value | undefined {
    return this.#absent(name) ? undefined : super.get(name);
  }

  override has(name: string): boolean {
    return !this.#absent(name) && super.has(name);
  }

  texts(name: string): readonly string[] {
    return this.get(name) === undefined ? NO_TEXTS : (this.#texts.get(name) ?? NO_TEXTS);
  }
}

const NO_TEXTS: readonly string[] = [];
