/**
 * Whether the body of a message can be read as JSON by its head: in one reading only, and without a coding
 * over it that would have to be taken off first. For whoever changes bodies or decides by them.
 */
import type { Fields } from "../model/http.ts";
import { getAllFields } from "./fields.ts";
import { isIdentityCoded, isJsonType } from "./media-type.ts";

/** Why not, for the operator; undefined where it can. */
export function jsonBodyFault(fields: Fields): string | undefined {
  return isJsonType(getAllFields(fields, "content-type")) ? codedFault(fields) : NOT_JSON;
}

/** Of a body that is JSON by its type: why it cannot be looked into. */
function codedFault(fields: Fields): string | undefined {
  if (!isIdentityCoded(getAllFields(fields, "content-encoding"))) {
    return "a body with a content coding";
  }
  return getAllFields(fields, "content-range").length > 0 ? "a part of a body" : undefined;
}

export const NOT_JSON = "a body that is not JSON in UTF-8 by its type";
