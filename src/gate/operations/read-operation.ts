import type { VocabularyOperation } from "../../model/vocabulary.ts";
import type { Part } from "./openapi-document.ts";
import type { ReadParameter } from "./openapi-parameters.ts";

/** One operation of an OpenAPI document, and where it stands. */
export interface ReadOperation {
  readonly words: VocabularyOperation;
  readonly parameters: readonly ReadParameter[];
  readonly part: Part & { readonly value: Readonly<Record<string, unknown>> };
}
