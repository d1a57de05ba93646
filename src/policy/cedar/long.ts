/**
 * Cedar's `Long`: a 64-bit signed integer whose overflow is an error.
 *
 * A value is a number while it is a safe integer and a bigint beyond that, never both, so that `===`
 * is equality and the usual case costs no allocation.
 */
import { OVERFLOW } from "./evaluation-error.ts";

export type Long = number | bigint;

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

/** The one representation of an integer; throws OVERFLOW outside 64 bits. */
export function canonicalLong(value: bigint): Long {
  if (value < MIN || value > MAX) throw OVERFLOW;
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : value;
}

export function isLong(value: unknown): value is Long {
  return typeof value === "number" || typeof value === "bigint";
}

/** Throws OVERFLOW. */
export function addLong(left: Long, right: Long): Long {
  if (typeof left === "number" && typeof right === "number") {
    const sum = left + right;
    if (Number.isSafeInteger(sum)) return sum;
  }
  return canonicalLong(BigInt(left) + BigInt(right));
}

/** Throws OVERFLOW. */
export function subtractLong(left: Long, right: Long): Long {
  if (typeof left === "number" && typeof right === "number") {
    const difference = left - right;
    if (Number.isSafeInteger(difference)) return difference;
  }
  return canonicalLong(BigInt(left) - BigInt(right));
}

/** Throws OVERFLOW. */
export function multiplyLong(left: Long, right: Long): Long {
  if (typeof left === "number" && typeof right === "number") {
    const product = left * right;
    // + 0 turns -0, which no 64-bit integer is, into 0.
    if (Number.isSafeInteger(product)) return product + 0;
  }
  return canonicalLong(BigInt(left) * BigInt(right));
}

/** Throws OVERFLOW. */
export function negateLong(value: Long): Long {
  return subtractLong(0, value);
}

/** Quotient rounded towards zero, as 64-bit division does. */
export function divideLong(value: Long, divisor: number): Long {
  if (typeof value === "number") return Math.trunc(value / divisor) + 0;
  return canonicalLong(value / BigInt(divisor));
}
