/**
 * Reads what a configuration is made of: its file, and for a proxy that follows a feed the bundle that
 * came over it. Knows where each value was written, so that a problem can name the place.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { ConfigError, type Problem, SallyportError } from "../model/errors.ts";
import { composed, followsFeed, isPublished, misplacedKeys, ownParts } from "./compose.ts";
import { isSidecarOnly, withoutRoutes } from "./sidecar.ts";
import { lineIndex, locate, type Path } from "../wire/document/place.ts";
import { readUnpacked, type UnpackedBundle } from "./unpack-bundle.ts";
import { pathText } from "../wire/document/written.ts";
import { parseYaml } from "../wire/document/yaml.ts";

const LIMITS = {
  /** Bytes of the file: 30 000 routes. */
  file: 16 * 1024 * 1024,
} as const;

/** Where a problem is. */
export type ProblemPlace = Pick<Problem, "file" | "line" | "column">;

export interface ConfigSource {
  /** Absolute path of the file. */
  readonly path: string;
  /** What paths in it are relative to. */
  readonly folder: string;
  readonly text: string;
  /** The document before anything is expanded in it: the bundle's parts are in their places. */
  readonly written: unknown;
  readonly bundle: UnpackedBundle | undefined;
  /** It is a follower's file without a bundle: all that is known is what it says itself. */
  readonly ownOnly: boolean;
  /** It is only a sidecar's: there are no routes, no services and no policies. */
  readonly sidecar: boolean;
  /** Keys of a follower's file that have no place there, where they were written. */
  readonly misplaced: readonly Problem[];
  readonly place: (path: Path) => ProblemPlace;
}

/** Problems are those of the YAML. Throws ConfigError where the file or the bundle cannot be read. */
export function readSource(
  file: string,
  given: { readonly bundle?: string | undefined; readonly text?: string | undefined },
): ConfigSource | { readonly problems: readonly Problem[] } {
  const path = resolve(file);
  const text = given.text ?? readText(path, file);
  const document = parseYaml(text);
  const at = lineIndex(text);
  if (document.problems.length > 0) {
    return {
      problems: document.problems.map(({ offset, ...said }) => ({ file, ...at(offset), ...said })),
    };
  }
  const { value } = document;
  const follows = followsFeed(value);
  const sidecar = isSidecarOnly(value);
  const whole = sidecar ? withoutRoutes(value as object) : value;
  const bundle = follows && given.bundle !== undefined ? readBundle(given.bundle, file) : undefined;
  return {
    path,
    folder: dirname(path),
    text,
    written: bundle !== undefined ? composed(value, bundle) : follows ? ownParts(value) : whole,
    bundle,
    sidecar,
    ownOnly: follows && bundle === undefined,
    misplaced: (follows ? misplacedKeys(value) : []).map(({ path: where, ...said }) => ({
      file,
      ...at(locate(document.place, where)),
      ...said,
    })),
    // A bundle has no lines; its parts have names.
    place: (where) =>
      bundle !== undefined && isPublished(where)
        ? { file: `bundle ${bundle.hash}: ${pathText(where)}` }
        : { file, ...at(locate(document.place, where)) },
  };
}

/** Whether the file is that of a follower; false for one that is no YAML. Throws ConfigError. */
export function isFollowersFile(file: string): boolean {
  const document = parseYaml(readText(resolve(file), file));
  return document.problems.length === 0 && followsFeed(document.value);
}

function readText(path: string, named: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unreadable";
    const message = `the configuration cannot be read (${code})`;
    const remedy = "name one with -c, or write one with sallyport init";
    throw new ConfigError([{ file: named, message, remedy }], { cause: error });
  }
  if (bytes.length > LIMITS.file) {
    throw new ConfigError([{ file: named, message: `it is larger than ${LIMITS.file} bytes` }]);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new ConfigError([{ file: named, message: "it is not UTF-8" }], { cause: error });
  }
}

function readBundle(folder: string, file: string): UnpackedBundle {
  try {
    return readUnpacked(folder);
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
    const remedy = "remove that folder; the bundle is then fetched again";
    throw new ConfigError([{ file, message: error.message, remedy }], { cause: error });
  }
}
