/**
 * Whether what a revocation names is there. A misspelt name would be taken, answered with success and
 * deny nobody, which its writer learns last: so it is refused, unless they say that they know.
 */
import type { RevocationTarget } from "../model/revocation.ts";
import { suggest } from "../model/suggest.ts";
import type { ConfigDesk } from "./admin-deps.ts";
import { AdminProblem, type Fault } from "./problem.ts";

const LIMITS = {
  /** Names that an answer lists; `GET /v1/services` has all. */
  listed: 20,
} as const;

/** Rejects with AdminProblem `unknown-name` for what the configuration in force does not have. */
export async function refuseUnknownNames(
  target: RevocationTarget,
  config: ConfigDesk,
): Promise<void> {
  const { authenticators, services } = await config.running();
  const fault =
    target.kind === "service"
      ? unknown("service", target.service, services)
      : (unknown("authenticator", target.authenticator, authenticators) ?? prefixed(target));
  if (fault !== undefined) throw new AdminProblem("unknown-name", undefined, [fault]);
}

function unknown(
  kind: "service" | "authenticator",
  name: string,
  known: readonly { readonly name: string }[],
): Fault | undefined {
  const names = known.map((one) => one.name);
  if (names.includes(name)) return undefined;
  const near = suggest(name, names);
  const guess = near === undefined ? "" : `; did you mean ${near}?`;
  const more = names.length > LIMITS.listed ? ", …" : "";
  const listed = names.slice(0, LIMITS.listed).join(", ");
  const there = names.length === 0 ? `there is no ${kind}` : `there is ${listed}${more}`;
  return {
    at: `/target/${kind}`,
    message: `no ${kind} is called ${name}${guess}`,
    remedy: `${there}; of one that was just removed: ${OVERRIDE}`,
  };
}

/** In policies and records a principal's id has the authenticator before it; its subject has not. */
function prefixed(target: RevocationTarget): Fault | undefined {
  if (target.kind !== "subject") return undefined;
  const { authenticator, subject } = target;
  if (!subject.startsWith(`${authenticator}/`)) return undefined;
  return {
    at: "/target/subject",
    message: `a subject goes without its authenticator: ${subject.slice(authenticator.length + 1)}`,
    remedy: `where the issuer does write it so: ${OVERRIDE}`,
  };
}

const OVERRIDE = "`unchecked` (of the command: --unchecked)";
