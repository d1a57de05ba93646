/**
 * One data file: its value, held against the schema, and the place of each part of it. Runs in the
 * thread of the policies: files of data may have megabytes.
 *
 * A `.json` file is read as JSON and not as YAML, six times as fast (bench/entities.ts); one that is a list is in Cedar's
 * own format of entities. Refuses what can be read in two ways, what the schema does not take, and a
 * file that says nothing.
 */
import type { Problem } from "../../model/errors.ts";
import { parseJson } from "../../model/json.ts";
import { check } from "../../wire/document/issues.ts";
import { locateJson } from "../../wire/document/json-place.ts";
import { lineIndex, locate, type Path } from "../../wire/document/place.ts";
import { parseYaml } from "../../wire/document/yaml.ts";
import type { PolicyFile } from "../policy-source.ts";
import {
  type CedarEntities,
  cedarEntitiesSchema,
  type DataContent,
  dataSchema,
} from "./data-schema.ts";

const LIMITS = {
  /** Values of one YAML file: some 400 000 entities. */
  nodes: 4_000_000,
  /** Levels of nesting; ours has five. */
  depth: 16,
} as const;

/** Where a part of a file was written: of its key, where it has one. */
export type PlaceOf = (path: Path) => Pick<Problem, "file" | "line" | "column">;

export type DataDocument = { readonly placeOf: PlaceOf } & (
  | { readonly content: DataContent; readonly cedar?: undefined }
  | { readonly cedar: CedarEntities; readonly content?: undefined }
);

export type DataRead =
  | { readonly document: DataDocument; readonly problems?: undefined }
  | { readonly problems: readonly Problem[]; readonly document?: undefined };

/** Never throws for what the text holds. */
export function readDataFile(file: PolicyFile): DataRead {
  const parsed = file.name.endsWith(".json") ? parseJsonFile(file) : parseYamlFile(file);
  if ("problems" in parsed) return parsed;
  const { value, placeOf } = parsed;
  const context = { base: [], value, written: NOTHING_EXPANDED, whole: "the data file" };
  const isList = file.name.endsWith(".json") && Array.isArray(value);
  const found = isList ? check(cedarEntitiesSchema, context) : check(dataSchema, context);
  if (!("output" in found)) {
    const problems = found.problems.map(({ path, message, remedy }) => ({
      ...placeOf(path),
      message,
      ...(remedy === undefined ? {} : { remedy }),
    }));
    return { problems };
  }
  if (Object.keys(value as object).length === 0) {
    return { problems: [{ ...placeOf([]), message: "the data file says nothing", remedy: BEGIN }] };
  }
  return isList
    ? { document: { cedar: found.output as CedarEntities, placeOf } }
    : { document: { content: found.output as DataContent, placeOf } };
}

const NOTHING_EXPANDED: ReadonlyMap<string, string> = new Map();
const BEGIN = "roles:, groups:, entities: or links:";

type Parsed =
  | { readonly value: unknown; readonly placeOf: PlaceOf }
  | { readonly problems: readonly Problem[] };

function parseYamlFile({ name, text }: PolicyFile): Parsed {
  const { value, place, problems } = parseYaml(text, { begin: BEGIN, nodes: LIMITS.nodes });
  const at = lineIndex(text);
  if (problems.length > 0) {
    return {
      problems: problems.map(({ offset, ...said }) => ({ file: name, ...at(offset), ...said })),
    };
  }
  return { value, placeOf: (path) => ({ file: name, ...at(locate(place, path)) }) };
}

function parseJsonFile({ name, text }: PolicyFile): Parsed {
  const at = lineIndex(text);
  try {
    const value = parseJson(text, { maxDepth: LIMITS.depth });
    return { value, placeOf: (path) => ({ file: name, ...at(locateJson(text, path)) }) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const [, message = error.message, offset] = FAULT.exec(error.message) ?? [];
    return { problems: [{ file: name, ...at(Number(offset ?? 0)), message }] };
  }
}

/** What the reader of JSON says: a rule, and where it was broken. */
const FAULT = /^(.*) \(at character (\d+)\)$/;
