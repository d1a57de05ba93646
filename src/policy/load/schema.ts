/**
 * The Cedar schema of a configuration: what policies can say, and with which types. Policies are
 * validated against it, so that a misspelt attribute is a problem at load and not a rule that never
 * applies.
 *
 * Refuses attributes whose type differs between authenticators of one kind of principal, between
 * services, or between routes, and values of bodies whose type differs between routes: a policy could
 * then not be typed.
 */
import { ADMIN, ADMIN_PARAMS, ADMIN_RESOURCE } from "../../model/admin-operations.ts";
import type { Problem } from "../../model/errors.ts";
import { ISSUE_KEY_ACTION } from "../../model/issued-keys.ts";
import type { AttributeType, AttributeValue, PrincipalKind } from "../../model/principal.ts";
import { RPC_NAMES } from "../../model/rpc.ts";
import type { Vocabulary, VocabularyOperation } from "../../model/vocabulary.ts";
import {
  ACTIONS,
  ADMIN_ACTIONS,
  ADMIN_GROUPS,
  NAMESPACE,
  PRINCIPAL_TYPES,
  READ,
  WRITE,
} from "../cedar-names.ts";
import { contextShape, operationActions, operationGroups } from "../operation-actions.ts";

/** Cedar's JSON schema format, as far as we use it. */
export type SchemaJson = Readonly<Record<string, NamespaceJson>>;

export interface NamespaceJson {
  readonly commonTypes: Readonly<Record<string, TypeJson>>;
  readonly entityTypes: Readonly<Record<string, EntityTypeJson>>;
  readonly actions: Readonly<Record<string, ActionJson>>;
}

export interface EntityTypeJson {
  readonly memberOfTypes?: readonly string[];
  readonly shape?: RecordTypeJson;
  readonly tags?: TypeJson;
}

export interface ActionJson {
  readonly memberOf?: readonly { readonly id: string }[];
  readonly appliesTo?: {
    readonly principalTypes: readonly string[];
    readonly resourceTypes: readonly string[];
    readonly context: TypeJson;
  };
}

export type TypeJson = {
  readonly type: string;
  readonly name?: string;
  readonly element?: TypeJson;
};

export interface RecordTypeJson {
  readonly type: "Record";
  readonly attributes: Readonly<
    Record<string, (TypeJson | RecordTypeJson) & { required: boolean }>
  >;
}

export type SchemaResult =
  | { readonly schema: SchemaJson; readonly problems?: undefined }
  | { readonly problems: readonly Problem[]; readonly schema?: undefined };

/** `data` has the types of attributes that data files give: some principals of a kind have them, and some not. */
export function buildSchema(vocabulary: Vocabulary, data: FileAttributes = {}): SchemaResult {
  const problems: Problem[] = [];
  const shape = (owners: readonly Owner[]): RecordTypeJson => unite(owners, problems);
  const { services } = vocabulary;
  const principal = (kind: PrincipalKind): EntityTypeJson => ({
    memberOfTypes: CONTAINERS,
    shape: withOptional(
      shape(
        vocabulary.authenticators.flatMap(({ name, kinds, attributes, device }) => {
          const owner = { name: `authenticator '${name}'`, kind };
          return [
            ...(kinds.includes(kind) ? [{ ...owner, attributes }] : []),
            ...(kind === "device" && device !== undefined
              ? [{ ...owner, attributes: device }]
              : []),
          ];
        }),
      ),
      data[kind] ?? {},
    ),
  });
  const entityTypes: Record<string, EntityTypeJson> = {
    User: principal("user"),
    Workload: principal("workload"),
    Device: principal("device"),
    Anonymous: {},
    Role: { memberOfTypes: CONTAINERS },
    Group: { memberOfTypes: CONTAINERS },
    Service: { shape: shape(services.map((service) => ownerOf("service", service, problems))) },
    Route: {
      memberOfTypes: ["Service"],
      shape: shape(
        [...routeAttributes(vocabulary)].map(([name, attributes]) =>
          ownerOf("route", { name, attributes }, problems),
        ),
      ),
    },
    [ADMIN_RESOURCE.type]: {
      shape: shape([
        ownerOf("admin API", { name: "admin", ...(vocabulary.admin ?? NO_ATTRIBUTES) }, problems),
      ]),
    },
    Query: { tags: STRINGS },
    Headers: { tags: STRINGS },
  };
  const inspected = inspectedTypes(vocabulary, shape);
  if (problems.length > 0) return { problems: distinct(problems) };
  const context = contextType(vocabulary, inspected);
  const contexts = operationContexts(vocabulary, context);
  const commonTypes: Record<string, TypeJson> = {
    [CONTEXT]: context,
    [ISSUE_CONTEXT]: issueContextType(context),
  };
  for (const { name, type } of contexts.values()) commonTypes[name] = type;
  const actions = { ...actionTypes(), ...operationTypes(vocabulary, contexts) };
  return { schema: { [NAMESPACE]: { commonTypes, entityTypes, actions } } };
}

/** The attributes of each route, by name: its service's, and its own, which win. */
export function routeAttributes({
  routes,
  services,
}: Vocabulary): ReadonlyMap<string, Readonly<Record<string, AttributeValue>>> {
  const ofService = new Map(services.map(({ name, attributes }) => [name, attributes]));
  return new Map(
    routes.map(({ name, service, attributes }) => [
      name,
      { ...(service === undefined ? {} : ofService.get(service)), ...attributes },
    ]),
  );
}

/**
 * The schema in which only these actions can be asked about. The others still have their names; of the
 * operations of services, of which there may be hundreds, only those that these are in, and what
 * `isNamed` takes.
 */
export function withOnlyActions(
  schema: SchemaJson,
  ids: ReadonlySet<string>,
  isNamed: (id: string) => boolean = () => true,
): SchemaJson {
  const namespace = schema[NAMESPACE];
  if (namespace === undefined) throw new TypeError(`a schema has the namespace ${NAMESPACE}`);
  const above = new Set(
    [...ids].flatMap((id) => (namespace.actions[id]?.memberOf ?? []).map((group) => group.id)),
  );
  const kept = Object.entries(namespace.actions).filter(
    ([id]) => ids.has(id) || above.has(id) || OWN_ACTIONS.has(id) || isNamed(id),
  );
  const names = new Set(kept.map(([id]) => id));
  const actions = kept.map(([id, action]): [string, ActionJson] => {
    const memberOf = action.memberOf?.filter((group) => names.has(group.id));
    return [id, ids.has(id) ? action : { ...(memberOf && { memberOf }) }];
  });
  // Each operation may have a context of its own, and reading them costs as much as they are long.
  const used = new Set([CONTEXT, ...actions.map(([, action]) => action.appliesTo?.context.type)]);
  const commonTypes = Object.fromEntries(
    Object.entries(namespace.commonTypes).filter(([name]) => used.has(name)),
  );
  return { [NAMESPACE]: { ...namespace, commonTypes, actions: Object.fromEntries(actions) } };
}

/** Those that every configuration has. */
const OWN_ACTIONS: ReadonlySet<string> = new Set([
  READ,
  WRITE,
  ADMIN,
  ISSUE_KEY_ACTION,
  ...ADMIN_GROUPS,
  ...[...ACTIONS, ...ADMIN_ACTIONS].map(({ id }) => id),
]);

/** The context of every action that is no operation, but for one. */
const CONTEXT = "RequestContext";
/** … which is to issue a key. */
const ISSUE_CONTEXT = "IssueContext";

/** Types of attributes by kind of principal and name. */
export type FileAttributes = Readonly<
  Partial<Record<PrincipalKind, Readonly<Record<string, AttributeType>>>>
>;

/** Data files put principals, roles and groups in them. */
const CONTAINERS = ["Role", "Group"] as const;

const NO_ATTRIBUTES = { attributes: {} } as const;

const STRING: TypeJson = { type: "String" };
const STRINGS: TypeJson = { type: "Set", element: STRING };
const TYPES: Readonly<Record<AttributeType, TypeJson>> = {
  string: STRING,
  bool: { type: "Boolean" },
  long: { type: "Long" },
  strings: STRINGS,
};

/** Who declares attributes, as problems name it. */
interface Owner {
  readonly name: string;
  readonly kind: string;
  readonly attributes: Readonly<Record<string, AttributeType>>;
}

function withOptional(
  { attributes }: RecordTypeJson,
  more: Readonly<Record<string, AttributeType>>,
): RecordTypeJson {
  const optional = Object.entries(more).map(([name, type]) => [
    name,
    { ...TYPES[type], required: false },
  ]);
  return {
    type: "Record",
    attributes: {
      ...attributes,
      ...(Object.fromEntries(optional) as RecordTypeJson["attributes"]),
    },
  };
}

/** Required where all owners declare it, else optional. */
function unite(owners: readonly Owner[], problems: Problem[]): RecordTypeJson {
  const declared = new Map<string, { type: AttributeType; by: Owner; count: number }>();
  for (const owner of owners) {
    for (const [name, type] of Object.entries(owner.attributes)) {
      const known = declared.get(name);
      if (known === undefined) declared.set(name, { type, by: owner, count: 1 });
      else if (known.type === type) known.count += 1;
      else problems.push(conflict(name, known, { type, by: owner }));
    }
  }
  const attributes = [...declared].map(([name, { type, count }]) => [
    name,
    { ...TYPES[type], required: count === owners.length },
  ]);
  return {
    type: "Record",
    attributes: Object.fromEntries(attributes) as RecordTypeJson["attributes"],
  };
}

type Declaration = { readonly type: AttributeType; readonly by: Owner };

function conflict(name: string, first: Declaration, second: Declaration): Problem {
  return {
    message:
      `attribute '${name}' of a ${second.by.kind} is a ${first.type} in ${first.by.name} ` +
      `and a ${second.type} in ${second.by.name}`,
    remedy: "give it one type, or two names",
  };
}

function ownerOf(
  kind: "service" | "route" | "admin API",
  holder: { readonly name: string; readonly attributes: Readonly<Record<string, AttributeValue>> },
  problems: Problem[],
): Owner {
  const attributes: Record<string, AttributeType> = {};
  for (const [name, value] of Object.entries(holder.attributes)) {
    const type = typeOfValue(value);
    if (type !== undefined) attributes[name] = type;
    else {
      problems.push({
        message: `attribute '${name}' of ${kind} '${holder.name}' is not a 64-bit integer`,
        remedy: "a string, true or false, a whole number, or a list of strings",
      });
    }
  }
  return { name: `${kind} '${holder.name}'`, kind, attributes };
}

/** Undefined for a number that is no 64-bit integer. */
export function typeOfValue(value: AttributeValue): AttributeType | undefined {
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return Number.isSafeInteger(value) ? "long" : undefined;
  if (typeof value === "bigint") return BigInt.asIntN(64, value) === value ? "long" : undefined;
  return "strings";
}

/** A service's conflict shows again in its routes: once is enough. */
function distinct(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [problem.message, problem])).values()];
}

/** What routes look at in bodies. Names that no route declares stay unknown, so that a typing error is one. */
function inspectedTypes(
  { routes }: Vocabulary,
  shape: (owners: readonly Owner[]) => RecordTypeJson,
): RecordTypeJson["attributes"] {
  const inspecting = routes.filter(({ inspect }) => inspect !== undefined);
  if (inspecting.length === 0) return {};
  const declared = shape(
    inspecting.map(({ name, inspect }) => ({
      name: `route '${name}'`,
      kind: "body",
      attributes: inspect?.body ?? {},
    })),
  );
  // What one request has of it another may leave out.
  const attributes = Object.fromEntries(
    Object.entries(declared.attributes).map(([name, type]) => [name, { ...type, ...OPTIONAL }]),
  );
  const body = { type: "Record", attributes, ...OPTIONAL } as const;
  const speaking = inspecting.some(({ inspect }) => inspect?.rpc !== undefined);
  return speaking ? { body, rpc: { ...RPC_TYPE, ...OPTIONAL } } : { body };
}

const OPTIONAL = { required: false } as const;
const RPC_TYPE: RecordTypeJson = {
  type: "Record",
  attributes: {
    protocol: { ...STRING, required: true },
    kind: { ...STRING, required: true },
    ...Object.fromEntries(RPC_NAMES.map((name) => [name, { ...STRING, ...OPTIONAL }])),
  },
};

function contextType(
  vocabulary: Vocabulary,
  inspected: RecordTypeJson["attributes"],
): RecordTypeJson {
  const params = new Set([...vocabulary.routes.flatMap((route) => route.params), ...ADMIN_PARAMS]);
  const required = { required: true } as const;
  const optional = { required: false } as const;
  return {
    type: "Record",
    attributes: {
      path: { ...STRING, ...required },
      host: { ...STRING, ...required },
      method: { ...STRING, ...required },
      params: {
        type: "Record",
        attributes: Object.fromEntries(
          [...params].map((name) => [name, { ...STRING, ...optional }]),
        ),
        ...required,
      },
      query: { type: "Entity", name: "Query", ...required },
      headers: { type: "Entity", name: "Headers", ...required },
      ip: { type: "Extension", name: "ipaddr", ...required },
      time: { type: "Extension", name: "datetime", ...required },
      scopes: { ...STRINGS, ...required },
      authn: {
        type: "Record",
        attributes: {
          kind: { ...STRING, ...required },
          authenticator: { ...STRING, ...required },
          age: { type: "Long", ...required },
          acr: { ...STRING, ...optional },
          amr: { ...STRINGS, ...required },
          bound: { type: "Boolean", ...required },
        },
        ...required,
      },
      workload: { type: "Entity", name: "Workload", ...optional },
      device: { type: "Entity", name: "Device", ...optional },
      actor: {
        type: "Record",
        attributes: {
          id: { ...STRING, ...required },
          subject: { ...STRING, ...required },
          authenticator: { ...STRING, ...required },
          issuer: { ...STRING, ...optional },
          clientId: { ...STRING, ...optional },
          behind: { ...STRINGS, ...required },
        },
        ...optional,
      },
      ...inspected,
    },
  };
}

/** What stands in every context, and what is asked for; nothing of the request that asks. */
function issueContextType({ attributes }: RecordTypeJson): RecordTypeJson {
  const kept = ISSUE_CONTEXT_KEPT.map((name) => [name, attributes[name]]);
  return {
    type: "Record",
    attributes: {
      ...(Object.fromEntries(kept) as RecordTypeJson["attributes"]),
      lifetime: { type: "Long", required: true },
      binding: { ...STRING, required: true },
      grant: { ...STRING, required: true },
      as: { ...STRING, required: true },
      client: { ...STRING, required: true },
      narrowed: { type: "Boolean", required: true },
      other: { ...STRING, ...OPTIONAL },
    },
  };
}

const ISSUE_CONTEXT_KEPT = [
  "ip",
  "time",
  "scopes",
  "authn",
  "workload",
  "device",
  "actor",
] as const;

function actionTypes(): Record<string, ActionJson> {
  const on = (resource: string, actions: typeof ACTIONS): Record<string, ActionJson> => {
    const appliesTo = {
      principalTypes: Object.values(PRINCIPAL_TYPES),
      resourceTypes: [resource],
      context: { type: CONTEXT },
    };
    return Object.fromEntries(
      actions.map(({ id, group }) => [id, { memberOf: [{ id: group }], appliesTo }]),
    );
  };
  return {
    [READ]: {},
    [WRITE]: {},
    [ADMIN]: {},
    ...Object.fromEntries(ADMIN_GROUPS.map((id) => [id, { memberOf: [{ id: ADMIN }] }])),
    ...on("Route", ACTIONS),
    ...on(ADMIN_RESOURCE.type, ADMIN_ACTIONS),
    [ISSUE_KEY_ACTION]: {
      appliesTo: {
        principalTypes: Object.values(PRINCIPAL_TYPES),
        resourceTypes: ["Service"],
        context: { type: ISSUE_CONTEXT },
      },
    },
  };
}

interface OperationContext {
  /** Of the common type. */
  readonly name: string;
  readonly type: RecordTypeJson;
}

/** What a request says, and beside it `parameters`; one type for all operations that declare the same. */
function operationContexts(
  vocabulary: Vocabulary,
  context: RecordTypeJson,
): ReadonlyMap<string, OperationContext> {
  const contexts = new Map<string, OperationContext>();
  for (const { operation } of operationActions(vocabulary)) {
    const shape = contextShape(operation);
    if (contexts.has(shape)) continue;
    const parameters = { ...parametersType(operation), required: true };
    contexts.set(shape, {
      name: `OperationContext${String(contexts.size + 1)}`,
      type: { type: "Record", attributes: { ...context.attributes, parameters } },
    });
  }
  return contexts;
}

function parametersType({ parameters }: VocabularyOperation): RecordTypeJson {
  const attributes = parameters.map(({ name, type, required }) => [
    name,
    { ...TYPES[type], required },
  ]);
  return {
    type: "Record",
    attributes: Object.fromEntries(attributes) as RecordTypeJson["attributes"],
  };
}

function operationTypes(
  vocabulary: Vocabulary,
  contexts: ReadonlyMap<string, OperationContext>,
): Record<string, ActionJson> {
  const actions = operationActions(vocabulary).map(({ id, parents, operation }) => {
    const appliesTo = {
      principalTypes: Object.values(PRINCIPAL_TYPES),
      resourceTypes: ["Route"],
      context: { type: contexts.get(contextShape(operation))?.name ?? CONTEXT },
    };
    return [id, { memberOf: parents.map((parent) => ({ id: parent })), appliesTo }];
  });
  const groups = operationGroups(vocabulary).map((id) => [id, {}]);
  return Object.fromEntries([...groups, ...actions]) as Record<string, ActionJson>;
}
