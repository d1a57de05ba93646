import { randomBytes } from "node:crypto";

/** Bytes of randomness: no two stores, and no two lives of one, have the same epoch. */
const EPOCH_BYTES = 16;

export function newEpoch(): string {
  return randomBytes(EPOCH_BYTES).toString("base64url");
}
