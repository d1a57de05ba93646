/**
 * Path templates of an OpenAPI document, with the path of their server in front, as the router takes them.
 *
 * Refuses what no canonical request path could equal, and what cannot be told apart segment by segment:
 * a parameter that is only a part of a segment.
 */
import { canonicalPath } from "../../wire/path.ts";
import { isMapping } from "../../wire/document/written.ts";
import type { OpenApiDocument, Part } from "./openapi-document.ts";

/** The path of the servers that counts here; undefined where there is none, which is reported. */
export function serverPath(document: OpenApiDocument, levels: readonly Part[]): string | undefined {
  const servers = levels.find(({ value }) => Array.isArray(value) && value.length > 0);
  if (servers === undefined) return "";
  const paths = (servers.value as unknown[]).map((server) => pathOfServer(server));
  const [first] = paths;
  if (first === undefined || paths.some((path) => path !== first)) {
    const message =
      first === undefined || paths.includes(undefined)
        ? "a server here is no URL with a path of its own"
        : "the servers here have different paths";
    const remedy = "URLs with one and the same path: the one under which the service is called";
    document.report(servers.path, message, remedy);
    return undefined;
  }
  return first;
}

/** Without a slash at its end. */
function pathOfServer(server: unknown): string | undefined {
  const url = isMapping(server) ? server["url"] : undefined;
  if (typeof url !== "string") return undefined;
  const variables = isMapping(server) ? server["variables"] : undefined;
  const filled = url.replaceAll(/\{([^{}]*)\}/g, (all, name: string) => {
    const variable = isMapping(variables) ? variables[name] : undefined;
    const preset = isMapping(variable) ? variable["default"] : undefined;
    return typeof preset === "string" ? preset : all;
  });
  if (/[{}]/.test(filled)) return undefined;
  // Relative URLs are relative to where the document lies, which says nothing about the service.
  const path = filled.startsWith("/") ? filled : URL.parse(filled)?.pathname;
  const canonical = path === undefined ? undefined : canonicalPath(path.split(/[?#]/, 1)[0] ?? "");
  if (canonical === undefined || !("path" in canonical)) return undefined;
  return canonical.path.replace(/\/$/, "");
}

export interface ReadPath {
  readonly path: string;
  /** Name of a parameter → its segment, counted from 0. */
  readonly segments: ReadonlyMap<string, number>;
}

/** Undefined where it cannot be taken; then it is reported at `at`. */
export function readTemplate(
  document: OpenApiDocument,
  template: string,
  { base, at }: { readonly base: string; readonly at: Part["path"] },
): ReadPath | undefined {
  const path = base + template;
  const segments = new Map<string, number>();
  if (!template.startsWith("/")) {
    document.report(at, `${JSON.stringify(template)} is no path`, "a path that begins with '/'");
    return undefined;
  }
  for (const [index, text] of path.split("/").slice(1).entries()) {
    const remedy = segmentRemedy(text, segments);
    if (remedy !== undefined) {
      const message = `the path ${JSON.stringify(path)} cannot be told from others`;
      document.report(at, message, remedy);
      return undefined;
    }
    if (text.startsWith("{")) segments.set(text.slice(1, -1), index);
  }
  if (/[^/]\/\/|^\/\//.test(path)) {
    document.report(at, `the path ${JSON.stringify(path)} has an empty segment`, "one slash");
    return undefined;
  }
  return { path, segments };
}

function segmentRemedy(text: string, known: ReadonlyMap<string, number>): string | undefined {
  if (/^\{[^{}]+\}$/.test(text)) {
    return known.has(text.slice(1, -1)) ? `each parameter once; ${text} stands twice` : undefined;
  }
  if (/[{}]/.test(text)) return `a parameter that is a whole segment, not ${JSON.stringify(text)}`;
  if (text === "*") return "no segment that is '*'";
  const canonical = canonicalPath(`/${text}`, { pathParameters: "allow" });
  if (!("path" in canonical)) return `a path without ${canonical.detail}`;
  if (text === "." || text === ".." || canonical.path !== `/${text}`) {
    return `the canonical form, here "${canonical.path.slice(1)}"`;
  }
  return undefined;
}
