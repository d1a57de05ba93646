/** docs/sallyport.schema.json: what editors complete and underline in `sallyport.yaml`. */
import { z } from "zod";
import { definitionOf } from "../../src/wire/document/schema-walk.ts";
import { configSchema, ownSchema } from "../../src/config/schema.ts";

/**
 * JSON Schema draft 7, which editors' YAML support knows best. Required is what every file needs: to a
 * proxy that follows a feed the rest comes from there. `sallyport check` says what else is missing.
 */
export function editorSchema(): Readonly<Record<string, unknown>> {
  const { $schema, ...schema } = z.toJSONSchema(configSchema, {
    target: "draft-7",
    io: "input",
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      if (definitionOf(zodSchema).type === "bigint") jsonSchema.type = "integer";
      // The limits of JavaScript's integers are nobody's business who writes a file.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      // zod's readonly() is about our types; to an editor it would mean "do not write this".
      delete jsonSchema.readOnly;
      // Wrappers show the same object again.
      if (jsonSchema.pattern?.endsWith(EXPRESSION) === false) {
        jsonSchema.pattern = `(?:${jsonSchema.pattern})|${EXPRESSION}`;
      }
    },
  });
  const required = schema.required?.filter((key) => key in ownSchema.shape);
  return { $schema, title: "sallyport.yaml", ...schema, required };
}

/** A text may come from outside; what it then holds is judged at load. */
const EXPRESSION = String.raw`\$\{(?:env|file):`;
