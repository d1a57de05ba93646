/**
 * What an expression may come to where part of the request is not known. It runs the closures that
 * decide; only where they meet something unknown does it look at the parts, and then each operator says
 * which outcomes its operands leave open. What two operands have in common is forgotten (`x == x` of an
 * unknown x may be false here), so that the answer may be too wide and is never too narrow.
 */
import { compileExpression } from "../cedar/compile-expression.ts";
import type { Environment, Evaluate } from "../cedar/environment.ts";
import { EvaluationError } from "../cedar/evaluation-error.ts";
import type { ExpressionJson } from "../cedar/policy-json.ts";
import { CedarRecord, CedarSet, EntityUid, type Value } from "../cedar/values.ts";
import { termsOfExpression } from "./clauses.ts";
import { UnknownRead, type HashedStrings, type Unknown, type UnknownEntity } from "./unknown.ts";
import { resultType, typeOf, type ValueType } from "./value-types.ts";

/** Sets of outcomes, one bit each. */
export const MAY = { true: 1, false: 2, other: 4, error: 8 } as const;

/** What an expression may come to. */
export interface Possible {
  /** Bits of MAY; `other` is any value that is no boolean. */
  readonly may: number;
  /** The value, unless it errs; undefined where it is not known. */
  readonly value?: Value | undefined;
  readonly error?: EvaluationError | undefined;
  readonly type?: ValueType | undefined;
  readonly entity?: UnknownEntity | undefined;
  readonly hashed?: HashedStrings | undefined;
  /** Names of the unknown on which it depends. */
  readonly on: readonly string[];
}

export interface PartialOptions {
  /**
   * The policies passed the official validator, and the request fits the schema whatever the unknown is:
   * then no attribute or tag is read that may be absent (they stand behind a `has`), and the unknown has
   * the type that it is said to have.
   */
  readonly validated?: boolean | undefined;
}

export interface PartialEvaluation {
  readonly environment: Environment;
  readonly options: PartialOptions;
}

const BOOLEAN = MAY.true | MAY.false;
const ANY = BOOLEAN | MAY.other;

/** Throws TypeError for what the compiler does not know. */
export function evaluatePartly(expression: ExpressionJson, run: PartialEvaluation): Possible {
  try {
    return exactly(compiled(expression)(run.environment));
  } catch (error) {
    if (!(error instanceof UnknownRead)) return failure(error);
    return lookCloser(expression, run, error.unknown);
  }
}

/** As a boolean: any other value is a type error, of which the validator has found there is none. */
export function asOutcome({ may, type }: Possible, { options }: PartialEvaluation): number {
  if ((may & MAY.other) === 0) return may;
  const values = may & ~MAY.other;
  return options.validated === true && type === undefined ? values : values | MAY.error;
}

const known = new WeakMap<ExpressionJson, Evaluate>();

function compiled(expression: ExpressionJson): Evaluate {
  let evaluate = known.get(expression);
  if (evaluate === undefined) known.set(expression, (evaluate = compileExpression(expression)));
  return evaluate;
}

/** Throws what is no error of the evaluation: a defect. */
function failure(error: unknown): Possible {
  if (!(error instanceof EvaluationError)) throw error;
  return { may: MAY.error, error, on: [] };
}

function isError({ may }: Possible): boolean {
  return may === MAY.error;
}

/** A boolean, or an error. */
function settled(may: number, on: readonly string[]): Possible {
  const values = may & BOOLEAN;
  const value = values === BOOLEAN || values === 0 ? undefined : values === MAY.true;
  // One outcome only: it depends on nothing.
  const certain = (may & (may - 1)) === 0;
  return { may, type: "boolean", value, on: certain ? [] : on };
}

function exactly(value: Value): Possible {
  if (value === true || value === false)
    return { may: value ? MAY.true : MAY.false, value, on: [] };
  return { may: MAY.other, value, type: typeOf(value), on: [] };
}

/** What reading it gives. */
function possibleOf(unknown: Unknown, { options }: PartialEvaluation): Possible {
  const { name, type, maybeAbsent, mayErr, value, entity, hashed } = unknown;
  const absent = maybeAbsent === true && options.validated !== true;
  const error = absent || mayErr === true ? MAY.error : 0;
  if (value !== undefined)
    return { ...exactly(value), may: exactly(value).may | error, on: [name] };
  const values = type === undefined ? ANY : type === "boolean" ? BOOLEAN : MAY.other;
  return { may: values | error, type, entity, hashed, on: [name] };
}

type Operands = Readonly<Record<string, ExpressionJson>>;

function lookCloser(expression: ExpressionJson, run: PartialEvaluation, met: Unknown): Possible {
  const operator = Object.keys(expression)[0] ?? "";
  const operands = expression[operator] as Operands;
  switch (operator) {
    case "Var":
      return possibleOf(met, run);
    case "&&":
    case "||":
      return chain(termsOfExpression(expression, operator), operator, run);
    case "!":
      return not(part(operands, "arg", run), run);
    case "if-then-else":
      return conditional(operands, run);
    case ".":
    case "getTag":
      return attribute(operator, operands, run);
    case "has":
    case "hasTag":
      return presence(operator, operands, run);
    case "in":
      return membership(part(operands, "left", run), part(operands, "right", run), run);
    case "is":
      return typeTest(operands, run);
    default:
      return strict(operator, operands, run);
  }
}

function part(operands: Operands, name: string, run: PartialEvaluation): Possible {
  return evaluatePartly(operands[name] ?? {}, run);
}

/** `&&` goes on while it may be true, `||` while it may be false. */
function chain(
  terms: readonly ExpressionJson[],
  operator: "&&" | "||",
  run: PartialEvaluation,
): Possible {
  const [goOn, stop] = operator === "&&" ? [MAY.true, MAY.false] : [MAY.false, MAY.true];
  let may = 0;
  const on: string[] = [];
  for (const term of terms) {
    const possible = evaluatePartly(term, run);
    const outcome = asOutcome(possible, run);
    on.push(...possible.on);
    may |= outcome & (stop | MAY.error);
    if ((outcome & goOn) === 0) return settled(may, on);
  }
  return settled(may | goOn, on);
}

function not(argument: Possible, run: PartialEvaluation): Possible {
  const outcome = asOutcome(argument, run);
  const swapped =
    (outcome & MAY.error) |
    (outcome & MAY.true ? MAY.false : 0) |
    (outcome & MAY.false ? MAY.true : 0);
  return settled(swapped, argument.on);
}

function conditional(operands: Operands, run: PartialEvaluation): Possible {
  const condition = part(operands, "if", run);
  const outcome = asOutcome(condition, run);
  const branches: Possible[] = [];
  if (outcome & MAY.true) branches.push(part(operands, "then", run));
  if (outcome & MAY.false) branches.push(part(operands, "else", run));
  const on = [...condition.on, ...branches.flatMap((branch) => branch.on)];
  const mayErr = outcome & MAY.error;
  const [only, other] = branches;
  if (only === undefined) return { may: mayErr, on };
  if (other === undefined) return { ...only, may: only.may | mayErr, on };
  const same = sameValue(only, other);
  const type = only.type === other.type ? only.type : undefined;
  return {
    may: only.may | other.may | mayErr,
    type,
    on,
    ...(same === undefined ? {} : { value: same }),
  };
}

/** Of two branches that come to one and the same object. */
function sameValue(one: Possible, other: Possible): Value | undefined {
  return one.value !== undefined && one.value === other.value ? one.value : undefined;
}

function attribute(operator: "." | "getTag", operands: Operands, run: PartialEvaluation): Possible {
  const left = part(operands, "left", run);
  if (isError(left)) return left;
  const name =
    operator === "."
      ? exactly(operands["attr"] as unknown as string)
      : part(operands, "right", run);
  if (isError(name)) return name;
  const on = [...left.on, ...name.on];
  const data = typeof name.value === "string" ? dataOf(left, run) : undefined;
  // Whatever: it stays open whether it errs.
  if (data === undefined) return { may: ANY | MAY.error, on };
  const read = member(operator === "." ? data.attributes : data.tags, name.value as string, run);
  const carried = (left.may | name.may) & MAY.error;
  return { ...read, may: read.may | carried, on: [...on, ...read.on] };
}

function member(from: CedarRecord | undefined, name: string, run: PartialEvaluation): Possible {
  try {
    const value = from?.get(name);
    return value === undefined ? { may: MAY.error, on: [] } : exactly(value);
  } catch (error) {
    if (error instanceof UnknownRead) return possibleOf(error.unknown, run);
    return failure(error);
  }
}

interface Data {
  readonly attributes: CedarRecord;
  readonly tags?: CedarRecord | undefined;
}

/** What can be read of a record or entity that may be there; undefined where that is not known. */
function dataOf(of: Possible, { environment }: PartialEvaluation): Data | undefined {
  if (of.entity !== undefined) return of.entity.data;
  if (of.value instanceof CedarRecord) return { attributes: of.value };
  if (!(of.value instanceof EntityUid)) return undefined;
  try {
    return environment.entity(of.value);
  } catch (error) {
    if (error instanceof UnknownRead) return undefined;
    throw error;
  }
}

/** A `has` never errs on a record or entity; `hasTag` where the tags cannot be read. */
function presence(
  operator: "has" | "hasTag",
  operands: Operands,
  run: PartialEvaluation,
): Possible {
  let left = part(operands, "left", run);
  if (isError(left)) return left;
  if (operator === "hasTag") return tagPresence(left, part(operands, "right", run), run);
  const path = [operands["attr"] as unknown as string | readonly string[]].flat();
  let may = left.may & MAY.error;
  const on = [...left.on];
  for (const [index, name] of path.entries()) {
    const data = dataOf(left, run);
    if (data === undefined) {
      const fits = left.type === "record" || left.type === "entity";
      return settled(may | BOOLEAN | (fits ? 0 : MAY.error), on);
    }
    const there = hasMember(data.attributes, name);
    on.push(...there.on);
    may |= there.may & (MAY.false | MAY.error);
    if ((there.may & MAY.true) === 0) return settled(may, on);
    if (index === path.length - 1) return settled(may | MAY.true, on);
    left = member(data.attributes, name, run);
    if (isError(left)) return settled(may | MAY.error, on);
  }
  return settled(may | BOOLEAN | MAY.error, on);
}

function hasMember(record: CedarRecord, name: string): Possible {
  try {
    return exactly(record.has(name));
  } catch (error) {
    if (!(error instanceof UnknownRead)) return failure(error);
    const { name: on, mayErr } = error.unknown;
    return { may: BOOLEAN | (mayErr === true ? MAY.error : 0), on: [on] };
  }
}

function tagPresence(left: Possible, name: Possible, run: PartialEvaluation): Possible {
  if (isError(name)) return name;
  const carried = (left.may | name.may) & MAY.error;
  const on = [...left.on, ...name.on];
  const data = dataOf(left, run);
  if (data === undefined || typeof name.value !== "string") {
    const fits = left.type === "entity" && name.type === "string" && run.options.validated === true;
    return settled(carried | BOOLEAN | (fits ? 0 : MAY.error), on);
  }
  if (data.tags === undefined) return { may: MAY.error, on };
  const there = hasMember(data.tags, name.value);
  return settled(there.may | carried, [...on, ...there.on]);
}

function membership(left: Possible, right: Possible, run: PartialEvaluation): Possible {
  for (const operand of [left, right]) if (isError(operand)) return operand;
  const carried = (left.may | right.may) & MAY.error;
  const on = [...left.on, ...right.on];
  const targets = uidsOf(right.value);
  const isEntity = left.entity !== undefined || left.value instanceof EntityUid;
  if (targets === undefined || !isEntity) {
    const fits = left.type === "entity" && (right.type === "entity" || run.options.validated);
    return settled(carried | BOOLEAN | (fits === true ? 0 : MAY.error), on);
  }
  const answers = targets.map((target) => isWithin(left, target, run));
  for (const answer of answers) on.push(...answer.on);
  if (answers.some(({ may }) => may === MAY.true)) return settled(MAY.true | carried, on);
  const open = answers.some(({ may }) => (may & MAY.true) !== 0);
  return settled((open ? BOOLEAN : MAY.false) | carried, on);
}

/** Undefined for what is neither an entity nor a set of nothing but entities. */
function uidsOf(target: Value | undefined): readonly EntityUid[] | undefined {
  if (target instanceof EntityUid) return [target];
  if (!(target instanceof CedarSet)) return undefined;
  const uids = target.elements.filter((element) => element instanceof EntityUid);
  return uids.length === target.elements.length ? uids : undefined;
}

function isWithin(
  entity: Possible,
  target: EntityUid,
  { environment }: PartialEvaluation,
): Possible {
  const { value, entity: unknown } = entity;
  try {
    if (value instanceof EntityUid) {
      if (value.key === target.key) return exactly(true);
      return exactly(environment.entity(value)?.ancestors.has(target.key) === true);
    }
    if (unknown?.data.ancestors.has(target.key) === true) return exactly(true);
    if (unknown?.type !== target.type) return exactly(false);
    return { may: BOOLEAN, on: entity.on };
  } catch (error) {
    if (error instanceof UnknownRead) return { may: BOOLEAN, on: [error.unknown.name] };
    throw error;
  }
}

function typeTest(operands: Operands, run: PartialEvaluation): Possible {
  const left = part(operands, "left", run);
  if (isError(left)) return left;
  const wanted = operands["entity_type"] as unknown as string;
  const carried = left.may & MAY.error;
  const type = left.entity?.type ?? (left.value instanceof EntityUid ? left.value.type : undefined);
  if (type !== undefined && type !== wanted) return settled(MAY.false | carried, left.on);
  const target = operands["in"];
  if (type !== undefined && target === undefined) return settled(MAY.true | carried, left.on);
  if (type !== undefined && target !== undefined) {
    return membership(left, evaluatePartly(target, run), run);
  }
  const fits = left.type === "entity" && (target === undefined || run.options.validated === true);
  return settled(carried | BOOLEAN | (fits ? 0 : MAY.error), left.on);
}

/** Operators that evaluate all their operands: an error of any is the error of all. */
function strict(operator: string, operands: Operands, run: PartialEvaluation): Possible {
  const parts = Object.values(operands)
    .filter((operand) => typeof operand === "object" && operator !== "like")
    .map((operand) => evaluatePartly(operand, run));
  if (operator === "like") parts.push(part(operands, "left", run));
  const failed = parts.find(isError);
  if (failed !== undefined) return failed;
  const carried = parts.reduce((may, operand) => may | (operand.may & MAY.error), 0);
  const on = parts.flatMap((operand) => operand.on);
  const [left, right] = parts;
  const hashed = left === undefined ? undefined : onHashes(operator, left, right);
  if (hashed !== undefined) return settled((hashed ? MAY.true : MAY.false) | carried, on);
  const computed = onValues(operator, operands, parts, run);
  if (computed !== undefined) return { ...computed, may: computed.may | carried, on };
  const { type, mayErr } = resultType(
    operator,
    parts.map((operand) => operand.type),
    run.options,
  );
  const values = type === "boolean" ? BOOLEAN : MAY.other;
  return { may: values | carried | (mayErr ? MAY.error : 0), type, on };
}

/**
 * Computed, where each operand comes to one value, if it errs not. Undefined otherwise, and where all of
 * them are exact: then it is within them that something is not known.
 */
function onValues(
  operator: string,
  operands: Operands,
  parts: readonly Possible[],
  run: PartialEvaluation,
): Possible | undefined {
  if (parts.every(({ on }) => on.length === 0)) return undefined;
  const values = new Map<string, Value>();
  for (const { value } of parts) {
    if (value === undefined) return undefined;
    values.set(String(values.size), value);
  }
  let next = 0;
  const standIn = (name: string, operand: unknown): unknown => {
    if (typeof operand !== "object" || (operator === "like" && name !== "left")) return operand;
    return { ".": { left: { Var: "context" }, attr: String(next++) } };
  };
  const replaced = Object.entries(operands).map(([name, operand]) => standIn(name, operand));
  const names = Object.keys(operands);
  const expression = Array.isArray(operands)
    ? replaced
    : Object.fromEntries(replaced.map((operand, index) => [names[index] ?? "", operand]));
  const { environment } = run;
  const context = new CedarRecord(values);
  const computing: Environment = {
    context,
    get principal() {
      return environment.principal;
    },
    get action() {
      return environment.action;
    },
    get resource() {
      return environment.resource;
    },
    entity: (uid) => environment.entity(uid),
  };
  return evaluatePartly({ [operator]: expression }, { ...run, environment: computing });
}

/** Questions that hashes answer; undefined where they do not. */
function onHashes(
  operator: string,
  left: Possible,
  right: Possible | undefined,
): boolean | undefined {
  if (isHashedOne(left) || (right !== undefined && isHashedOne(right))) {
    return right && onOneHash(operator, left, right);
  }
  if (operator === "isEmpty") return left.hashed && left.hashed.hashes.size === 0;
  if (right === undefined) return undefined;
  if (left.hashed !== undefined) return hashedLeft(operator, left.hashed, right.value);
  if (right.hashed === undefined || !(left.value instanceof CedarSet)) return undefined;
  if (operator === "containsAny") return hashedLeft("containsAny", right.hashed, left.value);
  if (operator === "==" || operator === "!=") return hashedLeft(operator, right.hashed, left.value);
  if (operator !== "containsAll") return undefined;
  const ours = hashesOf(left.value, right.hashed);
  return [...right.hashed.hashes].every((hash) => ours.has(hash));
}

/** A text, a number or a boolean: one value with one hash. */
function isHashedOne({ hashed, type }: Possible): boolean {
  return hashed !== undefined && type !== "set";
}

/** Whether it is a known value, or among known ones. */
function onOneHash(operator: string, left: Possible, right: Possible): boolean | undefined {
  const [own, other] = isHashedOne(left) ? [left, right.value] : [right, left.value];
  if (other === undefined) return undefined;
  if (operator === "==") return isHashOf(own, other);
  if (operator === "!=") return !isHashOf(own, other);
  if (operator !== "contains" || own !== right || !(other instanceof CedarSet)) return undefined;
  return other.elements.some((element) => isHashOf(own, element));
}

/** What is of another type is another value. */
function isHashOf({ hashed, type }: Possible, value: Value): boolean {
  if (hashed === undefined || typeof value === "object" || typeOf(value) !== type) return false;
  return hashed.hashes.has(hashed.hash(String(value)));
}

function hashedLeft(operator: string, left: HashedStrings, right?: Value): boolean | undefined {
  if (operator === "contains" && right !== undefined) {
    return typeof right === "string" && left.hashes.has(left.hash(right));
  }
  if (!(right instanceof CedarSet)) return undefined;
  const theirs = hashesOf(right, left);
  const held = [...theirs].filter((hash) => left.hashes.has(hash)).length;
  // An element that is no string has no hash, and is in no set of strings.
  const all = held === right.elements.length;
  if (operator === "containsAny") return held > 0;
  if (operator === "containsAll") return all;
  if (operator === "==") return all && held === left.hashes.size;
  if (operator === "!=") return !(all && held === left.hashes.size);
  return undefined;
}

function hashesOf(set: CedarSet, { hash }: HashedStrings): ReadonlySet<string> {
  return new Set(set.elements.filter((one) => typeof one === "string").map(hash));
}
