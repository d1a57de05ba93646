/**
 * How the evaluation of an expression can fail though it validates: integers and times that leave 64
 * bits, and attributes of an entity that may not be there. What the validator refuses (wrong types, an
 * optional attribute or a tag that nothing asks for first, `decimal(…)` of anything but a literal) is
 * not looked for again.
 *
 * Ranges are computed as far as they are known: `context.time` and `context.authn.age` cannot overflow
 * by what is added in practice, an attribute of a principal can.
 */
import { parseDatetime } from "../cedar/datetime.ts";
import { parseDuration } from "../cedar/duration.ts";
import type { ExpressionJson, LiteralJson, UidJson } from "../cedar/policy-json.ts";

/** What can fail, each once; empty where nothing can. `exists`: an entity that is always there. */
export function failuresOf(
  expression: ExpressionJson,
  exists: (uid: UidJson) => boolean,
): readonly string[] {
  const failures = new Failures(exists);
  failures.rangeOf(expression);
  return [...failures.found];
}

interface Range {
  readonly low: bigint;
  readonly high: bigint;
}

const LONG: Range = { low: -(2n ** 63n), high: 2n ** 63n - 1n };
/** What the clock of a machine can say (`Date`), in milliseconds. */
const CLOCK: Range = { low: -8_640_000_000_000_000n, high: 8_640_000_000_000_000n };
/** Seconds since a login: a safe integer. */
const AGE: Range = { low: -(2n ** 53n), high: 2n ** 53n };

const MILLISECONDS: Readonly<Record<string, bigint>> = {
  toMilliseconds: 1n,
  toSeconds: 1000n,
  toMinutes: 60_000n,
  toHours: 3_600_000n,
  toDays: 86_400_000n,
};
const DAY = 86_400_000n;

class Failures {
  readonly found = new Set<string>();
  readonly #exists: (uid: UidJson) => boolean;

  constructor(exists: (uid: UidJson) => boolean) {
    this.#exists = exists;
  }

  /** The range of a number, a time or a duration; of anything else it means nothing. */
  rangeOf(expression: ExpressionJson): Range {
    const [operator = ""] = Object.keys(expression);
    const operands = expression[operator];
    if (operator === "Value") return literalRange(operands as LiteralJson);
    if (operator === "Var" || operator === "Slot") return LONG;
    if (operator === ".") return this.#attribute(operands as Access);
    if (operator === "Record") {
      for (const value of Object.values(operands as object)) this.rangeOf(value as ExpressionJson);
      return LONG;
    }
    if (Array.isArray(operands)) return this.#call(operator, operands as ExpressionJson[]);
    const parts = Object.entries(operands as ExpressionJson).filter(([name]) => PARTS.has(name));
    const ranges = parts.map(([, part]) => this.rangeOf(part as ExpressionJson));
    const [first = LONG, second = LONG, third = LONG] = ranges;
    if (operator === "neg") return this.#within(negated(first), "negation");
    if (operator === "+") return this.#within(sum(first, second), "addition");
    if (operator === "-") return this.#within(sum(first, negated(second)), "subtraction");
    if (operator === "*") return this.#within(product(first, second), "multiplication");
    if (operator === "if-then-else") return union(second, third);
    return LONG;
  }

  #attribute({ left, attr }: Access): Range {
    const { __entity: uid } = (left["Value"] ?? {}) as { readonly __entity?: UidJson };
    if (uid !== undefined && !this.#exists(uid)) {
      this.found.add(`${uid.type}::"${uid.id}" has no attributes unless it is there`);
    }
    this.rangeOf(left);
    if (isContext(left) && attr === "time") return CLOCK;
    const { left: of, attr: name } = (left["."] ?? {}) as Partial<Access>;
    return of !== undefined && isContext(of) && name === "authn" && attr === "age" ? AGE : LONG;
  }

  #call(name: string, operands: readonly ExpressionJson[]): Range {
    const [first = LONG, second = LONG] = operands.map((operand) => this.rangeOf(operand));
    const text = operands[0]?.["Value"];
    if (name === "offset") return this.#within(sum(first, second), "offset");
    if (name === "durationSince") {
      return this.#within(sum(first, negated(second)), "durationSince");
    }
    // The start of the first day lies before the first time that there is.
    if (name === "toDate") return this.#within({ ...first, low: first.low - DAY + 1n }, "toDate");
    if (name === "toTime") return { low: 0n, high: DAY - 1n };
    const unit = MILLISECONDS[name];
    if (unit !== undefined) return { low: first.low / unit, high: first.high / unit };
    if (name === "duration" && typeof text === "string") return point(parseDuration(text).ms);
    if (name === "datetime" && typeof text === "string") return point(parseDatetime(text).ms);
    return LONG;
  }

  #within(range: Range, what: string): Range {
    if (range.low >= LONG.low && range.high <= LONG.high) return range;
    this.found.add(`the ${what} can leave 64 bits`);
    return {
      low: range.low < LONG.low ? LONG.low : range.low,
      high: range.high > LONG.high ? LONG.high : range.high,
    };
  }
}

/** Keys under which expressions stand; `attr`, `pattern` and `entity_type` hold none. */
const PARTS: ReadonlySet<string> = new Set(["left", "right", "arg", "if", "then", "else", "in"]);

interface Access {
  readonly left: ExpressionJson;
  readonly attr: string;
}

function isContext(expression: ExpressionJson): boolean {
  return expression["Var"] === "context";
}

function literalRange(literal: LiteralJson): Range {
  if (typeof literal === "number") return point(literal);
  if (typeof literal !== "object" || !("__long" in literal)) return LONG;
  const { __long: digits } = literal;
  return point(BigInt(digits));
}

function point(value: number | bigint): Range {
  return { low: BigInt(value), high: BigInt(value) };
}

function negated({ low, high }: Range): Range {
  return { low: -high, high: -low };
}

function sum(left: Range, right: Range): Range {
  return { low: left.low + right.low, high: left.high + right.high };
}

function product(left: Range, right: Range): Range {
  const corners = [
    left.low * right.low,
    left.low * right.high,
    left.high * right.low,
    left.high * right.high,
  ].toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return { low: corners[0] ?? 0n, high: corners.at(-1) ?? 0n };
}

function union(left: Range, right: Range): Range {
  return {
    low: left.low < right.low ? left.low : right.low,
    high: left.high > right.high ? left.high : right.high,
  };
}
