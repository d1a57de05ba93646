/**
 * A schema of an OpenAPI document by itself: as JSON Schema 2020-12, with all that it refers to. What only
 * describes (titles, examples) is left out; what OpenAPI 3.0 writes in its own way (`nullable`, exclusive
 * bounds as booleans) is written as JSON Schema has it. Properties that are `readOnly` need not be in a request.
 *
 * Refuses references out of the document, and `$id` and its like, by which a reference could mean something
 * else than it says.
 */
import { isMapping } from "../../wire/document/written.ts";
import { type OpenApiDocument, type Part, pointerOf } from "./openapi-document.ts";

type Mapping = Readonly<Record<string, unknown>>;

/** A schema that stands by itself, as JSON text. */
export function standaloneSchema(document: OpenApiDocument, part: Part): string {
  const writer = new Writer(document);
  const schema = writer.schema(part);
  const definitions = writer.definitions();
  return JSON.stringify(isMapping(schema) ? { ...schema, ...definitions } : schema);
}

/** How the value of a keyword is made of schemas. */
const ONE = [
  "not",
  "additionalProperties",
  "items",
  "contains",
  "propertyNames",
  "if",
  "then",
  "else",
  "unevaluatedProperties",
  "unevaluatedItems",
] as const;
const LISTS = ["allOf", "anyOf", "oneOf", "prefixItems"] as const;
const NAMED = ["properties", "patternProperties", "dependentSchemas"] as const;
/** Taken as they are. */
const PLAIN = [
  "type",
  "enum",
  "const",
  "multipleOf",
  "maximum",
  "exclusiveMaximum",
  "minimum",
  "exclusiveMinimum",
  "maxLength",
  "minLength",
  "pattern",
  "format",
  "maxItems",
  "minItems",
  "uniqueItems",
  "maxContains",
  "minContains",
  "maxProperties",
  "minProperties",
  "required",
  "dependentRequired",
] as const;
const REFUSED = ["$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef"] as const;

class Writer {
  readonly #document: OpenApiDocument;
  /** Pointer of what is referred to → its name, and the schema once it is written. */
  readonly #defined = new Map<string, { readonly name: string; schema: unknown }>();

  constructor(document: OpenApiDocument) {
    this.#document = document;
  }

  definitions(): Mapping {
    if (this.#defined.size === 0) return {};
    const schemas = [...this.#defined.values()].map(({ name, schema }) => [name, schema]);
    return { $defs: Object.fromEntries(schemas) as unknown };
  }

  schema({ value, path }: Part): unknown {
    if (typeof value === "boolean") return value;
    if (!isMapping(value)) {
      this.#document.report(path, "here stands no schema");
      return true;
    }
    for (const key of REFUSED) {
      if (value[key] !== undefined) {
        this.#document.report([...path, key], `"${key}" is not read in schemas`, "a plain $ref");
      }
    }
    const written: Record<string, unknown> = {};
    if (value["$ref"] !== undefined) written["$ref"] = this.#reference({ value, path });
    for (const key of PLAIN) if (value[key] !== undefined) written[key] = value[key];
    for (const key of ONE) {
      if (value[key] !== undefined) {
        written[key] = this.schema({ value: value[key], path: [...path, key] });
      }
    }
    for (const key of LISTS) {
      const list = value[key];
      if (Array.isArray(list)) {
        written[key] = list.map((one, index) =>
          this.schema({ value: one as unknown, path: [...path, key, index] }),
        );
      }
    }
    for (const key of NAMED) {
      const named = value[key];
      if (!isMapping(named)) continue;
      const entries = Object.entries(named).map(([name, one]) => [
        name,
        this.schema({ value: one, path: [...path, key, name] }),
      ]);
      written[key] = Object.fromEntries(entries) as unknown;
    }
    this.#requireWhatIsSent(value, written, path);
    return asJsonSchema(value, written);
  }

  #reference({ value, path }: Part & { readonly value: Mapping }): string {
    const reference = value["$ref"];
    const pointer = typeof reference === "string" ? pointerOf(reference) : undefined;
    const target = this.#document.follow({ value: { $ref: reference }, path });
    if (pointer === undefined || target === undefined) return "#";
    const key = JSON.stringify(pointer);
    let defined = this.#defined.get(key);
    if (defined === undefined) {
      // Known before it is written: schemas may refer to themselves.
      defined = { name: `s${this.#defined.size}`, schema: true };
      this.#defined.set(key, defined);
      defined.schema = this.schema(target);
    }
    return `#/$defs/${defined.name}`;
  }

  #requireWhatIsSent(value: Mapping, written: Record<string, unknown>, path: Part["path"]): void {
    const { required, properties } = value;
    if (!Array.isArray(required) || !isMapping(properties)) return;
    written["required"] = (required as unknown[]).filter((name) => {
      if (typeof name !== "string" || !Object.hasOwn(properties, name)) return true;
      const property = properties[name];
      if (isMapping(property) && property["readOnly"] === true) return false;
      const found = this.#document.follow({ value: property, path: [...path, "properties", name] });
      return !(isMapping(found?.value) && found.value["readOnly"] === true);
    });
  }
}

/** What OpenAPI 3.0 took from an earlier draft; a document of 3.1 has nothing of it. */
function asJsonSchema(value: Mapping, written: Record<string, unknown>): unknown {
  for (const [bound, exclusive] of [
    ["maximum", "exclusiveMaximum"],
    ["minimum", "exclusiveMinimum"],
  ] as const) {
    if (typeof written[exclusive] !== "boolean") continue;
    if (written[exclusive]) {
      written[exclusive] = written[bound];
      delete written[bound];
    } else delete written[exclusive];
  }
  return value["nullable"] === true ? { anyOf: [{ type: "null" }, written] } : written;
}
