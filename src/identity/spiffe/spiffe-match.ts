/**
 * `match:` of authenticators of a trust domain: which of its SPIFFE IDs are accepted, and what policies
 * are told of each. Shared by certificates and tokens, so that a workload is the same by either.
 */
import { z } from "zod";
import type { SpiffeId } from "../../crypto/spiffe-id.ts";
import type { Principal } from "../../model/principal.ts";
import { compileSpiffePath, whyNoPathPattern } from "./spiffe-path.ts";
import { staticPrincipal } from "../claims/static-principal.ts";
import {
  type Grant,
  grantShape,
  type StaticPrincipalOptions,
} from "../claims/static-principal-options.ts";

export const spiffePathSchema = z
  .string()
  .superRefine((text, context) => {
    const message = whyNoPathPattern(text);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  })
  .describe(
    "Pattern of the path of the SPIFFE ID: `/payments/api`, `/payments/*` for all below, `/ns/{namespace}/sa/{account}` for one segment each. What stands under a name can be an attribute: `{namespace}`.",
  );

export const spiffeRuleSchema = z
  .strictObject({ path: spiffePathSchema, ...grantShape })
  .readonly();

export type SpiffeRule = Grant & { readonly path: string };

export interface SpiffeMatch {
  /** The principal, or for the operator why there is none. */
  principal(id: SpiffeId): Principal | { readonly detail: string };
}

/** Without rules every ID is accepted. */
export function createSpiffeMatch(
  authenticator: string,
  options: StaticPrincipalOptions,
  rules: readonly SpiffeRule[] | undefined,
): SpiffeMatch {
  const compiled = rules?.map((grant) => ({ grant, pattern: compileSpiffePath(grant.path) }));
  return {
    principal({ trustDomain, path }) {
      const fitting = (compiled ?? []).flatMap(({ grant, pattern }) => {
        const caught = pattern.fit(path);
        return caught === undefined ? [] : [{ grant, caught }];
      });
      if (compiled !== undefined && fitting.length === 0) {
        return { detail: "its SPIFFE ID fits no pattern of the authenticator" };
      }
      const subject = `spiffe://${trustDomain}${path}`;
      return staticPrincipal({ authenticator, subject }, options, fitting);
    },
  };
}
