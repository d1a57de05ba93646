/** Finds the operation of a request that goes to a service: a router over the paths that its description has. */
import { METHODS, operationAction, type VocabularyOperation } from "../../model/vocabulary.ts";
import { createRouter, type RouteMatch } from "../router.ts";

export interface GateOperation {
  /** Id of the action that policies are asked about. */
  readonly action: string;
}

export interface OperationRouter<T extends GateOperation = GateOperation> {
  /** The operations at a canonical path as the service sees it. */
  find(path: string): RouteMatch<T> | undefined;
}

/** Throws TypeError where two operations take the same requests: reading the description comes first. */
export function createOperationRouter<T extends GateOperation>(
  operations: readonly (Pick<VocabularyOperation, "id" | "method" | "path"> & {
    readonly value: T;
  })[],
): OperationRouter<T> {
  const routes = operations.map(({ id, method, path, value }) => ({
    name: id,
    host: undefined,
    path,
    methods: [method],
    value,
  }));
  const router = createRouter(routes, METHODS);
  return { find: (path) => router.find("", path) };
}

export function gateOperation(service: string, id: string): GateOperation {
  return { action: operationAction(service, id) };
}
