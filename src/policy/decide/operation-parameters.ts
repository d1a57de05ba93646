/**
 * `context.parameters` of an operation: what its description declares, read from the path as the service
 * gets it and from the query, each when a policy asks for it.
 *
 * Nothing is guessed. A declared parameter that is not of its type, that stands there twice although it
 * is one value, or that is required and absent is an error of the policy that reads it (BAD_PARAMETER),
 * and so is `has` of a required one that is absent: a `permit` then does not apply, and a `forbid` denies.
 */
import type { VocabularyParameter } from "../../model/vocabulary.ts";
import { BAD_PARAMETER } from "../cedar/evaluation-error.ts";
import { canonicalLong, type Long } from "../cedar/long.ts";
import { CedarRecord, CedarSet, type Value } from "../cedar/values.ts";

/** By name. */
export type DeclaredParameters = ReadonlyMap<string, VocabularyParameter>;

export function declareParameters(parameters: readonly VocabularyParameter[]): DeclaredParameters {
  return new Map(parameters.map((parameter) => [parameter.name, parameter]));
}

export class OperationParameters extends CedarRecord {
  readonly #declared: DeclaredParameters;
  readonly #path: string;
  readonly #queryValues: (name: string) => readonly string[];

  /** `path` is canonical. `queryValues` gives decoded values, in their order; it may throw an EvaluationError. */
  constructor(
    declared: DeclaredParameters,
    path: string,
    queryValues: (name: string) => readonly string[],
  ) {
    super(NO_ENTRIES);
    this.#declared = declared;
    this.#path = path;
    this.#queryValues = queryValues;
  }

  /** What the description declares, whether it is there or not. */
  get declared(): DeclaredParameters {
    return this.#declared;
  }

  override get(name: string): Value | undefined {
    const parameter = this.#declared.get(name);
    const texts = parameter === undefined ? NONE : this.#texts(parameter);
    return parameter === undefined || texts.length === 0 ? undefined : valueOf(parameter, texts);
  }

  /** Also of what is there and cannot be read: who asks first must not take it for absent. */
  override has(name: string): boolean {
    const parameter = this.#declared.get(name);
    return parameter !== undefined && this.#texts(parameter).length > 0;
  }

  override entries(): ReadonlyMap<string, Value> {
    const entries = new Map<string, Value>();
    for (const name of this.#declared.keys()) {
      const value = this.get(name);
      if (value !== undefined) entries.set(name, value);
    }
    return entries;
  }

  #texts(parameter: VocabularyParameter): readonly string[] {
    const { name, segment, required } = parameter;
    const texts =
      segment === undefined ? this.#queryValues(name) : [this.#path.split("/")[segment + 1]];
    const given = texts.filter((text) => text !== undefined);
    if (required && given.length === 0) throw BAD_PARAMETER;
    return given;
  }
}

const NO_ENTRIES: ReadonlyMap<string, Value> = new Map();
const NONE: readonly string[] = [];

function valueOf(parameter: VocabularyParameter, texts: readonly string[]): Value {
  const { type, segment, delimiter } = parameter;
  // Segments stand as they came: a comma that was escaped is no delimiter there.
  const decode = segment === undefined ? (text: string) => text : decodeURIComponent;
  if (type === "strings" && delimiter === undefined) return new CedarSet(texts.map(decode));
  const [text, ...more] = texts;
  if (text === undefined || more.length > 0) throw BAD_PARAMETER;
  if (type === "strings") return new CedarSet(text.split(delimiter ?? ",").map(decode));
  if (type === "long") return longOf(decode(text));
  return type === "bool" ? booleanOf(decode(text)) : decode(text);
}

/** As JSON writes an integer: `+1`, `01` and `1e3` are read in more than one way. */
const INTEGER = /^(?:0|-?[1-9][0-9]{0,18})$/;

function longOf(text: string): Long {
  if (!INTEGER.test(text)) throw BAD_PARAMETER;
  return canonicalLong(BigInt(text));
}

function booleanOf(text: string): boolean {
  if (text !== "true" && text !== "false") throw BAD_PARAMETER;
  return text === "true";
}
