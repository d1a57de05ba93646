/** Attributes of principals that are known by an API key: their values stand with the key. */
import { z } from "zod";
import {
  attributeTypeSchema,
  attributeValueSchema,
  declarationsOf,
  fitsItsType,
  UNFIT_DEFAULT,
} from "./claims/attribute-declarations.ts";

const declarationSchema = z
  .strictObject({
    type: attributeTypeSchema,
    default: attributeValueSchema
      .optional()
      .describe("Of keys that have none. Without it no key is made that has none."),
  })
  .refine(fitsItsType, UNFIT_DEFAULT)
  .readonly();

export const apiKeyAttributesSchema = declarationsOf(declarationSchema);
