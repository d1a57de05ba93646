/**
 * What is not known of a request, among what is: values of Cedar that stand in an Environment and throw
 * an UnknownRead where a policy's closures read what is missing. partial-expression.ts catches it.
 */
import { CedarRecord, EMPTY_RECORD, type Value } from "../cedar/values.ts";
import type { Entity } from "../cedar/environment.ts";
import type { ValueType } from "./value-types.ts";

/** One thing that is not known. */
export interface Unknown {
  /** For people: `context.path`, `principal.level`. */
  readonly name: string;
  /** Of each value that it may have; undefined: any. */
  readonly type?: ValueType | undefined;
  /** Whether it may as well not be there. */
  readonly maybeAbsent?: boolean | undefined;
  /** Whether to read it may fail for another reason: a query that cannot be decoded. */
  readonly mayErr?: boolean | undefined;
  /** What it is if it is there and can be read: e.g. a record of unknown members. */
  readonly value?: Value | undefined;
  /** An entity whose id is not known. */
  readonly entity?: UnknownEntity | undefined;
  /** A set of strings, or by its type another value, of which only keyed hashes are known. */
  readonly hashed?: HashedStrings | undefined;
}

export interface UnknownEntity {
  readonly type: string;
  readonly data: Entity;
}

export interface HashedStrings {
  /** One of each string; of another value one of its text. */
  readonly hashes: ReadonlySet<string>;
  readonly hash: (value: string) => string;
}

/** Thrown by reading; only constants of an evaluation, so its stack says nothing. */
export class UnknownRead extends Error {
  override readonly name = "UnknownRead";
  readonly unknown: Unknown;

  constructor(unknown: Unknown) {
    super(`${unknown.name} is not known`);
    this.unknown = unknown;
  }
}

export interface PartialRecordOptions {
  /** For people: `context`, `principal`. */
  readonly name: string;
  readonly known: CedarRecord;
  /** By member. */
  readonly unknown: ReadonlyMap<string, Unknown>;
  /** What any other member may be; left out: there are no others. */
  readonly open?: Omit<Unknown, "name"> | undefined;
}

/** A record, or an entity's attributes or tags, of which some members are not known. */
export class PartialRecord extends CedarRecord {
  readonly #options: PartialRecordOptions;

  constructor(options: PartialRecordOptions) {
    super(EMPTY_RECORD.entries());
    this.#options = options;
  }

  override get(name: string): Value | undefined {
    const unknown = this.#unknown(name);
    if (unknown === undefined) return this.#options.known.get(name);
    const { value, maybeAbsent, mayErr } = unknown;
    // Not all of it is known, but it is there: whoever reads further meets what is not.
    if (value !== undefined && maybeAbsent !== true && mayErr !== true) return value;
    throw new UnknownRead(unknown);
  }

  override has(name: string): boolean {
    const unknown = this.#unknown(name);
    if (unknown === undefined) return this.#options.known.has(name);
    if (unknown.maybeAbsent === true || unknown.mayErr === true) throw new UnknownRead(unknown);
    return true;
  }

  override entries(): ReadonlyMap<string, Value> {
    const { name, unknown, open, known } = this.#options;
    if (unknown.size > 0 || open !== undefined) throw new UnknownRead({ name, type: "record" });
    return known.entries();
  }

  #unknown(member: string): Unknown | undefined {
    const { name, unknown, open, known } = this.#options;
    const found = unknown.get(member);
    if (found !== undefined || open === undefined || known.has(member)) return found;
    return { ...open, name: `${name}.${member}` };
  }
}

/** Ancestors of an entity that may have others besides: the groups of somebody unknown. */
export class OpenAncestors extends Set<string> {
  readonly #name: string;
  /** Keys of what it is known not to be in. */
  readonly #outside: ReadonlySet<string>;

  /** `name` is that of the entity, for people. */
  constructor(name: string, inside: Iterable<string>, outside: Iterable<string> = []) {
    super(inside);
    this.#name = name;
    this.#outside = new Set(outside);
  }

  override has(key: string): boolean {
    if (super.has(key)) return true;
    if (this.#outside.has(key)) return false;
    throw new UnknownRead({ name: `what ${this.#name} is in`, type: "boolean" });
  }
}
