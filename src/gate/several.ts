/**
 * Routes on which callers can be known in several ways. Every credential of a way that the route lists is
 * verified, and a bad one is refused whatever else is present; of those that are good, the first in the
 * route's order says who the principal is. All of them are on record.
 */
import { type CredentialFacts, isFailure, type Verified } from "../model/facts.ts";
import { isNavigation } from "../wire/navigation.ts";
import { getAllFields } from "../wire/fields.ts";
import { accept, clientOf, refuse, refuseFacts } from "./credentials.ts";
import { crossSite } from "./cross-site.ts";
import { answerWith, type Deciding } from "./decision.ts";
import { enter } from "./enter.ts";
import { provenInField } from "./proof.ts";
import type { FurtherWays } from "./snapshot.ts";
import type { GateDeps, StepResult } from "./step.ts";

interface Given {
  readonly deps: GateDeps;
  readonly ways: FurtherWays;
  readonly token: (deciding: Deciding, deps: GateDeps) => StepResult | Promise<StepResult>;
}

type Way = (deciding: Deciding, given: Given) => StepResult | Promise<StepResult>;

/** In the order of what they cost; which of them is the principal's is the route's to say. */
const WAYS: readonly Way[] = [certificate, token, fields, session];

export function identifyBySeveral(
  deciding: Deciding,
  given: Given,
): StepResult | Promise<StepResult> {
  deciding.good = [];
  return from(0, deciding, given);
}

function from(start: number, deciding: Deciding, given: Given): StepResult | Promise<StepResult> {
  for (let index = start; index < WAYS.length; index++) {
    const result = (WAYS[index] as Way)(deciding, given);
    if (result === undefined) continue;
    if (typeof result === "string") return result;
    return result.then((settled) => settled ?? from(index + 1, deciding, given));
  }
  return enter(deciding, firstOf(deciding.good ?? [], given.ways), given.deps);
}

function firstOf(good: readonly CredentialFacts[], { order }: FurtherWays) {
  let first: CredentialFacts | undefined;
  let place = Number.POSITIVE_INFINITY;
  for (const facts of good) {
    const own = order.get(facts.authenticator) ?? Number.POSITIVE_INFINITY;
    if (first !== undefined && own >= place) continue;
    first = facts;
    place = own;
  }
  return first;
}

function certificate(deciding: Deciding, { ways, deps }: Given): StepResult {
  const { tls } = deciding.input.peer;
  if (tls === undefined || ways.certificate === undefined) return undefined;
  const found = ways.certificate.verify(tls, deciding.timeMs);
  return found === undefined ? undefined : taken(deciding, found, { deps, kind: "certificate" });
}

function token(
  deciding: Deciding,
  { deps, token: byToken }: Given,
): StepResult | Promise<StepResult> {
  const refused = byToken(deciding, deps);
  if (!(refused instanceof Promise)) return refused ?? keepToken(deciding);
  return refused.then((settled) => settled ?? keepToken(deciding));
}

function keepToken({ facts, good }: Deciding): undefined {
  if (facts !== undefined) good?.push(facts);
}

/** Tokens in fields of their own (`x-api-key`): two of one name are as ambiguous as two Authorization fields. */
function fields(deciding: Deciding, given: Given, first = 0): StepResult | Promise<StepResult> {
  for (let index = first; index < given.ways.fields.length; index++) {
    const result = field(deciding, given, index);
    if (result === undefined) continue;
    if (typeof result === "string") return result;
    return result.then((settled) => settled ?? fields(deciding, given, index + 1));
  }
  return undefined;
}

function field(
  deciding: Deciding,
  { deps, ways }: Given,
  index: number,
): StepResult | Promise<StepResult> {
  const { name, bearer } = ways.fields[index] as FurtherWays["fields"][number];
  const [value, ...more] = getAllFields(deciding.input.head.fields, name);
  if (value === undefined) return undefined;
  if (more.length > 0) {
    deciding.detail = `more than one ${name}`;
    return "malformed-credential";
  }
  const known = bearer.recall(value);
  if (known === undefined && deps.budget.spent(clientOf(deciding))) return "too-many-failures";
  const found = known ?? bearer.verify(value);
  if (!(found instanceof Promise)) return takeField(deciding, found, deps);
  return found.then((settled) => takeField(deciding, settled, deps));
}

function takeField(deciding: Deciding, found: Verified, deps: GateDeps): StepResult {
  const refused = taken(deciding, found, { deps, kind: "api-key" });
  if (refused !== undefined || isFailure(found)) return refused;
  const unproven = provenInField(deciding, found, deps);
  if (unproven === undefined) return undefined;
  // It was among the good ones by what it is itself.
  deciding.good?.pop();
  return refuseFacts(deciding, found, unproven);
}

function session(deciding: Deciding, { deps, ways }: Given): StepResult | Promise<StepResult> {
  const { request } = deciding;
  if (request === undefined || ways.session === undefined) return undefined;
  const found = ways.session.verify(request, deciding.timeMs, deciding.stream !== undefined);
  if (found instanceof Promise) return found.then((answer) => takeSession(deciding, answer, deps));
  return takeSession(deciding, found, deps);
}

type Answer = Awaited<ReturnType<NonNullable<FurtherWays["session"]>["verify"]>>;

function takeSession(deciding: Deciding, answer: Answer, deps: GateDeps): StepResult {
  if (answer === undefined) return undefined;
  const { result, others = NO_OTHERS, setCookies } = answer;
  for (const line of setCookies) answerWith(deciding, ["set-cookie", line]);
  let counts = false;
  for (let index = -1; index < others.length; index++) {
    const one = index < 0 ? result : (others[index] as Verified);
    if (isOver(deciding, one, deps) && navigates(deciding)) continue;
    const refused = taken(deciding, one, { deps, kind: "session" });
    if (refused !== undefined) return refused;
    counts = true;
  }
  return counts ? crossSite(deciding) : undefined;
}

const NO_OTHERS: readonly Verified[] = Object.freeze([]);

/** A browser that goes somewhere with a session that has ended is one that has none. */
function isOver(deciding: Deciding, found: Verified, deps: GateDeps): boolean {
  if (isFailure(found)) return found.failure === "session-expired";
  return isCutOff(deciding, found, deps);
}

/**
 * Whether a revocation has ended the session and another login would be good: then it is one that has
 * ended. Who is blocked is told so, or would be sent to login and back for ever.
 */
function isCutOff(deciding: Deciding, facts: CredentialFacts, { revocations }: GateDeps): boolean {
  const service = deciding.route?.service;
  if (revocations.revokedBy(facts, service) === undefined) return false;
  const later = { ...facts, tokenId: undefined, issuedAt: deciding.timeMs / 1000 + NEXT_SECOND };
  return revocations.revokedBy(later, service) === undefined;
}

/** `iat` counts whole seconds: what is issued in the second of a cut-off is dead with it. */
const NEXT_SECOND = 2;

function navigates({ request }: Deciding): boolean {
  return request !== undefined && isNavigation(request.head);
}

function taken(
  deciding: Deciding,
  found: Verified,
  { deps, kind }: { readonly deps: GateDeps; readonly kind: string },
): StepResult {
  if (isFailure(found)) return refuse(deciding, found, { deps, kind });
  const refused = accept(deciding, found, deps);
  if (refused !== undefined) return refuseFacts(deciding, found, refused);
  deciding.good?.push(found);
  return undefined;
}
