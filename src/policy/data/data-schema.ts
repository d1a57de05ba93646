/** The shape of a data file: who is in what, what is known of whom, and links of templates. */
import { z } from "zod";
import { attributesSchema } from "../../model/options.ts";

const reference = z.string('an entity, such as User::"corp/alice"').min(1).max(1024);
const references = z
  .array(reference, 'a list of entities, such as [User::"corp/alice"]')
  .readonly();
const name = z.string().min(1).max(256);

const membersSchema = z.union(
  [
    references,
    z
      .strictObject({
        /** Who is in it. */
        members: references.prefault([]),
        /** Roles and groups that it is in itself. */
        in: references.prefault([]),
      })
      .readonly(),
  ],
  "a list of members, or a mapping of members and in",
);

const entitySchema = z
  .strictObject({
    attributes: attributesSchema.prefault({}),
    in: references.prefault([]),
  })
  .readonly();

const linkSchema = z
  .strictObject({
    /** The `@id` of a template. */
    template: name,
    /** Of the policy that it makes. */
    id: z.string().min(1),
    principal: reference.optional(),
    resource: reference.optional(),
  })
  .readonly();

export const dataSchema = z
  .strictObject({
    /** Role → who has it. */
    roles: z.record(name, membersSchema).readonly().prefault({}),
    /** Group → who is in it. */
    groups: z.record(name, membersSchema).readonly().prefault({}),
    /** Principal → its attributes, and what it is in. */
    entities: z.record(reference, entitySchema).readonly().prefault({}),
    links: z.array(linkSchema).readonly().prefault([]),
  })
  .readonly();

export type DataContent = z.output<typeof dataSchema>;
export type Members = DataContent["roles"][string];
export type LinkContent = DataContent["links"][number];

const uidSchema = z.union(
  [
    z.strictObject({ type: name, id: z.string().max(1024) }),
    z.strictObject({ __entity: z.strictObject({ type: name, id: z.string().max(1024) }) }),
  ],
  'an entity as { "type": "User", "id": "corp/alice" }',
);

/** Cedar's own format of entities, as far as ours have what it can say. */
export const cedarEntitiesSchema = z
  .array(
    z
      .strictObject({
        uid: uidSchema,
        attrs: attributesSchema.prefault({}),
        parents: z.array(uidSchema).readonly().prefault([]),
        tags: z.strictObject({}, "nothing: principals have no tags").optional(),
      })
      .readonly(),
  )
  .readonly();

export type CedarEntities = z.output<typeof cedarEntitiesSchema>;
