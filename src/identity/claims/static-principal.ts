/**
 * A name that was verified, and the patterns that fit it → principal.
 *
 * Refuses a name for which a declared attribute has no value: what policies read is always there.
 */
import type { AttributeValue, Principal } from "../../model/principal.ts";
import { caughtName, type Grant, type StaticPrincipalOptions } from "./static-principal-options.ts";

/** A pattern that fits, with what it caught under the names in it. */
export interface Fitting {
  readonly grant: Grant;
  readonly caught: ReadonlyMap<string, string>;
}

/** The principal, or for the operator which attribute has no value. */
export function staticPrincipal(
  named: { readonly authenticator: string; readonly subject: string },
  options: StaticPrincipalOptions,
  fitting: readonly Fitting[],
): Principal | { readonly detail: string } {
  const { authenticator, subject } = named;
  const attributes: Record<string, AttributeValue> = Object.create(null);
  for (const [name, declared] of Object.entries(options.attributes)) {
    const value = valueOf(name, fitting) ?? declared.default;
    if (value === undefined) return { detail: `no pattern that fits gives attribute ${name}` };
    attributes[name] = Array.isArray(value) ? Object.freeze([...value]) : value;
  }
  const grants = fitting.map(({ grant }) => grant);
  return Object.freeze({
    kind: options.kind,
    authenticator,
    subject,
    roles: once(grants.flatMap(({ roles }) => roles)),
    groups: once(grants.flatMap(({ groups }) => groups.map((one) => `${authenticator}/${one}`))),
    attributes: Object.freeze(attributes),
  });
}

function valueOf(name: string, fitting: readonly Fitting[]): AttributeValue | undefined {
  for (const { grant, caught } of fitting) {
    if (!Object.hasOwn(grant.attributes, name)) continue;
    const value = grant.attributes[name];
    if (value === undefined) continue;
    const from = caughtName(value);
    return from === undefined ? value : caught.get(from);
  }
  return undefined;
}

function once(names: readonly string[]): readonly string[] {
  return Object.freeze([...new Set(names)]);
}
