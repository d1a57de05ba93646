/** The operations of services as Cedar actions: their ids, what they are in, and the shape of their context. */
import {
  operationAction,
  operationGroup,
  type Vocabulary,
  type VocabularyOperation,
} from "../model/vocabulary.ts";
import { ACTIONS } from "./cedar-names.ts";

export interface OperationAction {
  readonly id: string;
  readonly service: string;
  readonly operation: VocabularyOperation;
  /** Ids of its method and of its groups: what it is directly in. */
  readonly parents: readonly string[];
  /** Ids of all that it is in, also through its method. */
  readonly ancestors: readonly string[];
}

export function operationActions({ services }: Vocabulary): readonly OperationAction[] {
  return services.flatMap(({ name, operations = [] }) =>
    operations.map((operation): OperationAction => {
      const groups = operation.groups.map((group) => operationGroup(name, group));
      const parents = [operation.method, ...groups];
      const above = GROUP_OF.get(operation.method);
      return {
        id: operationAction(name, operation.id),
        service: name,
        operation,
        parents,
        ancestors: above === undefined ? parents : [...parents, above],
      };
    }),
  );
}

/** Ids of all groups of operations, each once. */
export function operationGroups({ services }: Vocabulary): readonly string[] {
  const ids = services.flatMap(({ name, operations = [] }) =>
    operations.flatMap(({ groups }) => groups.map((group) => operationGroup(name, group))),
  );
  return [...new Set(ids)];
}

/** Two operations with the same key have contexts of the same type. */
export function contextShape({ parameters }: VocabularyOperation): string {
  const typed = parameters.map(({ name, type, required }) => [name, type, required]);
  return JSON.stringify(typed.toSorted(([a = ""], [b = ""]) => (a < b ? -1 : 1)));
}

const GROUP_OF: ReadonlyMap<string, string> = new Map(ACTIONS.map(({ id, group }) => [id, group]));
