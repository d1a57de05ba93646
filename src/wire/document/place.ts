/** Where each value and key of a document was written, so that a problem can name line and column. */
export interface Place {
  /** Offset of the value in the text. */
  readonly value: number;
  /** Offset of the key in front of it; absent for list items and the document. */
  readonly key: number | undefined;
  /** By key, or by index as text. */
  readonly children: ReadonlyMap<string, Place> | undefined;
}

export type Path = readonly (string | number)[];

/** One text for a path, for use as a key. */
export function pathKey(path: Path): string {
  return JSON.stringify(path);
}

/** Offset of what stands at `path`: of its key where it has one; of the closest parent where it is absent. */
export function locate(root: Place, path: Path): number {
  let place = root;
  for (const step of path) {
    const child = place.children?.get(String(step));
    if (child === undefined) break;
    place = child;
  }
  return place.key ?? place.value;
}

/** 1-based line and column (in UTF-16 code units) of each offset of a text. */
export function lineIndex(text: string): (offset: number) => { line: number; column: number } {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  };
}
