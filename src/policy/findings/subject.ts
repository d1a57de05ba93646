/**
 * What findings are looked for in: the policies, what there is to ask them about (targets), and who
 * could ask (sources). It answers what scopes alone prove, and leaves conditions to the rules.
 */
import { ADMIN as ADMIN_GROUP, ADMIN_RESOURCE } from "../../model/admin-operations.ts";
import { ISSUE_KEY_ACTION } from "../../model/issued-keys.ts";
import { ANONYMOUS, principalId, type PrincipalKind } from "../../model/principal.ts";
import {
  type AuthenticatorGrants,
  issuesKeys,
  METHODS,
  type Vocabulary,
} from "../../model/vocabulary.ts";
import {
  ACTIONS,
  ADMIN_ACTIONS,
  ADMIN_API,
  isAdminAction,
  NAMESPACE,
  PRINCIPAL_TYPES,
  sallyportUid,
} from "../cedar-names.ts";
import { countsForAdmin, inScope, type Scope } from "../cedar/compile-policy.ts";
import type { PlacedEntity } from "../cedar/policy-index.ts";
import type { EntityUid } from "../cedar/values.ts";
import { operationActions } from "../operation-actions.ts";
import type { FileEntity } from "../data/file-entity.ts";
import type { PolicyFile } from "../policy-source.ts";
import type { LoadedPolicy } from "../load/load-policies.ts";
import type { Acceptance } from "./acceptance.ts";
import type { FindingPlace } from "./finding.ts";
import {
  policyFacts,
  type PolicyFacts,
  templateFacts,
  type TemplateFacts,
} from "./policy-facts.ts";
import { type Ancestors, slotOf } from "./scopes.ts";

/** What findings come from. */
export interface FindingSource {
  readonly policies: readonly LoadedPolicy[];
  /** Templates that no link fills. */
  readonly unlinked: readonly LoadedPolicy[];
  /** Ids of policies that decide no case of the tests; undefined where there are none. */
  readonly untested?: readonly string[] | undefined;
  /** What data files say. */
  readonly entities: readonly FileEntity[];
  /** All of the source: data files have places too. */
  readonly files: readonly PolicyFile[];
  readonly vocabulary: Vocabulary;
  readonly written: WrittenFacts;
}

/** What the configuration says beyond its words, and where. */
export interface WrittenFacts {
  readonly routes: readonly RouteFacts[];
  readonly services: readonly ServiceFacts[];
  readonly authenticators: readonly AuthenticatorFacts[];
  /** Who may be asked for at the admin API; undefined where it authenticates nobody. */
  readonly admin:
    | { readonly authenticate: readonly string[]; readonly place: FindingPlace }
    | undefined;
  readonly accept: readonly Acceptance[];
}

export interface RouteFacts {
  readonly name: string;
  /** Undefined: all of them. */
  readonly methods: readonly string[] | undefined;
  /** Without `anonymous`. */
  readonly authenticate: readonly string[];
  readonly anonymous: boolean;
  readonly place: FindingPlace;
  readonly accept: readonly Acceptance[];
}

export interface ServiceFacts {
  readonly name: string;
  readonly place: FindingPlace;
  readonly accept: readonly Acceptance[];
}

export interface AuthenticatorFacts extends AuthenticatorGrants {
  readonly name: string;
  readonly place: FindingPlace;
  /** Of each role that it names bare. */
  readonly rolePlaces: ReadonlyMap<string, FindingPlace>;
  /** Options that begin with `insecure` and are on. */
  readonly insecure: readonly InsecureFacts[];
}

export interface InsecureFacts {
  /** Keys from the authenticator, joined by points. */
  readonly option: string;
  readonly message: string;
  readonly remedy: string;
  readonly place: FindingPlace;
}

/** A caller that a target can have, as far as the configuration tells. */
export interface Source {
  /** Undefined: nobody vouches for it, it is anonymous. */
  readonly authenticator: string | undefined;
  readonly kind: PrincipalKind;
}

/** An action that can be asked about. */
export interface TargetAction {
  readonly id: string;
  readonly uid: EntityUid;
  /** Keys of all that it is in. */
  readonly ancestors: ReadonlySet<string>;
  /** Of an operation. */
  readonly method: string;
}

/** A route, the admin API, or a service for which keys are issued. */
export interface Target extends PlacedEntity {
  readonly name: string;
  readonly service: string | undefined;
  readonly admin: boolean;
  /** It is a service, for which keys are issued. */
  readonly issuing: boolean;
  readonly actions: readonly TargetAction[];
  /** Its actions are operations of its service, of which not all need to be on this route. */
  readonly described: boolean;
  /** Actions that somebody wrote out for it; undefined: all that there are. */
  readonly listed: readonly string[] | undefined;
  readonly sources: readonly Source[];
  /** Undefined where it is another process's. */
  readonly facts: RouteFacts | undefined;
}

export class FindingSubject {
  readonly policies: readonly PolicyFacts[];
  /** Templates that no link fills. */
  readonly unlinked: readonly TemplateFacts[];
  /** Ids of policies that decide no test case; undefined where there are no tests. */
  readonly untested: readonly string[] | undefined;
  readonly vocabulary: Vocabulary;
  readonly written: WrittenFacts;
  /** Routes and the admin API. */
  readonly targets: readonly Target[];
  /** Services; none where no key is issued. */
  readonly issuing: readonly Target[];
  readonly files: readonly PolicyFile[];
  /** What data files say of principals, roles and groups: what each is in, by key. */
  readonly entities: ReadonlyMap<string, ReadonlySet<string>>;
  /** Names of attributes that data files give to principals. */
  readonly fileAttributes: ReadonlySet<string>;
  /** Keys of roles and groups in which data files put anybody. */
  readonly #given: ReadonlySet<string>;
  readonly #authenticators: ReadonlyMap<string, AuthenticatorFacts>;
  readonly #bareRoles: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #bySlot: ReadonlyMap<string, readonly PolicyFacts[]>;
  readonly #targetsBySlot: ReadonlyMap<string, readonly Target[]>;
  /** Methods, and operations of all services. */
  readonly #routeActions: readonly TargetAction[];
  readonly #actionSets = new Map<string, ReadonlySet<string>>();
  readonly #ancestors: ReadonlyMap<string, ReadonlySet<string>>;

  constructor(source: FindingSource) {
    const { policies, unlinked, untested, entities, files, vocabulary, written } = source;
    this.policies = policies.map(policyFacts);
    this.unlinked = unlinked.map(templateFacts);
    this.untested = untested;
    this.vocabulary = vocabulary;
    this.written = written;
    const operations = operationsOf(vocabulary);
    this.#routeActions = [...METHOD_ACTIONS, ...[...operations.values()].flat()];
    this.targets = targetsOf(vocabulary, written, operations);
    this.issuing = issuesKeys(vocabulary) ? issuingTargets(vocabulary) : [];
    this.#authenticators = new Map(written.authenticators.map((one) => [one.name, one]));
    this.#bareRoles = new Map(
      vocabulary.authenticators.map(({ name, bareRoles }) => [name, new Set(bareRoles)]),
    );
    this.#bySlot = Map.groupBy(this.policies, ({ resource }) => slotOf(resource));
    this.#targetsBySlot = targetSlots([...this.targets, ...this.issuing]);
    this.files = files;
    this.entities = new Map(entities.map(({ key, within }) => [key, new Set(within)]));
    this.fileAttributes = new Set(
      entities.flatMap(({ attributes = {} }) => Object.keys(attributes)),
    );
    this.#given = new Set(entities.flatMap(({ within }) => within));
    this.#ancestors = new Map([
      ...this.targets.map(({ uid, ancestors }) => [uid.key, ancestors] as const),
      ...this.entities,
    ]);
  }

  readonly ancestors: Ancestors = (uid) => this.#ancestors.get(uid.key) ?? NO_ANCESTORS;

  /** Policies whose resource scope takes the target. */
  *policiesOn(target: Target): Generator<PolicyFacts> {
    for (const slot of slotsOfTarget(target)) yield* this.#bySlot.get(slot) ?? [];
  }

  /** Targets that the resource scope takes. */
  targetsOf({ resource }: PolicyFacts): readonly Target[] {
    return this.#targetsBySlot.get(slotOf(resource)) ?? [];
  }

  /** Ids of all actions that the scope takes, where the policy counts. */
  actionsOf(policy: PolicyFacts): ReadonlySet<string> {
    const forAdmin = countsForAdmin(policy, ({ id }) => isAdminAction(id));
    const forKeys = this.issuing.length > 0 && takesService(policy.resource);
    const key = `${String(forAdmin)} ${String(forKeys)} ${slotOf(policy.action)}`;
    let ids = this.#actionSets.get(key);
    if (ids === undefined) {
      const all = [
        ...this.#routeActions,
        ...(forAdmin ? ADMIN : []),
        ...(forKeys ? [ISSUE_KEY] : []),
      ];
      const taken = all.filter(({ uid, ancestors }) => inScope(policy.action, uid, ancestors));
      ids = new Set(taken.map(({ id }) => id));
      this.#actionSets.set(key, ids);
    }
    return ids;
  }

  /** Actions of the target that the scope takes. */
  actionsOn(policy: PolicyFacts, target: Target): readonly string[] {
    const ids = this.actionsOf(policy);
    return target.actions.map(({ id }) => id).filter((id) => ids.has(id));
  }

  /** False where such a caller can never be within the scope. */
  admits(scope: Scope, { authenticator, kind }: Source): boolean {
    const type = `${NAMESPACE}::${PRINCIPAL_TYPES[kind]}`;
    if (scope.kind === "all") return true;
    if ("type" in scope && scope.type !== type) return false;
    if (scope.kind === "is") return true;
    const uids = scope.kind === "in" ? scope.uids : [scope.uid];
    return uids.some((uid) => this.#canBeIn(uid, { authenticator, kind }, type));
  }

  /** Whether a caller of the source can be, or be in, an entity that a policy names. */
  #canBeIn(uid: EntityUid, { authenticator }: Source, type: string): boolean {
    if (authenticator === undefined) {
      return uid.type === type && uid.id === principalId(ANONYMOUS);
    }
    if (uid.type === type) return this.canName(uid.id, authenticator);
    if (this.isGiven(uid)) return true;
    if (uid.type === `${NAMESPACE}::Role`) return this.canHaveRole(uid.id, authenticator);
    if (uid.type === `${NAMESPACE}::Group`) return this.canHaveGroup(uid.id, authenticator);
    return false;
  }

  /** Whether data files put anybody into the role or group: then who is not looked at. */
  isGiven({ key }: EntityUid): boolean {
    return this.#given.has(key);
  }

  /** Whether the authenticator can know somebody by this id. */
  canName(id: string, authenticator: string): boolean {
    const [owner, subject] = halves(id);
    if (owner !== authenticator) return false;
    const prefix = this.#authenticators.get(authenticator)?.subjectPrefix;
    return prefix === undefined || subject.startsWith(prefix);
  }

  canHaveRole(role: string, authenticator: string): boolean {
    const bare = this.#bareRoles.get(authenticator);
    if (!role.includes("/")) return bare?.has(role) === true;
    const [owner, name] = halves(role);
    const scoped = this.#authenticators.get(authenticator)?.scopedRoles ?? true;
    return owner === authenticator && scoped && bare?.has(name) !== true;
  }

  canHaveGroup(group: string, authenticator: string): boolean {
    const [owner, name] = halves(group);
    const groups = this.#authenticators.get(authenticator)?.groups ?? true;
    return (
      owner === authenticator && (typeof groups === "boolean" ? groups : groups.includes(name))
    );
  }
}

/** `corp/alice` → `corp`, `alice`. */
export function halves(id: string): readonly [string, string] {
  const at = id.indexOf("/");
  return at < 0 ? ["", id] : [id.slice(0, at), id.slice(at + 1)];
}

const NO_ANCESTORS: ReadonlySet<string> = new Set();

function targetAction(id: string, above: readonly string[], method = id): TargetAction {
  const ancestors = new Set(above.map((one) => sallyportUid("Action", one).key));
  return { id, uid: sallyportUid("Action", id), ancestors, method };
}

const METHOD_ACTIONS = ACTIONS.map(({ id, group }) => targetAction(id, [group]));
const ISSUE_KEY = targetAction(ISSUE_KEY_ACTION, []);
const SERVICE = sallyportUid("Service", "").type;

/** Whether a service can be within the resource scope: what is in a service takes it too. */
function takesService(scope: Scope): boolean {
  if (scope.kind === "all") return true;
  if (scope.kind === "in") return scope.uids.some(({ type }) => type === SERVICE);
  return scope.kind === "equals" ? scope.uid.type === SERVICE : scope.type === SERVICE;
}

const ADMIN = ADMIN_ACTIONS.map(({ id, group }) => targetAction(id, [group, ADMIN_GROUP]));

/** Of each service that has a description. */
function operationsOf(vocabulary: Vocabulary): ReadonlyMap<string, readonly TargetAction[]> {
  const described = vocabulary.services.filter(({ operations }) => operations !== undefined);
  const all = Map.groupBy(operationActions(vocabulary), ({ service }) => service);
  return new Map(
    described.map(({ name }) => [
      name,
      (all.get(name) ?? []).map(({ id, ancestors, operation }) =>
        targetAction(id, ancestors, operation.method),
      ),
    ]),
  );
}

function targetsOf(
  vocabulary: Vocabulary,
  written: WrittenFacts,
  operations: ReadonlyMap<string, readonly TargetAction[]>,
): Target[] {
  const facts = new Map(written.routes.map((route) => [route.name, route]));
  const kinds = kindsOf(vocabulary);
  const sourcesOf = createSourcesOf(vocabulary, kinds);
  const routes = vocabulary.routes.map(({ name, service }): Target => {
    const own = facts.get(name);
    return {
      name,
      service,
      admin: false,
      issuing: false,
      uid: sallyportUid("Route", name),
      ancestors:
        service === undefined ? NO_ANCESTORS : new Set([sallyportUid("Service", service).key]),
      // Where a service has operations, a request's action is one of them and never its method.
      actions: (operations.get(service ?? "") ?? METHOD_ACTIONS).filter(({ method }) =>
        (own?.methods ?? METHODS).includes(method),
      ),
      described: operations.has(service ?? ""),
      listed: own?.methods,
      // Of a route that another process serves it is not known whom it takes.
      sources: [
        ...sourcesOf(own?.authenticate ?? kinds.keys()),
        ...(own?.anonymous === false ? [] : [NOBODY]),
      ],
      facts: own,
    };
  });
  if (vocabulary.admin === undefined) return routes;
  const admin = {
    name: ADMIN_RESOURCE.id,
    service: undefined,
    admin: true,
    issuing: false,
    uid: ADMIN_API,
    ancestors: NO_ANCESTORS,
    actions: ADMIN,
    described: false,
    listed: undefined,
    sources: sourcesOf(written.admin?.authenticate ?? kinds.keys()),
    facts: undefined,
  };
  return [...routes, admin];
}

function kindsOf({ authenticators }: Vocabulary): ReadonlyMap<string, readonly PrincipalKind[]> {
  return new Map(authenticators.map(({ name, kinds }) => [name, kinds]));
}

/**
 * Whom these authenticators let in. A key stands for whoever another one vouches for: for anybody, where none
 * of those stands beside its own.
 */
function createSourcesOf(
  { authenticators }: Vocabulary,
  kinds: ReadonlyMap<string, readonly PrincipalKind[]>,
): (names: Iterable<string>) => Source[] {
  const issued = new Set(
    authenticators.filter((one) => one.issued === true).map(({ name }) => name),
  );
  return (names) => {
    const given = [...names];
    const open = given.length > 0 && given.every((name) => issued.has(name));
    const all = open ? kinds.keys() : given;
    return [...all].flatMap((authenticator) =>
      (kinds.get(authenticator) ?? []).map((kind) => ({ authenticator, kind })),
    );
  };
}

/** Whoever is known at all may come to the token endpoint. */
function issuingTargets(vocabulary: Vocabulary): Target[] {
  const kinds = kindsOf(vocabulary);
  const sources = createSourcesOf(vocabulary, kinds)(kinds.keys());
  return vocabulary.services.map(({ name }) => ({
    name,
    service: name,
    admin: false,
    issuing: true,
    uid: sallyportUid("Service", name),
    ancestors: NO_ANCESTORS,
    actions: [ISSUE_KEY],
    described: false,
    listed: undefined,
    sources,
    facts: undefined,
  }));
}

const NOBODY: Source = { authenticator: undefined, kind: "anonymous" };

function slotsOfTarget({ uid, ancestors }: Target): string[] {
  const above = [uid.key, ...ancestors];
  return [
    "*",
    `:${uid.type}`,
    `=${uid.key}`,
    ...above.flatMap((key) => [`<${key}`, `${uid.type}<${key}`]),
  ];
}

function targetSlots(targets: readonly Target[]): ReadonlyMap<string, readonly Target[]> {
  const slots = new Map<string, Target[]>();
  for (const target of targets) {
    for (const slot of slotsOfTarget(target)) {
      const there = slots.get(slot);
      if (there === undefined) slots.set(slot, [target]);
      else there.push(target);
    }
  }
  return slots;
}
