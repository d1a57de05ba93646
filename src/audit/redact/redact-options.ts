/** Which members of a record may be written as keyed hashes, by name: a closed list. */
import { z } from "zod";

/** With what each is. */
export const REDACTABLE = [
  "actor.subject",
  "clientAddress",
  "detail",
  "device.attributes",
  "device.subject",
  "host",
  "params",
  "path",
  "peerAddress",
  "principal.attributes",
  "principal.groups",
  "principal.subject",
  "query",
  "requestId",
  "workload.subject",
] as const;

export type Redactable = (typeof REDACTABLE)[number];

const SUBJECTS = [
  "actor.subject",
  "device.subject",
  "principal.subject",
  "workload.subject",
] as const satisfies readonly Redactable[];

/** One of what has names of its own: `principal.attributes.email`, `params.id`. */
const ONE_OF =
  /^(?:principal\.attributes|device\.attributes|params)\.[A-Za-z_][A-Za-z0-9_-]{0,63}$/;

const LIMITS = {
  /** A list that a person writes. */
  names: 64,
} as const;

const SAID = `one of ${REDACTABLE.join(", ")}, or principal.attributes.NAME, device.attributes.NAME, params.NAME`;

const nameSchema = z
  .string(SAID)
  .refine((name) => ONE_OF.test(name) || (REDACTABLE as readonly string[]).includes(name), SAID);

export const redactSchema = z
  .array(nameSchema, "a list of members of a record")
  .max(LIMITS.names, `at most ${LIMITS.names} names`)
  .readonly();

/** What is redacted, as the code asks for it. */
export interface Redacted {
  /** Whether the member is, or all of those that it is one of. */
  readonly has: (name: Redactable, one?: string) => boolean;
}

export function readRedacted(names: readonly string[]): Redacted {
  const all = new Set(names);
  return {
    has: (name, one) => all.has(name) || (one !== undefined && all.has(`${name}.${one}`)),
  };
}

/** Whether it is to be forgotten who somebody is: then nothing else may say so for ever. */
export function hidesSomebody({ has }: Redacted): boolean {
  return SUBJECTS.some((name) => has(name));
}
