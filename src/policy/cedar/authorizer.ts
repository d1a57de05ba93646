/**
 * Cedar's own authorization over any entities: the same answer as the official engine, erring `forbid`
 * policies included (they are skipped). Tests and tools use it; the gate uses compile-policies.ts, which
 * runs the same closures.
 */
import { compilePolicy, type CompiledPolicy } from "./compile-policy.ts";
import { entityStore, recordValue, type EntityJson, type ValueJson } from "./entity-store.ts";
import type { Entity, Environment } from "./environment.ts";
import { Evaluation, idsInOrder } from "./evaluation.ts";
import { PolicyIndex } from "./policy-index.ts";
import { uidFromJson, type EntityUidJson, type PolicyJson, type SlotName } from "./policy-json.ts";
import type { EntityUid } from "./values.ts";

export interface AuthorizationRequest {
  readonly principal: EntityUidJson;
  readonly action: EntityUidJson;
  readonly resource: EntityUidJson;
  readonly context: Readonly<Record<string, ValueJson>>;
  readonly entities: readonly EntityJson[];
}

export interface AuthorizationAnswer {
  readonly decision: "allow" | "deny";
  /** Ids, in the order of the policies. */
  readonly determining: readonly string[];
  readonly erroring: readonly string[];
}

/** Policies in Cedar's JSON format, by id; templates apply only through their links. */
export interface PolicySetJson {
  readonly policies: ReadonlyMap<string, PolicyJson>;
  readonly templates?: ReadonlyMap<string, PolicyJson>;
  readonly links?: readonly TemplateLink[];
}

export interface TemplateLink {
  readonly template: string;
  /** Id of the policy that the link makes. */
  readonly id: string;
  readonly values: ReadonlyMap<SlotName, EntityUid>;
}

/**
 * Compiles the set once. Throws TypeError for a link to no template or an unfilled slot; `isAuthorized`
 * throws TypeError for entities that are not well formed.
 */
export function createAuthorizer(set: PolicySetJson): {
  isAuthorized(request: AuthorizationRequest): AuthorizationAnswer;
} {
  const index = new PolicyIndex(compileSet(set));
  return {
    isAuthorized(request) {
      const environment = new StoreEnvironment(request);
      const evaluation = new Evaluation();
      const principal = environment.placed(environment.principal);
      evaluation.run(
        index.groups(
          environment.placed(environment.action),
          environment.placed(environment.resource),
        ),
        {
          key: principal.uid.key,
          type: principal.uid.type,
          within: [principal.uid.key, ...principal.ancestors],
        },
        environment,
      );
      const denied = evaluation.forbids.length > 0;
      return {
        decision: !denied && evaluation.permits.length > 0 ? "allow" : "deny",
        determining: idsInOrder(denied ? evaluation.forbids : evaluation.permits),
        erroring: idsInOrder(evaluation.errors),
      };
    },
  };
}

function compileSet({ policies, templates, links = [] }: PolicySetJson): CompiledPolicy[] {
  const compiled: CompiledPolicy[] = [];
  for (const [id, json] of policies) {
    compiled.push(compilePolicy(json, { id, order: compiled.length }));
  }
  for (const link of links) {
    const template = templates?.get(link.template);
    if (template === undefined) throw new TypeError(`no template ${link.template}`);
    compiled.push(
      compilePolicy(template, { id: link.id, order: compiled.length, slots: link.values }),
    );
  }
  return compiled;
}

const NO_ANCESTORS: ReadonlySet<string> = new Set();

class StoreEnvironment implements Environment {
  readonly principal: EntityUid;
  readonly action: EntityUid;
  readonly resource: EntityUid;
  readonly context: Environment["context"];
  readonly #entities: ReadonlyMap<string, Entity>;

  constructor(request: AuthorizationRequest) {
    this.principal = uidFromJson(request.principal);
    this.action = uidFromJson(request.action);
    this.resource = uidFromJson(request.resource);
    this.context = recordValue(request.context);
    this.#entities = entityStore(request.entities);
  }

  entity(uid: EntityUid): Entity | undefined {
    return this.#entities.get(uid.key);
  }

  placed(uid: EntityUid): { uid: EntityUid; ancestors: ReadonlySet<string> } {
    return { uid, ancestors: this.entity(uid)?.ancestors ?? NO_ANCESTORS };
  }
}
