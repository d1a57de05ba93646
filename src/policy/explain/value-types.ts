/** Types of values, and what an operator can come to when only the types of its operands are known. */
import { Datetime } from "../cedar/datetime.ts";
import { Decimal } from "../cedar/decimal.ts";
import type { Duration } from "../cedar/duration.ts";
import { IpAddress } from "../cedar/ip-address.ts";
import { CedarRecord, CedarSet, EntityUid, type Value } from "../cedar/values.ts";

export type ValueType =
  | "boolean"
  | "long"
  | "string"
  | "set"
  | "record"
  | "entity"
  | "ip"
  | "decimal"
  | "datetime"
  | "duration";

export function typeOf(value: Value): ValueType {
  if (typeof value === "boolean") return "boolean";
  if (typeof value === "string") return "string";
  if (typeof value !== "object") return "long";
  if (value instanceof CedarSet) return "set";
  if (value instanceof CedarRecord) return "record";
  if (value instanceof EntityUid) return "entity";
  if (value instanceof IpAddress) return "ip";
  if (value instanceof Decimal) return "decimal";
  if (value instanceof Datetime) return "datetime";
  value satisfies Duration;
  return "duration";
}

export interface ResultType {
  readonly type: ValueType;
  /** Whether it can fail although its operands are of these types and there. */
  readonly mayErr: boolean;
}

type Types = readonly (ValueType | undefined)[];

/**
 * Of operators that evaluate all their operands; `validated`: no operand is of a wrong type. Throws
 * TypeError for an operator that it does not know.
 */
export function resultType(
  operator: string,
  operands: Types,
  { validated }: { readonly validated?: boolean | undefined } = {},
): ResultType {
  const rule = RULES.get(operator);
  if (rule === undefined) throw new TypeError(`unknown operator or function ${operator}`);
  const fits =
    validated === true ||
    rule.takes.some(
      (types) =>
        types === "any" ||
        (types.length === operands.length &&
          types.every((type, at) => type === ANY_TYPE || type === operands[at])),
    );
  return { type: rule.gives, mayErr: rule.fails === true || !fits };
}

const ANY_TYPE = "any of them";

interface Rule {
  readonly gives: ValueType;
  /** Operands on which it does not fail by their type. */
  readonly takes: readonly ("any" | readonly (ValueType | typeof ANY_TYPE)[])[];
  /** Whether it may fail by the values: overflow, a text that does not parse. */
  readonly fails?: boolean;
}

const ORDERED: Rule["takes"] = [
  ["long", "long"],
  ["datetime", "datetime"],
  ["duration", "duration"],
];
const COMPARES: Rule = { gives: "boolean", takes: ORDERED };
const EQUALS: Rule = { gives: "boolean", takes: ["any"] };
const COMPUTES: Rule = { gives: "long", takes: [], fails: true };
const SETS: Rule = { gives: "boolean", takes: [["set", "set"]] };
const ADDRESS: Rule = { gives: "boolean", takes: [["ip"]] };
const DECIMALS: Rule = { gives: "boolean", takes: [["decimal", "decimal"]] };
const IN_UNITS: Rule = { gives: "long", takes: [["duration"]] };

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ["==", EQUALS],
  ["!=", EQUALS],
  ["<", COMPARES],
  ["<=", COMPARES],
  [">", COMPARES],
  [">=", COMPARES],
  ["+", COMPUTES],
  ["-", COMPUTES],
  ["*", COMPUTES],
  ["neg", COMPUTES],
  ["like", { gives: "boolean", takes: [["string"]] }],
  ["contains", { gives: "boolean", takes: [["set", ANY_TYPE]] }],
  ["containsAll", SETS],
  ["containsAny", SETS],
  ["isEmpty", { gives: "boolean", takes: [["set"]] }],
  ["Set", { gives: "set", takes: ["any"] }],
  ["Record", { gives: "record", takes: ["any"] }],
  ["ip", { gives: "ip", takes: [], fails: true }],
  ["decimal", { gives: "decimal", takes: [], fails: true }],
  ["datetime", { gives: "datetime", takes: [], fails: true }],
  ["duration", { gives: "duration", takes: [], fails: true }],
  ["isIpv4", ADDRESS],
  ["isIpv6", ADDRESS],
  ["isLoopback", ADDRESS],
  ["isMulticast", ADDRESS],
  ["isInRange", { gives: "boolean", takes: [["ip", "ip"]] }],
  ["lessThan", DECIMALS],
  ["lessThanOrEqual", DECIMALS],
  ["greaterThan", DECIMALS],
  ["greaterThanOrEqual", DECIMALS],
  ["offset", { gives: "datetime", takes: [], fails: true }],
  ["durationSince", { gives: "duration", takes: [], fails: true }],
  ["toDate", { gives: "datetime", takes: [], fails: true }],
  ["toTime", { gives: "duration", takes: [["datetime"]] }],
  ["toMilliseconds", IN_UNITS],
  ["toSeconds", IN_UNITS],
  ["toMinutes", IN_UNITS],
  ["toHours", IN_UNITS],
  ["toDays", IN_UNITS],
]);
