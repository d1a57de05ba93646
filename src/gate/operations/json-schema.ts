/**
 * JSON Schema (2020-12) compiled to functions. The one file that knows `ajv`.
 *
 * Refuses what is no valid schema, and values whose check would take long (schema-work.ts). A format that nobody knows says nothing, as the specification has it. A
 * `pattern` is run by the runtime's regular expressions: whoever writes one that takes forever on some text
 * has it run on the texts of callers.
 */
import { createRequire } from "node:module";
import type { Ajv2020 } from "ajv/dist/2020.js";
import { beyond, workBounds } from "./schema-work.ts";

const LIMITS = {
  /** Arrays and objects around a value, as for bodies that are changed. */
  depth: 64,
} as const;

/** Where a value does not fit, and by which keyword, or `too-deep` and the like. Holds nothing of the value. */
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
  const { Ajv, addFormats } = loadAjv();
  const ajv = new Ajv({
    strict: false,
    logger: false,
    messages: false,
    // `required: [toString]` asks for a property of the value's own.
    ownProperties: true,
    addUsedSchema: false,
    validateSchema: !trusted,
    meta: !trusted,
  });
  addFormats(ajv);
  // Its expression takes the square of the text's length, and the name is none of the specification's.
  ajv.addFormat("url", true);
  return (text) => {
    const schema = JSON.parse(text) as object | boolean;
    try {
      const check = ajv.compile(schema);
      const bounds = workBounds(schema, LIMITS.depth);
      return (value) => {
        const keyword = beyond(value, bounds);
        if (keyword !== undefined) return { pointer: "", keyword };
        if (check(value)) return undefined;
        const [first] = check.errors ?? [];
        return { pointer: first?.instancePath ?? "", keyword: first?.keyword ?? "schema" };
      };
    } catch (error) {
      throw new TypeError((error as Error).message, { cause: error });
    }
  };
}

/** Both are CommonJS, of 100 files, and loaded only by a process that has a schema. */
function loadAjv(): { readonly Ajv: typeof Ajv2020; readonly addFormats: (to: Ajv2020) => void } {
  const load = createRequire(import.meta.url);
  const ajv = load("ajv/dist/2020.js") as { readonly Ajv2020: typeof Ajv2020 };
  const formats = load("ajv-formats") as { readonly default: (to: Ajv2020) => void };
  return { Ajv: ajv.Ajv2020, addFormats: formats.default };
}
