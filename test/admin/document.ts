/** The OpenAPI document as tests use it: its operations, and validators of what they take and give. */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { adminOpenApi } from "../../src/admin/operations.ts";
import type { Schema } from "./schema-arbitrary.ts";

export interface DocumentParameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly schema: Schema;
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
  readonly headers?: Readonly<Record<string, unknown>>;
}

export interface DocumentOperation {
  readonly operationId: string;
  readonly parameters?: readonly DocumentParameter[];
  readonly requestBody?: Content & { readonly required?: boolean };
  readonly responses: Readonly<Record<string, Content>>;
}

export interface Place {
  readonly method: string;
  readonly path: string;
  readonly operation: DocumentOperation;
}

export const DOCUMENT = adminOpenApi();

export const PLACES: readonly Place[] = Object.entries(
  DOCUMENT["paths"] as unknown as Record<string, Record<string, DocumentOperation>>,
).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({
    method: method.toUpperCase(),
    path,
    operation,
  })),
);

const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addFormat("date-time", (text: string) =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/.test(text),
);
ajv.addSchema({ $id: "doc", ...DOCUMENT });

const validators = new Map<string, ValidateFunction>();

/** By the document; its references resolve. */
export function validatorOf(schema: Schema): ValidateFunction {
  const key = JSON.stringify(schema).replaceAll("#/components", "doc#/components");
  let validator = validators.get(key);
  if (validator === undefined) {
    validators.set(key, (validator = ajv.compile(JSON.parse(key) as object)));
  }
  return validator;
}

export function bodySchema({ requestBody }: DocumentOperation): Schema | undefined {
  return requestBody?.content?.["application/json"]?.schema;
}

export function parametersOf(
  { parameters = [] }: DocumentOperation,
  where: DocumentParameter["in"],
): readonly DocumentParameter[] {
  return parameters.filter((one) => one.in === where);
}
