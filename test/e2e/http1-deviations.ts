/**
 * Requests that read well by RFC 9112 and are refused all the same, each with its reason. A case
 * that is not listed and deviates fails; so does a listed one that no longer does.
 */
export interface Stricter {
  /** The status that it gets instead of 200. */
  readonly status: number;
  readonly why: string;
}

export const STRICTER: Readonly<Record<string, Stricter>> = {};
