/** The admin API is the way to take the whole proxy over: who may ask, and over what, has to be certain. */
import type { AdminOptions } from "../admin/admin-options.ts";
import { ANONYMOUS_NAME } from "../gate/route-options.ts";
import { checkAccepted } from "./check-authenticators.ts";
import type { Draft } from "./draft.ts";
import { isLoopbackAddress } from "./loopback.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";

export function checkAdmin(draft: Draft): PathProblem[] {
  const { admin } = draft;
  if (admin?.authenticate === undefined) return [];
  return [...tokenProblems(draft, admin, admin.authenticate), ...transportProblems(admin)];
}

/** Findings that do not keep it from running. */
export function checkAdminWarnings({ admin }: Draft): PathProblem[] {
  if (admin?.insecureHttp !== true) return [];
  const message =
    "the admin API is spoken in plain HTTP: who is on the way can read tokens and use them";
  return [{ path: ["admin", "insecureHttp"], message, remedy: "admin.tls" }];
}

function tokenProblems(
  draft: Draft,
  { audience }: AdminOptions,
  names: readonly string[],
): PathProblem[] {
  const path: Path = ["admin", "authenticate"];
  const anonymous = names.indexOf(ANONYMOUS_NAME);
  const message = "the admin API is for nobody who presents no credential";
  const remedy = "names of authenticators; the socket needs none";
  const owner = {
    text: "the admin API",
    remedy: "admin.audience, or audience on the authenticator",
    one: "one of them",
  };
  return [
    ...(anonymous === -1 ? [] : [{ path: [...path, anonymous], message, remedy }]),
    ...checkAccepted(draft, { names, path, audience, owner }),
  ];
}

function transportProblems({ address = "", tls, insecureHttp }: AdminOptions): PathProblem[] {
  if (tls !== undefined || insecureHttp || isLoopbackAddress(address)) return [];
  const message = "tokens for the admin API would go over the network in plain HTTP";
  const remedy = "admin.tls, an address on loopback, or insecureHttp: true";
  return [{ path: ["admin", "authenticate"], message, remedy }];
}
