/** What a service's description (OpenAPI, gRPC) says, as plain data that can go to another thread. */
import type { VocabularyOperation } from "../../model/vocabulary.ts";

export interface ServiceDescription {
  readonly operations: readonly VocabularyOperation[];
}

export const DESCRIPTION_LIMITS = {
  /** Of one service; each is an action of the schema. */
  operations: 5000,
  /** Tags and groups of one operation. */
  groups: 32,
  /** Parameters of one operation. */
  parameters: 100,
} as const;

/**
 * Ids stand in policies, records and metrics between quotation marks: visible ASCII without quotation marks
 * and backslashes, which Cedar would escape.
 */
const ID = /^[!#-[\]-~]{1,128}$/;
/** Groups may have spaces within. */
const GROUP = /^[!#-[\]-~](?:[ !#-[\]-~]{0,126}[!#-[\]-~])?$/;

export const ID_REMEDY =
  "1 to 128 visible ASCII characters without quotation marks and backslashes";

export function isOperationId(text: string): boolean {
  return ID.test(text);
}

export function isGroupName(text: string): boolean {
  return GROUP.test(text);
}
