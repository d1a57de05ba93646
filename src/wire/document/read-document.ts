/**
 * A YAML file (JSON is YAML too) held against a schema: its value, and where each part of it stands, so
 * that whatever is found wrong with it later has a place as well.
 *
 * Refuses what is no YAML in one reading only (yaml.ts), and what the schema does not take: unknown keys,
 * with the one that was probably meant.
 */
import type { z } from "zod";
import type { Problem } from "../../model/errors.ts";
import { check } from "./issues.ts";
import { lineIndex, locate, type Path } from "./place.ts";
import { parseYaml } from "./yaml.ts";

export interface DocumentFile {
  /** As the user named it. */
  readonly name: string;
  readonly text: string;
}

export interface DocumentKind {
  /** As problems call the whole of it: `the test file`. */
  readonly whole: string;
  /** What an empty one is told to begin with. */
  readonly begin: string;
}

/** Where a value of the document was written: of its key, where it has one. */
export type PlaceOf = (path: Path) => Pick<Problem, "file" | "line" | "column">;

export type DocumentRead<T> =
  | { readonly value: T; readonly placeOf: PlaceOf; readonly problems?: undefined }
  | { readonly problems: readonly Problem[] };

/** Never throws for what the text holds. */
export function readDocument<T extends z.ZodType>(
  { name, text }: DocumentFile,
  schema: T,
  { whole, begin }: DocumentKind,
): DocumentRead<z.output<T>> {
  const document = parseYaml(text, { begin });
  const at = lineIndex(text);
  if (document.problems.length > 0) {
    const problems = document.problems.map(({ offset, ...said }) => ({
      file: name,
      ...at(offset),
      ...said,
    }));
    return { problems };
  }
  const placeOf: PlaceOf = (path) => ({ file: name, ...at(locate(document.place, path)) });
  const context = { base: [], value: document.value, written: NOTHING_EXPANDED, whole };
  const found = check(schema, context);
  if ("output" in found) return { value: found.output, placeOf };
  const problems = found.problems.map(({ path, message, remedy }) => ({
    ...placeOf(path),
    message,
    ...(remedy === undefined ? {} : { remedy }),
  }));
  return { problems };
}

const NOTHING_EXPANDED: ReadonlyMap<string, string> = new Map();
