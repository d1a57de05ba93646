/**
 * Replaces `${env:NAME}` and `${file:path}` in the texts of a parsed document, never in keys and
 * never before parsing: what comes from outside cannot change the document's shape. `$${` stands for
 * a literal `${`.
 *
 * Where a text is a template, all other `${…}` are left to it, and what is put in cannot become one:
 * it is escaped there.
 *
 * What was put in may be a secret: `redact` takes it out of any text again.
 */
import { type Path, pathKey } from "../wire/document/place.ts";

const LIMITS = {
  /** Bytes of a file that a text takes in: keys and passwords, not data. */
  file: 65_536,
  /** Shorter values than this are too common to be taken out of prose (a port, `on`). */
  redacted: 4,
} as const;

export interface ExpandSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Reads a file that the document names; throws an Error with `code` where it cannot. */
  readonly readFile: (path: string) => string;
  /** Whether the text at this path is a template. None is, when left out. */
  readonly isTemplated?: (path: Path) => boolean;
  /** What goes in where an expression at this path has no value here; nothing, when left out. */
  readonly standIn?: ((path: Path) => string) | undefined;
}

export interface Expansion {
  readonly value: unknown;
  readonly problems: readonly {
    readonly path: Path;
    readonly message: string;
    readonly remedy: string;
  }[];
  /** Files that were read, and where they are named. */
  readonly files: readonly { readonly path: Path; readonly file: string }[];
  /** What the user wrote, for each text in which something was replaced; by `pathKey`. */
  readonly written: ReadonlyMap<string, string>;
  /** Takes what was put in out of a text, leaving the expression in its place. */
  readonly redact: (text: string) => string;
}

/** `base`: where the value stands, as problems name it. */
export function expand(root: unknown, sources: ExpandSources, base: Path = []): Expansion {
  const problems: { path: Path; message: string; remedy: string }[] = [];
  const files: { path: Path; file: string }[] = [];
  const written = new Map<string, string>();
  const replaced = new Map<string, string>();

  const text = (whole: string, path: Path): string => {
    if (!whole.includes("${")) return whole;
    const templated = sources.isTemplated?.(path) === true;
    const out = templated ? new TemplateText() : new PlainText();
    let from = 0;
    for (const match of whole.matchAll(EXPRESSION)) {
      const [expression, kind, name = ""] = match;
      const isOwn = kind === "env" || kind === "file";
      // Left to the template, `$${` too: it means the same there.
      if (templated && !isOwn) continue;
      out.written(whole.slice(from, match.index));
      from = match.index + expression.length;
      written.set(pathKey(path), whole);
      if (expression === "$${") {
        out.value("${");
        continue;
      }
      const found = resolve(kind ?? "", name, sources);
      if ("message" in found) {
        problems.push({ path, ...found });
        out.value(sources.standIn?.(path) ?? "");
        continue;
      }
      if (kind === "file") files.push({ path, file: name });
      if (found.value.length >= LIMITS.redacted) replaced.set(found.value, expression);
      out.value(found.value);
    }
    out.written(whole.slice(from));
    if (out.merged) {
      const message = "a value that ends in '$' stands directly before a placeholder";
      problems.push({ path, message, remedy: "something between them" });
    }
    return out.text;
  };
  const walk = (value: unknown, path: Path): unknown => {
    if (typeof value === "string") return text(value, path);
    if (Array.isArray(value)) return value.map((item, index) => walk(item, [...path, index]));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key])]),
    );
  };

  const value = walk(root, base);
  const longestFirst = [...replaced].toSorted(([a], [b]) => b.length - a.length);
  return {
    value,
    problems,
    files,
    written,
    redact: (prose) =>
      longestFirst.reduce((rest, [secret, source]) => rest.replaceAll(secret, () => source), prose),
  };
}

/** Pieces of a text put together. */
class PlainText {
  text = "";
  /** Whether two pieces cannot be told apart any more. */
  merged = false;

  /** As the user wrote it. */
  written(piece: string): void {
    this.text += piece;
  }

  /** From outside: never read as an expression. */
  value(piece: string): void {
    this.text += piece;
  }
}

/** For a template: `${` begins an expression only where the user wrote both signs side by side. */
class TemplateText extends PlainText {
  override written(piece: string): void {
    // `$` and `${` would be the sign for a literal `${`.
    if (piece.startsWith("${") && this.text.endsWith("$")) this.merged = true;
    this.#join(piece);
  }

  override value(piece: string): void {
    this.#join(piece.replaceAll("${", () => "$${"));
  }

  #join(piece: string): void {
    const seam = piece.startsWith("{") && this.text.endsWith("$");
    this.text += seam ? `$${piece}` : piece;
  }
}

/** `$${`, `${kind:name}`, or a `${` that is neither. */
const EXPRESSION = /\$\$\{|\$\{([a-z]*):([^{}]*)\}|\$\{[^}]*\}?/g;

type Found = { readonly value: string } | { readonly message: string; readonly remedy: string };

function resolve(kind: string, name: string, sources: ExpandSources): Found {
  if (kind === "env" && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    const value = sources.env[name];
    if (value !== undefined && value !== "") return { value };
    const state = value === undefined ? "not set" : "empty";
    return { message: `the environment variable ${name} is ${state}`, remedy: `set ${name}` };
  }
  if (kind === "file" && name !== "") return resolveFile(name, sources);
  const remedy = "${env:NAME}, ${file:path}, or $${ for a literal ${";
  return { message: "this ${…} is not an expression", remedy };
}

function resolveFile(name: string, sources: ExpandSources): Found {
  let text: string;
  try {
    text = sources.readFile(name);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unreadable";
    return { message: `the file "${name}" cannot be read (${code})`, remedy: "a readable file" };
  }
  // Editors end files in a line break, which is not part of a secret.
  const value = text.replace(/\r?\n$/, "");
  if (value === "")
    return { message: `the file "${name}" is empty`, remedy: "a file with a value" };
  if (text.length > LIMITS.file) {
    const remedy = `a file of at most ${LIMITS.file} bytes`;
    return { message: `the file "${name}" is too large`, remedy };
  }
  return { value };
}
