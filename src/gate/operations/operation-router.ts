/** Finds the operation of a request that goes to a service: a router over the paths that its description has. */
import { METHODS, operationAction, type VocabularyOperation } from "../../model/vocabulary.ts";
import { createRouter, type RouteMatch } from "../router.ts";
import type { OperationChecks } from "./operation-checks.ts";

export interface GateOperation {
  /** Id of the action that policies are asked about. */
  readonly action: string;
  /** Undefined where no route holds requests against the description. */
  readonly checks?: OperationChecks | undefined;
}

export interface OperationRouter {
  /** The operations at a canonical path as the service sees it. */
  find(path: string): RouteMatch<GateOperation> | undefined;
}

/** Throws TypeError where two operations take the same requests: reading the description comes first. */
export function createOperationRouter(
  service: string,
  operations: readonly (Pick<VocabularyOperation, "id" | "method" | "path"> &
    Pick<GateOperation, "checks">)[],
): OperationRouter {
  const routes = operations.map(({ id, method, path, checks }) => ({
    name: id,
    host: undefined,
    path,
    methods: [method],
    value: { action: operationAction(service, id), checks },
  }));
  const router = createRouter<GateOperation>(routes, METHODS);
  return { find: (path) => router.find("", path) };
}
