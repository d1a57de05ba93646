/**
 * Cedar's extension functions and methods: how many arguments each takes and what it computes. A
 * wrong type is TYPE_ERROR, a string that does not parse BAD_EXTENSION.
 */
import { Datetime, parseDatetime } from "./datetime.ts";
import { Decimal, parseDecimal } from "./decimal.ts";
import { Duration, parseDuration } from "./duration.ts";
import { TYPE_ERROR } from "./evaluation-error.ts";
import { IpAddress, parseIpAddress } from "./ip-address.ts";
import type { Value } from "./values.ts";

export interface ExtensionFunction {
  readonly arity: 1 | 2;
  /** Makes a value from a string: constant where its argument is. */
  readonly constructs: boolean;
  /** The second argument is ignored where the arity is 1. */
  readonly call: (first: Value, second: Value) => Value;
}

/** By the name that policies use. */
export const EXTENSION_FUNCTIONS: ReadonlyMap<string, ExtensionFunction> = new Map([
  constructor("ip", parseIpAddress),
  constructor("decimal", parseDecimal),
  constructor("datetime", parseDatetime),
  constructor("duration", parseDuration),
  unary("isIpv4", (value) => ip(value).isIpv4()),
  unary("isIpv6", (value) => ip(value).isIpv6()),
  unary("isLoopback", (value) => ip(value).isLoopback()),
  unary("isMulticast", (value) => ip(value).isMulticast()),
  binary("isInRange", (left, right) => {
    const address = ip(left);
    return address.isInRange(ip(right));
  }),
  binary("lessThan", (left, right) => decimal(left).scaled < decimal(right).scaled),
  binary("lessThanOrEqual", (left, right) => decimal(left).scaled <= decimal(right).scaled),
  binary("greaterThan", (left, right) => decimal(left).scaled > decimal(right).scaled),
  binary("greaterThanOrEqual", (left, right) => decimal(left).scaled >= decimal(right).scaled),
  binary("offset", (left, right) => datetime(left).offset(duration(right))),
  binary("durationSince", (left, right) => datetime(left).durationSince(datetime(right))),
  unary("toDate", (value) => datetime(value).toDate()),
  unary("toTime", (value) => datetime(value).toTime()),
  unary("toMilliseconds", (value) => duration(value).toMilliseconds()),
  unary("toSeconds", (value) => duration(value).toSeconds()),
  unary("toMinutes", (value) => duration(value).toMinutes()),
  unary("toHours", (value) => duration(value).toHours()),
  unary("toDays", (value) => duration(value).toDays()),
]);

function constructor(name: string, parse: (text: string) => Value): [string, ExtensionFunction] {
  const call = (value: Value): Value => {
    if (typeof value !== "string") throw TYPE_ERROR;
    return parse(value);
  };
  return [name, { arity: 1, constructs: true, call }];
}

function unary(name: string, call: (value: Value) => Value): [string, ExtensionFunction] {
  return [name, { arity: 1, constructs: false, call }];
}

function binary(
  name: string,
  call: (left: Value, right: Value) => Value,
): [string, ExtensionFunction] {
  return [name, { arity: 2, constructs: false, call }];
}

function ip(value: Value): IpAddress {
  if (value instanceof IpAddress) return value;
  throw TYPE_ERROR;
}

function decimal(value: Value): Decimal {
  if (value instanceof Decimal) return value;
  throw TYPE_ERROR;
}

function datetime(value: Value): Datetime {
  if (value instanceof Datetime) return value;
  throw TYPE_ERROR;
}

function duration(value: Value): Duration {
  if (value instanceof Duration) return value;
  throw TYPE_ERROR;
}
