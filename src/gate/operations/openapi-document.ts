/**
 * An OpenAPI document as its reader walks it: where each part stands, what local references lead to, and
 * what is found wrong on the way.
 *
 * Refuses references to other documents, references that lead nowhere, and ones that lead in a circle.
 */
import type { Path } from "../../wire/document/place.ts";
import { isMapping, valueAt } from "../../wire/document/written.ts";

export interface DocumentFault {
  readonly path: Path;
  readonly message: string;
  readonly remedy?: string | undefined;
}

/** A value and where it stands. */
export interface Part {
  readonly value: unknown;
  readonly path: Path;
}

const LIMITS = {
  /** References that lead to one another. */
  references: 32,
  /** Faults that are said of one document; a wrong file would have one for each line. */
  faults: 100,
} as const;

export class OpenApiDocument {
  readonly root: unknown;
  readonly faults: DocumentFault[] = [];

  constructor(root: unknown) {
    this.root = root;
  }

  /** Only the first of each place. */
  report(path: Path, message: string, remedy?: string): void {
    const text = JSON.stringify(path);
    const known = this.faults.some((fault) => JSON.stringify(fault.path) === text);
    if (!known && this.faults.length < LIMITS.faults) this.faults.push({ path, message, remedy });
  }

  /** What stands there, its references followed; undefined where it is no mapping, which is reported. */
  mapping(part: Part): (Part & { readonly value: Readonly<Record<string, unknown>> }) | undefined {
    const found = this.follow(part);
    if (found === undefined) return undefined;
    if (isMapping(found.value)) return { path: found.path, value: found.value };
    this.report(found.path, "here stands no mapping of names to values");
    return undefined;
  }

  /** What a reference leads to, and it itself where it is none; undefined where it leads nowhere. */
  follow(part: Part): Part | undefined {
    let at = part;
    for (let count = 0; count < LIMITS.references; count++) {
      const reference = isMapping(at.value) ? at.value["$ref"] : undefined;
      if (reference === undefined) return at;
      const target = typeof reference === "string" ? pointerOf(reference) : undefined;
      if (target === undefined) {
        const message = `the reference ${JSON.stringify(reference)} leads out of the document`;
        this.report([...at.path, "$ref"], message, "one file that holds everything (bundled)");
        return undefined;
      }
      const value = valueAt(this.root, target);
      if (value === undefined) {
        const message = `the reference ${JSON.stringify(reference)} leads nowhere`;
        this.report([...at.path, "$ref"], message, "a place in this document");
        return undefined;
      }
      at = { value, path: target };
    }
    this.report(part.path, "this reference leads in a circle");
    return undefined;
  }
}

/** Of a local reference such as `#/components/schemas/Invoice` (RFC 6901 in a fragment). */
export function pointerOf(reference: string): readonly string[] | undefined {
  if (reference === "#") return [];
  if (!reference.startsWith("#/")) return undefined;
  try {
    return reference
      .slice(2)
      .split("/")
      .map((step) => decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~"));
  } catch {
    return undefined;
  }
}
