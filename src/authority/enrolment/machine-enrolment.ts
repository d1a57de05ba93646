/**
 * Enrolling this machine: makes a key here, proves that it has it, redeems the join token, and keeps
 * what comes back. The token is sent to nobody but a server that the token's own authority vouches for.
 */
import { SallyportError } from "../../model/errors.ts";
import type { Clock } from "../../model/ports.ts";
import type { EnrolmentMethod, WorkloadKind } from "../../model/workloads.ts";
import { type AuthorityAnswer, fetchPinnedRoots, sendProof } from "./enrolment-client.ts";
import { PROOF_TYPES, signProof } from "./enrolment-proof.ts";
import { type JoinToken, readJoinToken } from "./enrolment-token.ts";
import { type AnswerContext, EnrolmentRefused, readGrant } from "./machine-identity-answer.ts";
import type { IdentityFiles } from "./machine-identity-files.ts";
import { type LoadedIdentity, openIdentityFolder } from "./machine-identity-folder.ts";

export interface MachineEnrolmentOptions {
  readonly token: string;
  /** Where the identity goes; made where it is absent. */
  readonly folder: string;
  /** `https://host:port`, tried in order, and then the one that the token names. */
  readonly authorities: readonly string[];
  /** What this machine is to be; a token for another kind or method is not redeemed. */
  readonly expect?: { readonly kind: WorkloadKind; readonly method: EnrolmentMethod } | undefined;
  /** The folder's identity may be of another name, which it then loses. */
  readonly replace?: boolean | undefined;
}

/** Throws `enrolment-failed`, which says what to do. */
export async function enrolMachine(
  options: MachineEnrolmentOptions,
  deps: {
    readonly clock: Clock;
    readonly files?: IdentityFiles | undefined;
    /** Told of addresses that failed, where another one answered. */
    readonly hint?: ((line: string) => void) | undefined;
  },
): Promise<LoadedIdentity> {
  const token = readJoinToken(options.token);
  const authorities = authoritiesOf(options, token);
  const { expect } = options;
  if (expect !== undefined && (expect.kind !== token.kind || expect.method !== token.method)) {
    throw failed(
      `the join token makes ${token.name} a ${token.kind} with ${token.method}, and this machine is to be a ${expect.kind} with ${expect.method}: sallyport workloads remove ${token.name}, then enrol it with --kind ${expect.kind} --method ${expect.method}`,
    );
  }
  const nowMs = (): number => deps.clock.now();
  const folder = await openIdentityFolder(options.folder, {
    create: true,
    nowMs,
    files: deps.files,
  });
  const known = await folder.load();
  if (known !== undefined && known.name !== token.name && options.replace !== true) {
    throw failed(
      `${options.folder} holds the identity of ${known.name}, and the join token is for ${token.name}. Another folder, a token for ${known.name}, or --replace`,
    );
  }
  const { key, keyPem } = await folder.pendingKey();
  const { authority, roots, failures } = await firstTrusted(authorities, token.pins);
  if (failures.length > 0) {
    for (const failure of failures) deps.hint?.(`${failure}; it is not kept for renewals`);
    deps.hint?.(`${authority} answered`);
  }
  const { name, issuer, secret } = token;
  const claims = { jwk: key.jwk, token: secret };
  const proof = signProof(key, {
    type: PROOF_TYPES.enrol,
    audience: issuer,
    nowMs: nowMs(),
    claims,
  });
  const answer = await sendProof(new URL("/enrol", authority), proof, { roots });
  const granted = readAnswer(answer, { key, issuer, name, nowMs: nowMs(), known: roots }, known);
  // Those that failed are none to come back to; those behind the first that answered were not asked.
  const kept = authorities.slice(failures.length);
  return folder.adopt({ ...granted, authorities: kept }, keyPem);
}

/** As `readGrant`. A command that is repeated after it had succeeded is told so. */
function readAnswer(
  answer: AuthorityAnswer,
  context: AnswerContext,
  known: LoadedIdentity | undefined,
): ReturnType<typeof readGrant> {
  try {
    return readGrant(answer, context);
  } catch (error) {
    const used = error instanceof EnrolmentRefused && error.refusal === "token-refused";
    if (!used || known?.name !== context.name || context.nowMs >= known.notAfterMs) throw error;
    const until = new Date(known.notAfterMs).toISOString();
    throw failed(
      `${error.message}. The folder has an identity of ${known.name} that is good until ${until}, and it stays`,
    );
  }
}

/** Those that were given, then the token's own. */
function authoritiesOf(
  { authorities }: MachineEnrolmentOptions,
  token: JoinToken,
): readonly string[] {
  const named = token.authority === undefined ? [] : [token.authority];
  const all = [...new Set([...authorities, ...named].map(originOf))];
  if (all.length > 0) return all;
  throw failed("the join token does not say where the authority is: --authority https://host:port");
}

function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "https:" || url.pathname !== "/" || url.search !== "") {
    throw failed(`an authority is https://host:port, not ${text}`);
  }
  return url.origin;
}

interface Trusted {
  readonly authority: string;
  readonly roots: readonly string[];
  /** What was wrong with each of those before it. */
  readonly failures: readonly string[];
}

/** The first that answers and has the roots that the token names. */
async function firstTrusted(
  authorities: readonly string[],
  pins: readonly string[],
): Promise<Trusted> {
  const failures: string[] = [];
  for (const authority of authorities) {
    try {
      return { authority, roots: await fetchPinnedRoots(authority, pins), failures };
    } catch (error) {
      if (!(error instanceof SallyportError)) throw error;
      failures.push(error.message);
    }
  }
  throw failed(failures.join("; "));
}

function failed(message: string): SallyportError {
  return new SallyportError("enrolment-failed", message);
}
