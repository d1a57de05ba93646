/**
 * A request of which some is not known: the environment of the whole, with unknown values in the place of
 * what is hidden (unknown.ts).
 */
import type { Entity, Environment } from "../cedar/environment.ts";
import { EvaluationError } from "../cedar/evaluation-error.ts";
import { EMPTY_RECORD, type CedarRecord, type EntityUid } from "../cedar/values.ts";
import { HEADERS, QUERY } from "../cedar-names.ts";
import { OperationParameters } from "../decide/operation-parameters.ts";
import { OpenAncestors, PartialRecord, UnknownRead, type Unknown } from "./unknown.ts";

type Unknowns = ReadonlyMap<string, Unknown>;

export interface HiddenParts {
  /** Members of `context` that are not known, by name. */
  readonly context?: Unknowns | undefined;
  /** What is known of header fields and of query parameters, as tags; left out: all of it. */
  readonly headers?: CedarRecord | undefined;
  readonly query?: CedarRecord | undefined;
  /** Attributes of the principal that are not known, by name. */
  readonly attributes?: Unknowns | undefined;
  /**
   * The principal is anybody who has the attributes of the request's and is in what that one is in; `open`:
   * and perhaps in more.
   */
  readonly anybody?: { readonly name: string; readonly open: boolean } | undefined;
}

export function hideParts(whole: Environment, hidden: HiddenParts): Environment {
  const unknown = hiddenMembers(whole, hidden);
  const context =
    unknown.size === 0
      ? whole.context
      : new PartialRecord({ name: "context", known: whole.context, unknown });
  const own = principalData(whole, hidden);
  const tagged = (tags: CedarRecord): Entity => ({
    attributes: EMPTY_RECORD,
    tags,
    ancestors: NO_ANCESTORS,
  });
  const { principal, action, resource } = whole;
  const { anybody, headers, query } = hidden;
  return {
    action,
    resource,
    context,
    get principal() {
      if (anybody === undefined) return principal;
      const { name } = anybody;
      throw new UnknownRead({ name, type: "entity", entity: { type: principal.type, data: own } });
    },
    entity(uid: EntityUid): Entity | undefined {
      if (headers !== undefined && uid.key === HEADERS.key) return tagged(headers);
      if (query !== undefined && uid.key === QUERY.key) return tagged(query);
      if (anybody === undefined) return uid.key === principal.key ? own : whole.entity(uid);
      // Any of that type may be the very one who asks.
      if (uid.type === principal.type) throw new UnknownRead({ name: anybody.name });
      return whole.entity(uid);
    },
  };
}

const NO_ANCESTORS: ReadonlySet<string> = new Set();
const NOTHING: Unknowns = new Map();

/** Parameters of an operation that are in the query are known as far as the query is. */
function hiddenMembers(whole: Environment, { context = NOTHING, query }: HiddenParts): Unknowns {
  if (query === undefined || context.has("parameters")) return context;
  const parameters = whole.context.get("parameters");
  if (!(parameters instanceof OperationParameters)) return context;
  const name = "context.parameters";
  const unknown = new Map<string, Unknown>();
  for (const { name: own, type, required, segment } of parameters.declared.values()) {
    if (segment !== undefined || isKnown(query, own)) continue;
    const like = { type: TYPES[type], maybeAbsent: !required, mayErr: true };
    unknown.set(own, { name: `${name}.${own}`, ...like });
  }
  const value = new PartialRecord({ name, known: parameters, unknown });
  return new Map([...context, ["parameters", { name, value }]]);
}

/** Also what is known to be absent, or not to be readable. */
function isKnown(tags: CedarRecord, name: string): boolean {
  try {
    tags.get(name);
    return true;
  } catch (error) {
    if (error instanceof EvaluationError) return true;
    if (error instanceof UnknownRead) return false;
    throw error;
  }
}

const TYPES = { string: "string", bool: "boolean", long: "long", strings: "set" } as const;

function principalData(whole: Environment, { attributes, anybody }: HiddenParts): Entity {
  const data = whole.entity(whole.principal);
  if (data === undefined) throw new TypeError("a request's principal has data");
  return {
    tags: data.tags,
    attributes:
      attributes === undefined || attributes.size === 0
        ? data.attributes
        : new PartialRecord({ name: "principal", known: data.attributes, unknown: attributes }),
    ancestors:
      anybody?.open === true ? new OpenAncestors(anybody.name, data.ancestors) : data.ancestors,
  };
}
