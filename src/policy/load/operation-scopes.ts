/**
 * Scopes that match nothing because a service has operations. There, a request's action is the
 * operation and never the method itself, so `action == Action::"GET"` would be a rule that never applies,
 * and so would an operation of one service on the routes of another.
 */
import {
  METHODS,
  operationAction,
  type Vocabulary,
  type VocabularyService,
} from "../../model/vocabulary.ts";
import { uidFromJson, type PolicyJson, type ScopeJson } from "../cedar/policy-json.ts";

export interface ScopeFault {
  readonly message: string;
  readonly remedy: string;
}

/** Compiles the vocabulary once; the answer is asked about each policy. */
export function createScopeCheck(
  vocabulary: Vocabulary,
): (json: PolicyJson) => ScopeFault | undefined {
  const services = new Map(vocabulary.services.map((service) => [service.name, service]));
  const ofRoute = new Map(vocabulary.routes.map(({ name, service }) => [name, service]));
  const described = vocabulary.services.some(({ operations }) => operations !== undefined);
  if (!described) return () => undefined;
  return ({ action, resource }) => {
    const named = namedBy(action);
    if (action.op !== "==" || named === undefined) return undefined;
    const service = services.get(serviceOf(resource, ofRoute) ?? "");
    if (service === undefined) return undefined;
    return METHODS.includes(named.id)
      ? methodFault(named.id, service)
      : foreignFault(named.id, service, vocabulary);
  };
}

function methodFault(
  method: string,
  { name, operations }: VocabularyService,
): ScopeFault | undefined {
  if (operations === undefined) return undefined;
  return {
    message: `the service '${name}' has operations, so action == "${method}" never matches there`,
    remedy: `action in Sallyport::Action::"${method}": its operations are in their method`,
  };
}

function foreignFault(
  id: string,
  { name }: VocabularyService,
  { services }: Vocabulary,
): ScopeFault | undefined {
  const owner = services.find((service) =>
    service.operations?.some((operation) => operationAction(service.name, operation.id) === id),
  );
  if (owner === undefined || owner.name === name) return undefined;
  return {
    message: `"${id}" is an operation of the service '${owner.name}', and the resource is of '${name}'`,
    remedy: `resource in Sallyport::Service::"${owner.name}", or an operation of '${name}'`,
  };
}

/** The service that the resource scope keeps to; undefined where it keeps to none. */
function serviceOf(
  resource: ScopeJson,
  ofRoute: ReadonlyMap<string, string | undefined>,
): string | undefined {
  const named = namedBy(resource);
  if (named?.type.endsWith("::Service") === true) return named.id;
  return named?.type.endsWith("::Route") === true ? ofRoute.get(named.id) : undefined;
}

function namedBy(scope: ScopeJson): { readonly type: string; readonly id: string } | undefined {
  const entity =
    scope.op === "is" ? scope.in?.entity : scope.op === "All" ? undefined : scope.entity;
  return entity === undefined ? undefined : uidFromJson(entity);
}
