/**
 * The compiled policies as the gate asks them. Differs from Cedar in two things, both of which only
 * deny more: a `forbid` that errs denies, because it might have applied, and a `permit` whose scope
 * names no admin action does not count for the admin API (`countsForAdmin`).
 */
import type {
  Policies,
  PolicyDecision,
  PolicyIssue,
  PolicyRequest,
  StepUp,
} from "../../model/policy.ts";
import type { Principal } from "../../model/principal.ts";
import type { Vocabulary } from "../../model/vocabulary.ts";
import { Recurring } from "../../model/recurring.ts";
import { ADMIN } from "../../model/admin-operations.ts";
import { ISSUE_KEY_ACTION } from "../../model/issued-keys.ts";
import {
  ACTIONS,
  ADMIN_ACTIONS,
  ADMIN_API,
  ADMIN_GROUPS,
  isAdminAction,
  READ,
  sallyportUid,
  WRITE,
} from "../cedar-names.ts";
import { type CompiledPolicy, countsForAdmin } from "../cedar/compile-policy.ts";
import type { Entity, Environment } from "../cedar/environment.ts";
import { operationActions, operationGroups } from "../operation-actions.ts";
import { declareParameters } from "./operation-parameters.ts";
import { Evaluation, idsInOrder } from "../cedar/evaluation.ts";
import { PolicyIndex, type PlacedEntity, type PolicyGroup } from "../cedar/policy-index.ts";
import { attributesRecord } from "./attributes-record.ts";
import type { FileEntities } from "./file-entities.ts";
import { createPrincipalView, type PrincipalView } from "./principal-view.ts";
import { RequestEnvironment, type RequestPlace } from "./request-environment.ts";
import { stepUpOf } from "../step-up.ts";
import { routeAttributes } from "../load/schema.ts";
import { EMPTY_RECORD, type CedarRecord } from "../cedar/values.ts";

export interface GatePoliciesOptions {
  readonly policies: readonly CompiledPolicy[];
  /** What data files say. */
  readonly files: FileEntities;
  readonly vocabulary: Vocabulary;
  readonly hash: string;
}

export type UnknownName = "action" | "route" | "service";

/** Policies that show what each of them looks at, to whoever evaluates them one by one. */
export interface InspectablePolicies extends Policies {
  /** Throws as `decide` does. */
  environmentOf(request: PolicyRequest): Environment;
  /** Which of the request's names the vocabulary does not have: of one that somebody wrote down. */
  unknownOf(request: PolicyRequest): UnknownName | undefined;
}

/** `pause` is awaited between steps of the work; it decides whether it is time to. */
export async function createGatePolicies(
  { policies, files, vocabulary, hash }: GatePoliciesOptions,
  pause: () => Promise<void> | undefined,
): Promise<InspectablePolicies> {
  const actions = new Map<string, PlacedAction>(
    ACTIONS.map(({ id, group }) => [id, placedAction(id, group)]),
  );
  for (const { id, ancestors, operation } of operationActions(vocabulary)) {
    const parameters = declareParameters(operation.parameters);
    actions.set(id, { ...placedAction(id, ...ancestors), parameters });
    await pause();
  }
  const adminActions = new Map(ADMIN_ACTIONS.map(({ id, group }) => [id, placedAdmin(id, group)]));
  const index = new PolicyIndex([], [...actions.values(), ISSUE_KEY]);
  const adminIndex = new PolicyIndex([], [...adminActions.values()]);
  const alone: PolicyDecision[] = [];
  for (const policy of policies) {
    index.add(policy);
    if (countsForAdmin(policy, ({ id }) => isAdminAction(id))) adminIndex.add(policy);
    alone.push(outcome(policy));
    await pause();
  }
  const world = { ...(await createWorld(vocabulary, pause)), files };
  return new GatePolicies({ hash, index, adminIndex, actions, adminActions, world, alone });
}

interface World {
  readonly routes: ReadonlyMap<string, PlacedRoute>;
  readonly admin: PlacedRoute;
  /** What keys are issued for. */
  readonly services: ReadonlyMap<string, PlacedRoute>;
  readonly entities: ReadonlyMap<string, Entity>;
  readonly files: FileEntities;
}

/** A resource: a route, the admin API, or a service. */
interface PlacedRoute {
  readonly placed: PlacedEntity;
  /** By action; filled as requests come. */
  readonly groups: Map<string, readonly PolicyGroup[]>;
}

interface GateParts {
  readonly hash: string;
  readonly index: PolicyIndex;
  /** Of those that have a say about the admin API. */
  readonly adminIndex: PolicyIndex;
  readonly actions: ReadonlyMap<string, PlacedAction>;
  readonly adminActions: ReadonlyMap<string, PlacedEntity>;
  readonly world: World;
  /** The decision that each policy makes by itself. */
  readonly alone: readonly PolicyDecision[];
}

class GatePolicies implements InspectablePolicies {
  readonly hash: string;
  readonly #parts: GateParts;
  readonly #views = new Recurring<Principal, PrincipalView>();

  constructor(parts: GateParts) {
    this.hash = parts.hash;
    this.#parts = parts;
  }

  /** Throws TypeError for a route or action that the vocabulary does not have: a defect of the caller. */
  decide(request: PolicyRequest): PolicyDecision {
    const asked = this.#asked(request);
    const { index, action, route } = asked;
    const view = this.#viewOf(request.principal);
    const environment = this.#environment(request, asked, view);
    const evaluation = new Evaluation();
    evaluation.run(groupsOf(route, action, index), view.indexed, environment);
    return decisionOf(evaluation, environment, this.#parts.alone);
  }

  environmentOf(request: PolicyRequest): Environment {
    return this.#environment(request, this.#asked(request), this.#viewOf(request.principal));
  }

  unknownOf(request: PolicyRequest): UnknownName | undefined {
    const asked = this.#found(request);
    return typeof asked === "string" ? asked : undefined;
  }

  #asked(request: PolicyRequest): Asked {
    const asked = this.#found(request);
    if (typeof asked !== "string") return asked;
    throw new TypeError(`the request's ${asked} is not in the vocabulary`);
  }

  #found(request: PolicyRequest): Asked | UnknownName {
    const { actions, world, index } = this.#parts;
    const action = actions.get(request.action);
    if (action === undefined) {
      const { issue } = request;
      return issue === undefined
        ? this.#askedOfAdmin(request)
        : this.#askedOfIssuing(request, issue);
    }
    const route = world.routes.get(request.route);
    return route === undefined ? "route" : { index, action, route };
  }

  #askedOfIssuing({ action }: PolicyRequest, { service }: PolicyIssue): Asked | UnknownName {
    const { index, world } = this.#parts;
    // Only a key is issued.
    if (action !== ISSUE_KEY_ACTION) return "action";
    const route = world.services.get(service);
    return route === undefined ? "service" : { index, action: ISSUE_KEY, route };
  }

  #askedOfAdmin(request: PolicyRequest): Asked | UnknownName {
    const { adminActions, adminIndex: index, world } = this.#parts;
    const action = adminActions.get(request.action);
    return action === undefined ? "action" : { index, action, route: world.admin };
  }

  #environment(
    request: PolicyRequest,
    { action, route }: Asked,
    view: PrincipalView,
  ): RequestEnvironment {
    return new RequestEnvironment(request, {
      view,
      action,
      resource: route.placed,
      entities: this.#parts.world.entities,
      files: this.#parts.world.files,
      viewOf: this.#view,
    });
  }

  /** For whom the context names; made once, not for each request. */
  readonly #view = (principal: Principal): PrincipalView => this.#viewOf(principal);

  #viewOf(principal: Principal): PrincipalView {
    let view = this.#views.get(principal);
    if (view === undefined) {
      const { index, world } = this.#parts; // every policy is in the index
      view = createPrincipalView(principal, {
        isAsked: (key) => index.asksForPrincipalIn(key),
        files: world.files,
      });
      if (this.#views.again(principal)) this.#views.keep(principal, view);
    }
    return view;
  }
}

type PlacedAction = RequestPlace["action"];

interface Asked {
  readonly index: PolicyIndex;
  readonly action: PlacedAction;
  readonly route: PlacedRoute;
}

function groupsOf(
  route: PlacedRoute,
  action: PlacedEntity,
  index: PolicyIndex,
): readonly PolicyGroup[] {
  let groups = route.groups.get(action.uid.id);
  if (groups === undefined) {
    groups = index.groups(action, route.placed);
    route.groups.set(action.uid.id, groups);
  }
  return groups;
}

const NONE: readonly never[] = Object.freeze([]);
const NO_PERMIT: PolicyDecision = Object.freeze({
  reason: "no-permit",
  determining: NONE,
  erroring: NONE,
  reads: NONE,
});

function outcome({ id, effect, stepUp }: CompiledPolicy): PolicyDecision {
  return Object.freeze({
    reason: effect === "permit" ? "permitted" : reasonOf(stepUp),
    determining: Object.freeze([id]),
    erroring: NONE,
    reads: NONE,
    ...(stepUp === undefined ? {} : { stepUp }),
  });
}

function reasonOf(stepUp: StepUp | undefined): "forbidden" | "step-up-required" {
  return stepUp === undefined ? "forbidden" : "step-up-required";
}

/** A forbid that applies, then a forbid that failed, then a permit; else nothing permits. */
function decisionOf(
  { permits, forbids, errors }: Evaluation,
  { reads }: RequestEnvironment,
  alone: readonly PolicyDecision[],
): PolicyDecision {
  const failedForbids = errors.filter(({ effect }) => effect === "forbid");
  // Where one failed that might have forbidden, logging in is not known to help.
  const stepUp = failedForbids.length === 0 ? stepUpOf(forbids) : undefined;
  const [reason, determining] =
    forbids.length > 0
      ? ([reasonOf(stepUp), forbids] as const)
      : failedForbids.length > 0
        ? (["policy-error", failedForbids] as const)
        : permits.length > 0
          ? (["permitted", permits] as const)
          : (["no-permit", NONE] as const);
  if (errors.length === 0 && reads === undefined) {
    if (determining.length === 0) return NO_PERMIT;
    const [only] = determining;
    const prepared = determining.length === 1 && only !== undefined ? alone[only.order] : undefined;
    if (prepared !== undefined) return prepared;
  }
  const decision = {
    reason,
    determining: idsInOrder(determining),
    erroring: idsInOrder(errors),
    reads: reads ?? NONE,
  };
  return stepUp === undefined ? decision : { ...decision, stepUp };
}

function placedAction(id: string, ...above: readonly string[]): PlacedEntity {
  return {
    uid: sallyportUid("Action", id),
    ancestors: new Set(above.map((group) => sallyportUid("Action", group).key)),
  };
}

function placedAdmin(id: string, group: string): PlacedEntity {
  const ancestors = [group, ADMIN].map((above) => sallyportUid("Action", above).key);
  return { uid: sallyportUid("Action", id), ancestors: new Set(ancestors) };
}

const NO_ANCESTORS: ReadonlySet<string> = new Set();
/** In no group: who may read, or write, may not have a key for it by that alone. */
const ISSUE_KEY: PlacedAction = placedAction(ISSUE_KEY_ACTION);

async function createWorld(
  vocabulary: Vocabulary,
  pause: () => Promise<void> | undefined,
): Promise<Omit<World, "files">> {
  const entities = new Map<string, Entity>();
  const add = (key: string, attributes: CedarRecord, ancestors: ReadonlySet<string>): void => {
    entities.set(key, { attributes, tags: EMPTY_RECORD, ancestors });
  };
  for (const { id, group } of ACTIONS) {
    const { uid, ancestors } = placedAction(id, group);
    add(uid.key, EMPTY_RECORD, ancestors);
  }
  for (const { id, ancestors: above } of operationActions(vocabulary)) {
    const { uid, ancestors } = placedAction(id, ...above);
    add(uid.key, EMPTY_RECORD, ancestors);
    await pause();
  }
  for (const id of operationGroups(vocabulary)) {
    add(sallyportUid("Action", id).key, EMPTY_RECORD, NO_ANCESTORS);
  }
  for (const { id, group } of ADMIN_ACTIONS) {
    const { uid, ancestors } = placedAdmin(id, group);
    add(uid.key, EMPTY_RECORD, ancestors);
  }
  for (const group of [READ, WRITE, ADMIN]) {
    add(sallyportUid("Action", group).key, EMPTY_RECORD, NO_ANCESTORS);
  }
  for (const group of ADMIN_GROUPS) {
    const { uid, ancestors } = placedAction(group, ADMIN);
    add(uid.key, EMPTY_RECORD, ancestors);
  }
  add(ISSUE_KEY.uid.key, EMPTY_RECORD, NO_ANCESTORS);
  add(ADMIN_API.key, attributesRecord(vocabulary.admin?.attributes ?? {}), NO_ANCESTORS);
  const services = new Map<string, PlacedRoute>();
  for (const { name, attributes } of vocabulary.services) {
    const placed = { uid: sallyportUid("Service", name), ancestors: NO_ANCESTORS };
    add(placed.uid.key, attributesRecord(attributes), NO_ANCESTORS);
    services.set(name, { placed, groups: new Map() });
    await pause();
  }
  const attributesOf = routeAttributes(vocabulary);
  const routes = new Map<string, PlacedRoute>();
  for (const { name, service } of vocabulary.routes) {
    const placed = {
      uid: sallyportUid("Route", name),
      ancestors:
        service === undefined ? NO_ANCESTORS : new Set([sallyportUid("Service", service).key]),
    };
    add(placed.uid.key, attributesRecord(attributesOf.get(name) ?? {}), placed.ancestors);
    routes.set(name, { placed, groups: new Map() });
    await pause();
  }
  const admin = { placed: { uid: ADMIN_API, ancestors: NO_ANCESTORS }, groups: new Map() };
  return { routes, admin, services, entities };
}
