/** What a service's description (OpenAPI, gRPC) says, as plain data that can go to another thread. */
import type { VocabularyOperation } from "../../model/vocabulary.ts";

export interface ServiceDescription {
  readonly operations: readonly VocabularyOperation[];
  /** By id of the operation; left out where no route holds requests against the description. */
  readonly rules?: Readonly<Record<string, OperationRules>> | undefined;
}

/** How far requests are held against the description. */
export const VALIDATIONS = ["none", "parameters", "full"] as const;
export type Validation = (typeof VALIDATIONS)[number];

export interface OperationRules {
  readonly parameters: readonly ParameterRule[];
  /** Undefined where bodies are not looked at. */
  readonly body: BodyRule | undefined;
}

/** What a text is to be read as before its schema sees it. */
export type TextType = "string" | "integer" | "number" | "boolean" | "json";

export interface ParameterRule {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  /** Of the path as the service sees it, counted from 0. */
  readonly segment: number | undefined;
  /** Of the value, or of each item of a list. */
  readonly as: TextType;
  readonly list: boolean;
  /** Between the items of a list; undefined: each is a parameter of the same name. */
  readonly delimiter: string | undefined;
  /** JSON Schema as text; undefined: any value. */
  readonly schema: string | undefined;
}

export interface BodyRule {
  readonly required: boolean;
  /** Lower-case media types or ranges; with a schema where they are JSON. */
  readonly contents: readonly { readonly type: string; readonly schema?: string | undefined }[];
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
