/**
 * JSON Schema (2020-12) compiled to functions. The one file that knows `ajv`.
 *
 * Refuses what is no valid schema. A format that nobody knows says nothing, as the specification has it. A
 * `pattern` is run by the runtime's regular expressions: whoever writes one that takes forever on some text
 * has it run on the texts of callers.
 */
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";

/** Where a value does not fit, and by which keyword. Holds nothing of the value. */
export interface SchemaFault {
  /** JSON Pointer within the value. */
  readonly pointer: string;
  readonly keyword: string;
}

export type SchemaCheck = (value: unknown) => SchemaFault | undefined;

/** Throws TypeError that says what is wrong with the schema. */
export type SchemaCompiler = (text: string) => SchemaCheck;

/** With `trusted`, schemas that were compiled before are not judged again. */
export function createSchemaCompiler({ trusted }: { readonly trusted: boolean }): SchemaCompiler {
  const ajv = new Ajv2020({
    strict: false,
    logger: false,
    messages: false,
    // `required: [toString]` asks for a property of the value's own.
    ownProperties: true,
    addUsedSchema: false,
    validateSchema: !trusted,
    meta: !trusted,
  });
  // A package of CommonJS: its function is the default of its default where it is typed so.
  (formats as unknown as { default: (to: Ajv2020) => void }).default(ajv);
  return (text) => {
    const schema = JSON.parse(text) as object | boolean;
    try {
      const check = ajv.compile(schema);
      return (value) => {
        if (check(value)) return undefined;
        const [first] = check.errors ?? [];
        return { pointer: first?.instancePath ?? "", keyword: first?.keyword ?? "schema" };
      };
    } catch (error) {
      throw new TypeError((error as Error).message, { cause: error });
    }
  };
}
