/**
 * The gate's policies as a decision point for others: AuthZEN requests (model/authzen.ts) become questions of
 * our vocabulary, are decided by the policies in force and recorded. Nothing is forwarded.
 *
 * Refused, with the place: subjects, actions and resources that are none of ours, principals that no
 * credential could bring about, paths and fields that could not be sent. What is not said is not made up: an
 * address that policies read then fails them, and a credential of unknown age is as old as can be.
 */
import type {
  Asker,
  Evaluation,
  EvaluationAnswer,
  EvaluationAnswers,
  EvaluationDesk,
  EvaluationFault,
  EvaluationFaults,
  Evaluations,
  PartialEvaluation,
} from "../model/authzen.ts";
import { evaluationSchema, isFaulty } from "../model/authzen.ts";
import type { Policies, PolicyDecision, PolicyRequest } from "../model/policy.ts";
import type { Clock } from "../model/ports.ts";
import { type Principal, principalId } from "../model/principal.ts";
import type { Reason } from "../model/reason.ts";
import type { AuditLog, DecisionRecord } from "../model/records.ts";
import { requestContextSchema, type WrittenRequest } from "../policy/testing/test-format.ts";
import { createPrincipalReader } from "../policy/testing/test-principals.ts";
import { type Asked, readRequest, takes } from "../policy/testing/test-requests.ts";
import type { TestWorld } from "../policy/testing/test-world.ts";
import { check } from "../wire/document/issues.ts";
import type { Path } from "../wire/document/place.ts";
import { z } from "zod";

export interface AuthzenDeps {
  /** Of the configuration in force. */
  readonly world: () => Omit<TestWorld, "policyIds" | "admin">;
  readonly policies: () => Policies;
  /** Service of a route; undefined where it redirects. */
  readonly serviceOf: (route: string) => string | undefined;
  readonly audit: AuditLog;
  readonly clock: Pick<Clock, "now">;
  readonly nextDecisionId: () => string;
}

const ROUTE_TYPE = "Route";

export function createAuthzen(deps: AuthzenDeps): EvaluationDesk {
  return {
    async evaluate(evaluation, asker) {
      const answer = evaluateOne(evaluation, asker, deps);
      return isFaulty(answer) ? answer : await durable(answer, deps);
    },
    async evaluateAll(evaluations, asker) {
      const answer = evaluateAll(evaluations, asker, deps);
      return isFaulty(answer) ? answer : await durable(answer, deps);
    },
  };
}

/** With strict durability nobody is told of a decision that the log may still lose. */
async function durable<T extends EvaluationAnswers>(answer: T, { audit }: AuthzenDeps): Promise<T> {
  await audit.durable();
  return answer;
}

/** AuthZEN 1.0, section 7: what an item does not say is taken from the request; items stand for themselves. */
function evaluateAll(
  { evaluations, options, ...shared }: Evaluations,
  asker: Asker,
  deps: AuthzenDeps,
): EvaluationAnswers | EvaluationFaults {
  if (evaluations === undefined || evaluations.length === 0) {
    const whole = wholeOf(shared);
    return isFaulty(whole) ? whole : evaluateOne(whole, asker, deps);
  }
  const semantic = options?.evaluations_semantic ?? "execute_all";
  const answers: EvaluationAnswer[] = [];
  for (const item of evaluations) {
    const whole = wholeOf({ ...shared, ...item });
    const answer = isFaulty(whole) ? whole : evaluateOne(whole, asker, deps);
    const told = isFaulty(answer) ? notDecided(answer) : answer;
    answers.push(told);
    if (semantic === "deny_on_first_deny" && !told.decision) break;
    if (semantic === "permit_on_first_permit" && told.decision) break;
  }
  return { evaluations: answers };
}

function wholeOf(partial: PartialEvaluation): Evaluation | EvaluationFaults {
  const result = evaluationSchema.safeParse(partial);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => fault(path as Path, message));
  return { faults };
}

function notDecided({ faults }: EvaluationFaults): EvaluationAnswer {
  const message = faults.map((one) => `${one.at}: ${one.message}`).join("; ");
  return { decision: false, context: { error: { status: 400, message } } };
}

function evaluateOne(
  evaluation: Evaluation,
  asker: Asker,
  deps: AuthzenDeps,
): EvaluationAnswer | EvaluationFaults {
  const timeMs = deps.clock.now();
  const question = questionOf(evaluation, timeMs, deps);
  if (isFaulty(question)) return question;
  const { principal, asked } = question;
  const decisionId = deps.nextDecisionId();
  const policies = deps.policies();
  const { reason, policy } = decide(asked, principal, policies);
  const taken = deps.audit.decision({
    ...recordOf(question, evaluation, deps),
    timeMs,
    decisionId,
    decision: reason === "permitted" ? "permit" : "deny",
    reason,
    determining: policy?.determining ?? [],
    erroring: policy?.erroring ?? [],
    reads: policy?.reads ?? [],
    bundle: policies.hash,
    asked: {
      by: asker.by,
      decisionId: asker.decisionId,
      ...(asked.request !== undefined &&
        asked.request.timeMs !== timeMs && { timeMs: asked.request.timeMs }),
    },
    listener: asker.listener,
    peerAddress: asker.peer.address,
    peerPort: asker.peer.port,
    requestId: asker.requestId,
  });
  // As for requests: what cannot be recorded is refused.
  if (taken === "refused") {
    return { decision: false, context: { id: decisionId, reason: "audit-unavailable" } };
  }
  return { decision: reason === "permitted", context: { id: decisionId, reason } };
}

interface Question {
  readonly principal: Principal;
  readonly asked: Asked;
}

/** The gate's order: the route, then who is known there, then the policies. */
function decide(
  { request, refused, authenticate = [] }: Asked,
  principal: Principal,
  policies: Policies,
): { readonly reason: Reason; readonly policy: PolicyDecision | undefined } {
  if (request === undefined) return { reason: refused ?? "no-route", policy: undefined };
  if (!takes(authenticate, principal)) return { reason: "missing-credential", policy: undefined };
  const policy = policies.decide(request);
  return { reason: policy.reason, policy };
}

const subjectProperties = z.strictObject({
  roles: z.array(z.string()).readonly().optional(),
  groups: z.array(z.string()).readonly().optional(),
  attributes: z
    .record(
      z.string(),
      z.union([z.string(), z.boolean(), z.int(), z.array(z.string()).readonly()], {
        error: "a text, true or false, a whole number, or a list of texts",
      }),
    )
    .readonly()
    .optional(),
});
const resourceProperties = z.strictObject({
  params: z.record(z.string(), z.string()).readonly().optional(),
});
const actionProperties = z.strictObject({});

function questionOf(
  { subject, action, resource, context = {} }: Evaluation,
  nowMs: number,
  deps: AuthzenDeps,
): Question | EvaluationFaults {
  const faults: EvaluationFault[] = [];
  const report = (path: Path, message: string, remedy: string): void => {
    faults.push(fault(path, message, remedy));
  };
  const held = <T extends z.ZodType>(
    schema: T,
    value: unknown,
    base: Path,
  ): z.output<T> | undefined => {
    const found = check(schema, { base, value, written: NOTHING, whole: "it" });
    if ("output" in found) return found.output;
    for (const { path, message, remedy } of found.problems)
      faults.push(fault(path, message, remedy));
    return undefined;
  };
  const who = held(subjectProperties, subject.properties ?? {}, ["subject", "properties"]);
  held(actionProperties, action.properties ?? {}, ["action", "properties"]);
  const what = held(resourceProperties, resource.properties ?? {}, ["resource", "properties"]);
  const said = held(requestContextSchema, context, ["context"]);
  if (resource.type !== ROUTE_TYPE) {
    report(["resource", "type"], "resources are routes", `"${ROUTE_TYPE}", with its name as id`);
  }
  if (faults.length > 0 || said === undefined) return { faults };
  const world = { ...deps.world(), policyIds: NO_IDS, admin: undefined };
  const principals = createPrincipalReader({}, world);
  const principal = principals.read(
    { id: `${subject.type}::"${subject.id}"`, ...who },
    ["subject"],
    (path, message, remedy) => report(path, message, remedy),
  );
  if (principal === undefined) return { faults };
  const written: WrittenRequest = {
    time: new Date(nowMs).toISOString(),
    ...said,
    method: action.name,
    route: resource.id,
    ...(what?.params === undefined ? {} : { params: what.params }),
  };
  const asked = readRequest(
    { written, path: [], principal, report },
    { world, principals, named: {}, defaults: undefined },
  );
  if (asked === undefined || faults.length > 0) return { faults };
  return {
    principal,
    asked: { ...asked, request: asked.request && nothingMadeUp(asked.request, said, nowMs) },
  };
}

const NOTHING: ReadonlyMap<string, string> = new Map();
const NO_IDS: ReadonlySet<string> = new Set();

/** What tests of policies have fixed values for is not known here. */
function nothingMadeUp(
  request: PolicyRequest,
  { ip, authn, host, url }: z.output<typeof requestContextSchema>,
  nowMs: number,
): PolicyRequest {
  const known = request.principal.kind === "anonymous" || authn?.age !== undefined;
  const noHost = host === undefined && url === undefined && request.host === "localhost";
  return {
    ...request,
    // No address: whoever reads it fails, which only denies more.
    ip: ip === undefined ? "" : request.ip,
    host: noHost ? "" : request.host,
    authn: known ? request.authn : { ...request.authn, ageSeconds: Math.floor(nowMs / 1000) },
  };
}

/** What the question says, in the members that a request of that kind would have. */
function recordOf(
  { principal, asked: { request, route } }: Question,
  { action, resource }: Evaluation,
  { serviceOf }: AuthzenDeps,
): Pick<
  DecisionRecord,
  | "action"
  | "servicePath"
  | "principal"
  | "scopes"
  | "authn"
  | "workload"
  | "device"
  | "actor"
  | "clientAddress"
  | "credentials"
  | "method"
  | "host"
  | "path"
  | "query"
  | "params"
  | "route"
  | "service"
  | "detail"
> {
  const name = route ?? resource.id;
  return {
    action: request?.action === request?.method ? undefined : request?.action,
    servicePath: request?.servicePath === request?.path ? undefined : request?.servicePath,
    principal,
    scopes: request?.scopes ?? [],
    authn: request?.authn,
    workload: request?.workload,
    device: request?.device,
    actor: request?.actor,
    clientAddress: request?.ip === "" ? undefined : request?.ip,
    credentials: [],
    method: request?.method ?? action.name,
    host: request?.host,
    path: request?.path,
    query: request?.query,
    params: request?.params ?? {},
    route: name,
    service: serviceOf(name),
    detail: `asked about ${principalId(principal)}; nothing was forwarded`,
  };
}

/** Places of the subject's parts are those of its properties. */
function fault(path: Path, message: string, remedy?: string): EvaluationFault {
  const [first, second, ...rest] = path;
  const inProperties = first === "subject" && PROPERTIES.has(String(second));
  const whole = inProperties ? [first, "properties", second ?? "", ...rest] : named(path);
  const at = `/${whole.map((step) => String(step).replaceAll("~", "~0").replaceAll("/", "~1")).join("/")}`;
  return { at, message, remedy };
}

const PROPERTIES: ReadonlySet<string> = new Set(["roles", "groups", "attributes"]);

/** Of a request as tests write it, where each part stands in a question. */
function named(path: Path): Path {
  const [first, ...rest] = path;
  if (first === "method") return ["action", "name"];
  if (first === "route") return ["resource", "id"];
  if (first === "params") return ["resource", "properties", "params", ...rest];
  if (first === undefined || ["subject", "action", "resource", "context"].includes(String(first))) {
    return path;
  }
  return ["context", first, ...rest];
}
