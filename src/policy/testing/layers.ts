/**
 * What is written in several places and counts as one: what a case says goes before what it is `like`,
 * and that before the file's defaults. Knows of each key where it was written.
 */
import type { Path } from "../../wire/document/place.ts";

export interface Layer<T> {
  readonly value: T;
  readonly path: Path;
}

export interface Layered<T> {
  /** All keys together. */
  readonly value: T;
  /** Where a key stands; the first layer, where it stands in none. */
  readonly pathOf: (key: keyof T & string) => Path;
}

/** The first layer that has a key wins; `path` is the place of the whole. */
export function layered<T extends object>(layers: readonly Layer<T>[], path: Path): Layered<T> {
  const value = Object.assign({}, ...layers.map((one) => one.value).toReversed()) as T;
  return {
    value,
    pathOf(key) {
      const layer = layers.find((one) => Object.hasOwn(one.value, key));
      return layer === undefined ? path : [...layer.path, key];
    },
  };
}
