/**
 * Turns one expression of the policy JSON into a closure. Refuses (with a TypeError) what it does not
 * know: the JSON comes from the official parser, so that is a newer language than ours.
 *
 * Order of evaluation and type errors are Cedar's: `&&`, `||` and `if` evaluate only what decides,
 * and everything else evaluates all its operands.
 */
import { EXTENSION_FUNCTIONS } from "./extension-functions.ts";
import {
  EvaluationError,
  NO_SUCH_ATTRIBUTE,
  NO_SUCH_ENTITY,
  NO_SUCH_TAG,
  TYPE_ERROR,
} from "./evaluation-error.ts";
import type { Environment, Evaluate } from "./environment.ts";
import { compilePattern, type PatternJson } from "./like-pattern.ts";
import {
  addLong,
  canonicalLong,
  multiplyLong,
  negateLong,
  subtractLong,
  type Long,
} from "./long.ts";
import {
  asBoolean,
  asLong,
  asSet,
  asString,
  asUid,
  attributes,
  contains,
  containsAll,
  containsAny,
  isIn,
  lessOrEqual,
  lessThan,
} from "./operators.ts";
import { uidFromJson, type ExpressionJson, type LiteralJson } from "./policy-json.ts";
import { CedarRecord, CedarSet, valuesEqual, type Value } from "./values.ts";

const LIMITS = {
  /** Closures call each other, so the nesting of an expression is stack at every decision. */
  depth: 1500,
} as const;

type Compile = (operands: ExpressionJson, depth: number) => Evaluate;

/** Throws TypeError for an operator or function that it does not know. */
export function compileExpression(expression: ExpressionJson, depth = 0): Evaluate {
  if (depth > LIMITS.depth) throw new TypeError("the expression is nested too deeply");
  const operator = Object.keys(expression)[0] ?? "";
  const operands = expression[operator] as ExpressionJson;
  const compile = OPERATORS.get(operator);
  if (compile !== undefined) return foldConstant(expression, compile(operands, depth + 1));
  const call = compileCall(operator, operands as unknown as readonly ExpressionJson[], depth + 1);
  return foldConstant(expression, call);
}

const OPERATORS: ReadonlyMap<string, Compile> = new Map<string, Compile>([
  ["Value", (operands) => constant(literal(operands as unknown as LiteralJson))],
  ["Var", (operands) => variable(operands as unknown as string)],
  ["&&", (operands, depth) => compileChain("&&", operands, depth)],
  ["||", (operands, depth) => compileChain("||", operands, depth)],
  ["!", (operands, depth) => compileNot(operands, depth)],
  ["neg", (operands, depth) => compileNegate(operands, depth)],
  ["if-then-else", (operands, depth) => compileIf(operands, depth)],
  ["==", (operands, depth) => compileEquals(operands, depth)],
  ["!=", (operands, depth) => compileBinary(operands, depth, (a, b) => !valuesEqual(a, b))],
  ["<", (operands, depth) => compileBinary(operands, depth, lessThan)],
  ["<=", (operands, depth) => compileBinary(operands, depth, (a, b) => lessOrEqual(a, b))],
  [">", (operands, depth) => compileBinary(operands, depth, (a, b) => lessThan(b, a))],
  [">=", (operands, depth) => compileBinary(operands, depth, (a, b) => lessOrEqual(b, a))],
  ["+", (operands, depth) => compileArithmetic(operands, depth, addLong)],
  ["-", (operands, depth) => compileArithmetic(operands, depth, subtractLong)],
  ["*", (operands, depth) => compileArithmetic(operands, depth, multiplyLong)],
  ["in", (operands, depth) => compileIn(operands, depth)],
  ["is", (operands, depth) => compileIs(operands, depth)],
  ["has", (operands, depth) => compileHas(operands, depth)],
  [".", (operands, depth) => compileAttribute(operands, depth)],
  ["hasTag", (operands, depth) => compileHasTag(operands, depth)],
  ["getTag", (operands, depth) => compileGetTag(operands, depth)],
  ["like", (operands, depth) => compileLike(operands, depth)],
  ["contains", (operands, depth) => compileBinary(operands, depth, contains)],
  ["containsAll", (operands, depth) => compileBinary(operands, depth, containsAll)],
  ["containsAny", (operands, depth) => compileBinary(operands, depth, containsAny)],
  ["isEmpty", (operands, depth) => compileIsEmpty(operands, depth)],
  ["Set", (operands, depth) => compileSet(operands as unknown as ExpressionJson[], depth)],
  ["Record", (operands, depth) => compileRecord(operands, depth)],
]);

function part(operands: ExpressionJson, name: string, depth: number): Evaluate {
  return compileExpression(operands[name] as ExpressionJson, depth);
}

/** Operators that compute the same value everywhere when their operands are constant. */
const FOLDED = new Set(["Set", "Record", "neg"]);
const constants = new WeakMap<Evaluate, Value>();

function constant(value: Value): Evaluate {
  const evaluate = (): Value => value;
  constants.set(evaluate, value);
  return evaluate;
}

/**
 * Literal sets, records and extension values are made once, not at every decision: a range check
 * against a list of addresses would otherwise parse them all again. One that fails fails when it is
 * evaluated, not before, as it may stand where evaluation never comes.
 */
function foldConstant(expression: ExpressionJson, evaluate: Evaluate): Evaluate {
  if (!isConstant(expression) || constants.has(evaluate)) return evaluate;
  try {
    return constant(evaluate(NOTHING));
  } catch (error) {
    if (error instanceof EvaluationError) return evaluate;
    throw error;
  }
}

/** A constant expression reads no environment. */
const NOTHING = undefined as unknown as Environment;

function isConstant(expression: ExpressionJson): boolean {
  const operator = Object.keys(expression)[0] ?? "";
  if (operator === "Value") return true;
  if (!FOLDED.has(operator) && EXTENSION_FUNCTIONS.get(operator)?.constructs !== true) return false;
  const operands = expression[operator];
  return Object.values(operands as object).every((operand) =>
    isConstant(operand as ExpressionJson),
  );
}

function literal(json: LiteralJson): Value {
  if (typeof json === "number") {
    if (!Number.isSafeInteger(json)) throw new TypeError("an integer was rounded on its way here");
    return json;
  }
  if (typeof json !== "object") return json;
  if ("__long" in json) {
    const { __long: digits } = json;
    return canonicalLong(BigInt(digits));
  }
  if ("__entity" in json) return uidFromJson(json);
  throw new TypeError("unknown kind of literal");
}

function variable(name: string): Evaluate {
  if (name === "principal") return (environment) => environment.principal;
  if (name === "action") return (environment) => environment.action;
  if (name === "resource") return (environment) => environment.resource;
  if (name === "context") return (environment) => environment.context;
  throw new TypeError(`unknown variable ${name}`);
}

/** `a && b && c` nests to the left; as a list it costs no stack, however long it is. */
function compileChain(operator: "&&" | "||", operands: ExpressionJson, depth: number): Evaluate {
  const terms = [operands["right"] as ExpressionJson];
  let rest = operands["left"] as ExpressionJson;
  while (Object.hasOwn(rest, operator)) {
    const inner = rest[operator] as ExpressionJson;
    terms.push(inner["right"] as ExpressionJson);
    rest = inner["left"] as ExpressionJson;
  }
  terms.push(rest);
  const compiled = terms.toReversed().map((term) => compileExpression(term, depth));
  const [first, second, third] = compiled;
  if (first === undefined || second === undefined) throw new TypeError("a chain has two terms");
  if (operator === "&&") {
    if (third === undefined) return (env) => asBoolean(first(env)) && asBoolean(second(env));
    return (env) => {
      for (const term of compiled) if (!asBoolean(term(env))) return false;
      return true;
    };
  }
  if (third === undefined) return (env) => asBoolean(first(env)) || asBoolean(second(env));
  return (env) => {
    for (const term of compiled) if (asBoolean(term(env))) return true;
    return false;
  };
}

function compileNot(operands: ExpressionJson, depth: number): Evaluate {
  const argument = part(operands, "arg", depth);
  return (env) => !asBoolean(argument(env));
}

function compileNegate(operands: ExpressionJson, depth: number): Evaluate {
  const argument = part(operands, "arg", depth);
  return (env) => negateLong(asLong(argument(env)));
}

function compileIf(operands: ExpressionJson, depth: number): Evaluate {
  const condition = part(operands, "if", depth);
  const then = part(operands, "then", depth);
  const otherwise = part(operands, "else", depth);
  return (env) => (asBoolean(condition(env)) ? then(env) : otherwise(env));
}

function compileEquals(operands: ExpressionJson, depth: number): Evaluate {
  const left = part(operands, "left", depth);
  const right = part(operands, "right", depth);
  return (env) => valuesEqual(left(env), right(env));
}

function compileBinary(
  operands: ExpressionJson,
  depth: number,
  compute: (left: Value, right: Value) => Value,
): Evaluate {
  const left = part(operands, "left", depth);
  const right = part(operands, "right", depth);
  return (env) => compute(left(env), right(env));
}

function compileArithmetic(
  operands: ExpressionJson,
  depth: number,
  compute: (left: Long, right: Long) => Long,
): Evaluate {
  return compileBinary(operands, depth, (left, right) => compute(asLong(left), asLong(right)));
}

function compileIn(operands: ExpressionJson, depth: number): Evaluate {
  const left = part(operands, "left", depth);
  const right = part(operands, "right", depth);
  return (env) => isIn(env, asUid(left(env)), right(env));
}

function compileIs(operands: ExpressionJson, depth: number): Evaluate {
  const left = part(operands, "left", depth);
  const type = operands["entity_type"] as string;
  if (operands["in"] === undefined) return (env) => asUid(left(env)).type === type;
  const target = part(operands, "in", depth);
  return (env) => {
    const entity = asUid(left(env));
    return entity.type === type && isIn(env, entity, target(env));
  };
}

/** `has a.b.c` is `has a && .a has b && .a.b has c`. */
function compileHas(operands: ExpressionJson, depth: number): Evaluate {
  const left = part(operands, "left", depth);
  const path = [operands["attr"] as string | readonly string[]].flat();
  const last = path.pop();
  if (last === undefined) throw new TypeError("has needs an attribute");
  if (path.length === 0) return (env) => attributes(env, left(env))?.has(last) === true;
  return (env) => {
    let value: Value | undefined = left(env);
    for (const name of path) {
      value = attributes(env, value)?.get(name);
      if (value === undefined) return false;
    }
    return attributes(env, value)?.has(last) === true;
  };
}

function compileAttribute(operands: ExpressionJson, depth: number): Evaluate {
  const left = part(operands, "left", depth);
  const name = operands["attr"] as string;
  return (env) => {
    const record = attributes(env, left(env));
    if (record === undefined) throw NO_SUCH_ENTITY;
    const value = record.get(name);
    if (value === undefined) throw NO_SUCH_ATTRIBUTE;
    return value;
  };
}

function compileHasTag(operands: ExpressionJson, depth: number): Evaluate {
  const left = part(operands, "left", depth);
  const name = part(operands, "right", depth);
  return (env) => {
    const entity = asUid(left(env));
    const tag = asString(name(env));
    return env.entity(entity)?.tags.has(tag) === true;
  };
}

function compileGetTag(operands: ExpressionJson, depth: number): Evaluate {
  const left = part(operands, "left", depth);
  const name = part(operands, "right", depth);
  return (env) => {
    const entity = asUid(left(env));
    const tag = asString(name(env));
    const data = env.entity(entity);
    if (data === undefined) throw NO_SUCH_ENTITY;
    const value = data.tags.get(tag);
    if (value === undefined) throw NO_SUCH_TAG;
    return value;
  };
}

function compileLike(operands: ExpressionJson, depth: number): Evaluate {
  const left = part(operands, "left", depth);
  const matches = compilePattern(operands["pattern"] as PatternJson);
  return (env) => matches(asString(left(env)));
}

function compileIsEmpty(operands: ExpressionJson, depth: number): Evaluate {
  const argument = part(operands, "arg", depth);
  return (env) => asSet(argument(env)).elements.length === 0;
}

function compileSet(elements: readonly ExpressionJson[], depth: number): Evaluate {
  const compiled = elements.map((element) => compileExpression(element, depth));
  return (env) => new CedarSet(compiled.map((element) => element(env)));
}

function compileRecord(fields: ExpressionJson, depth: number): Evaluate {
  const compiled = Object.entries(fields).map(
    ([name, value]) => [name, compileExpression(value as ExpressionJson, depth)] as const,
  );
  return (env) => new CedarRecord(new Map(compiled.map(([name, value]) => [name, value(env)])));
}

function compileCall(name: string, operands: readonly ExpressionJson[], depth: number): Evaluate {
  const extension = EXTENSION_FUNCTIONS.get(name);
  if (extension === undefined) throw new TypeError(`unknown operator or function ${name}`);
  const [first, second] = operands.map((operand) => compileExpression(operand, depth));
  const { arity, call } = extension;
  // The parser lets a wrong number of arguments pass; it is an error of the evaluation.
  if (first === undefined || operands.length !== arity) return wrongArguments;
  if (second === undefined) return (env) => call(first(env), false);
  return (env) => call(first(env), second(env));
}

function wrongArguments(): never {
  throw TYPE_ERROR;
}
