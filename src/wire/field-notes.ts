/**
 * What a head says in the fields that every version of HTTP reads: Host, Authorization,
 * Content-Length, Expect. The parsers of both versions gather it here, so that one and the same head is
 * refused for one and the same reason (RFC 9110 sections 7.2, 8.6 and 10.1.1).
 */
import { parseAuthority } from "./authority.ts";
import { FIELD } from "./field-name.ts";
import { headFault, type HeadFault } from "./head-fault.ts";

export interface FieldNotes {
  host: string | undefined;
  hostCount: number;
  authorization: string | undefined;
  authorizationCount: number;
  /** -1 when absent. */
  contentLength: number;
  expect: string | undefined;
}

const LIMITS = {
  /** 15 digits are beyond any disk and within the integers that JavaScript counts exactly. */
  contentLengthDigits: 15,
} as const;

const FAULTS = {
  lengthRepeated: headFault("Content-Length appears more than once"),
  lengthInvalid: headFault("Content-Length is not a number of at most 15 digits"),
  expectRepeated: headFault("Expect appears more than once", "expectation-failed"),
  expectation: headFault("Expect is something other than 100-continue", "expectation-failed"),
  hostRepeated: headFault("Host appears more than once", "invalid-host"),
  hostInvalid: headFault("Host is not a valid authority", "invalid-host"),
} as const;

const CONTENT_LENGTH = new RegExp(`^[0-9]{1,${LIMITS.contentLengthDigits}}$`);

/** Of a head that says nothing. */
export function emptyNotes(): FieldNotes {
  return {
    host: undefined,
    hostCount: 0,
    authorization: undefined,
    authorizationCount: 0,
    contentLength: -1,
    expect: undefined,
  };
}

/** Notes a field by its role (`FIELD`); roles that are not of every version mean nothing here. */
export function noteField(notes: FieldNotes, role: number, value: string): HeadFault | undefined {
  switch (role) {
    case FIELD.host:
      notes.hostCount += 1;
      notes.host ??= value;
      return undefined;
    case FIELD.authorization:
      notes.authorizationCount += 1;
      notes.authorization ??= value;
      return undefined;
    case FIELD.contentLength:
      if (notes.contentLength !== -1) return FAULTS.lengthRepeated;
      if (!CONTENT_LENGTH.test(value)) return FAULTS.lengthInvalid;
      notes.contentLength = Number(value);
      return undefined;
    case FIELD.expect:
      if (notes.expect !== undefined) return FAULTS.expectRepeated;
      notes.expect = value;
      return undefined;
    default:
      return undefined;
  }
}

/** Why the Host that was noted is none, or undefined; whether there must be one is for the version to say. */
export function hostFault(notes: FieldNotes): HeadFault | undefined {
  if (notes.hostCount > 1) return FAULTS.hostRepeated;
  const { host } = notes;
  return host !== undefined && parseAuthority(host) === undefined ? FAULTS.hostInvalid : undefined;
}

/** Why the expectation that was noted cannot be met, or undefined. */
export function expectationFault(notes: FieldNotes): HeadFault | undefined {
  const { expect } = notes;
  const met = expect === undefined || expect.toLowerCase() === "100-continue";
  return met ? undefined : FAULTS.expectation;
}
