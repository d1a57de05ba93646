/**
 * The route's declared rewrite. Its result is canonicalised again, so that what the service gets is
 * as unambiguous as what the policy saw.
 */
import type { RewriteOptions } from "../gate/rewrite-options.ts";
import { canonicalPath } from "../wire/path.ts";
import { createPathShape } from "./path-shape.ts";

/** The path for the service, or undefined where the rewrite would make an ambiguous one. */
export type PathRewrite = (path: string) => string | undefined;

/** Undefined where the path goes as it is. `path` is the route's. */
export function createPathRewrite(
  rewrite: RewriteOptions | undefined,
  path: string,
  pathParameters: boolean,
): PathRewrite | undefined {
  if (rewrite?.pattern !== undefined) {
    return createPathShape(rewrite.pattern, path, pathParameters);
  }
  if (rewrite?.prefix === undefined) return undefined;
  // `/billing/*` has one segment before the rest.
  const segments = path.split("/").length - 2;
  return createPrefix({ segments, prefix: rewrite.prefix, pathParameters });
}

function createPrefix(rewrite: {
  readonly segments: number;
  readonly prefix: string;
  readonly pathParameters: boolean;
}): PathRewrite {
  const { segments } = rewrite;
  const prefix = rewrite.prefix.endsWith("/") ? rewrite.prefix : `${rewrite.prefix}/`;
  const options = { pathParameters: rewrite.pathParameters ? "allow" : "refuse" } as const;
  return (path) => {
    let at = 0;
    for (let count = 0; count <= segments; count++) {
      at = path.indexOf("/", at) + 1;
      if (at === 0) return undefined;
    }
    const result = canonicalPath(prefix + path.slice(at), options);
    return "path" in result ? result.path : undefined;
  };
}
