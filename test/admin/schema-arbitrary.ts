/** Values that a JSON Schema of our document takes, and values beside it. */
import * as fc from "fast-check";

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minItems?: number;
  readonly additionalProperties?: boolean | Schema;
  readonly propertyNames?: Schema;
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
}

type Components = Readonly<Record<string, Schema>>;

/** Throws TypeError for what it does not know: a generator that skips a keyword tests less than it says. */
export function valueOf(schema: Schema, components: Components): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) {
    const found = components[schema.$ref.replace("#/components/schemas/", "")];
    if (found === undefined) throw new TypeError(schema.$ref);
    return valueOf(found, components);
  }
  const parts = schema.anyOf ?? schema.oneOf;
  if (parts !== undefined) return fc.oneof(...parts.map((part) => valueOf(part, components)));
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.type === "string") return textOf(schema);
  if (schema.type === "boolean") return fc.boolean();
  if (schema.type === "object") {
    const { additionalProperties: more, propertyNames = {} } = schema;
    if (typeof more !== "object" || schema.properties !== undefined) {
      return objectOf(schema, components);
    }
    return fc.dictionary(textOf(propertyNames), valueOf(more, components), { maxKeys: 3 });
  }
  if (schema.type === "array" && schema.items !== undefined) {
    const lengths = { minLength: schema.minItems ?? 0, maxLength: 3 };
    return fc.array(valueOf(schema.items, components), lengths);
  }
  if (schema.type === "integer") {
    return fc.integer({ min: schema.minimum ?? 0, max: schema.maximum ?? 1000 });
  }
  // Anything at all.
  if (Object.keys(schema).length === 0) return junk;
  throw new TypeError(`a schema of type ${String(schema.type)}`);
}

function objectOf(
  { properties = {}, required = [] }: Schema,
  components: Components,
): fc.Arbitrary<unknown> {
  const members = Object.entries(properties).map(([name, schema]) => [
    name,
    valueOf(schema, components),
  ]);
  return fc.record(Object.fromEntries(members) as Record<string, fc.Arbitrary<unknown>>, {
    requiredKeys: [...required],
    noNullPrototype: true,
  });
}

function textOf({ pattern, format, minLength = 0, maxLength = 20 }: Schema): fc.Arbitrary<string> {
  if (format === "date-time") {
    // Mostly later than now: what has passed is refused for its meaning.
    const far = 864_000_000;
    return fc
      .oneof(
        { arbitrary: fc.integer({ min: 60_000, max: far }), weight: 5 },
        { arbitrary: fc.integer({ min: -far, max: 0 }), weight: 1 },
      )
      .map((ms) => new Date(Date.now() + ms).toISOString());
  }
  if (pattern === undefined) {
    const most = { minLength, maxLength: Math.min(maxLength, 20) };
    return fc
      .oneof(
        { arbitrary: fc.string(most), weight: 3 },
        { arbitrary: fc.string({ unit: "binary", ...most }), weight: 1 },
      )
      .filter((text) => text.length >= minLength);
  }
  // Looking ahead is more than the generator of texts knows.
  if (pattern.includes("(?=")) return fc.constantFrom("edge-1", "billing.eu", "a", "a-1.b-2");
  return fc.stringMatching(new RegExp(pattern));
}

/** What somebody may write in its place. */
export const junk: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, -1, 1.5, "", "x", "__proto__", [], {}, [[]], "\u0000"),
  fc.jsonValue({ maxDepth: 2 }),
);

/** One place within it is dropped, doubled under another name, or replaced by junk. */
export function bent(value: unknown): fc.Arbitrary<unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return junk;
  const members = Object.entries(value);
  const more = fc
    .tuple(fc.constantFrom("extra", "constructor", "by", "number"), junk)
    .map(([name, other]): unknown => ({ ...value, [name]: other }));
  if (members.length === 0) return fc.oneof(junk, more);
  const within = fc.constantFrom(...members).chain(([name, member]) =>
    fc.oneof(
      fc.constant(Object.fromEntries(members.filter(([other]) => other !== name))),
      bent(member).map((other): unknown => ({ ...value, [name]: other })),
    ),
  );
  return fc.oneof(within, within, more, junk);
}
