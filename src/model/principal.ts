/** Who is asking, as policy sees it. */
export type PrincipalKind = "user" | "workload" | "device" | "anonymous";

/** The types that a declared attribute can have. `long` is a 64-bit signed integer. */
export type AttributeType = "string" | "bool" | "long" | "strings";

/** A value of a declared attribute; `long` is a number while safe, else a bigint. */
export type AttributeValue = string | boolean | number | bigint | readonly string[];

/** A verified caller. Frozen; shared by all requests that carry the same credential. */
export interface Principal {
  readonly kind: PrincipalKind;
  /** Name of the authenticator that vouches for it; empty for anonymous. */
  readonly authenticator: string;
  /** The subject as the authenticator asserts it; empty for anonymous. */
  readonly subject: string;
  /** Cedar ids of `Sallyport::Role`: bare where the authenticator's `allow` names them, else `<authenticator>/<role>`. */
  readonly roles: readonly string[];
  /** Cedar ids of `Sallyport::Group`: `<authenticator>/<group>`. */
  readonly groups: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** Cedar id of a principal: `<authenticator>/<subject>`. */
export function principalId(principal: Principal): string {
  return principal.kind === "anonymous"
    ? "anonymous"
    : `${principal.authenticator}/${principal.subject}`;
}

/** The caller that presented nothing, on a route that says so. */
export const ANONYMOUS: Principal = Object.freeze({
  kind: "anonymous",
  authenticator: "",
  subject: "",
  roles: Object.freeze([]),
  groups: Object.freeze([]),
  attributes: Object.freeze({}),
});
