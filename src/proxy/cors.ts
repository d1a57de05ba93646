/**
 * The CORS protocol of the Fetch standard for one route: preflights answered, answers marked. The
 * origin that goes out is one that the configuration names, never merely what the caller sent; where
 * the answer depends on it, `vary` says so, denials included.
 */
import type { CorsOptions } from "../gate/cors-options.ts";
import type { Fields, RequestHead } from "../model/http.ts";
import { getAllFields } from "../wire/fields.ts";
import { spokenName } from "../wire/identity-fields.ts";

export interface Cors {
  /** Fields of the answer to a preflight; without permission where the origin is not named. */
  preflight(head: RequestHead): Fields;
  /** Fields of every other answer. */
  answer(head: RequestHead): Fields;
}

/** `methods` are the route's own; `told`: names of what we say beside `sallyport-decision`. */
export function createCors(
  options: CorsOptions,
  methods: readonly string[],
  told: readonly string[] = [],
): Cors {
  const origins = new Set(options.origins);
  const any = origins.has("*");
  const credentials = options.credentials ? ["access-control-allow-credentials", "true"] : [];
  const expose = ["sallyport-decision", ...told, ...options.expose].join(", ");
  const exposed = ["access-control-expose-headers", expose];
  const granted = [
    "access-control-allow-methods",
    (options.methods ?? methods).join(", "),
    ...(options.headers.length === 0
      ? []
      : ["access-control-allow-headers", options.headers.join(", ")]),
    "access-control-max-age",
    String(Math.floor(options.maxAge / MS_PER_SECOND)),
  ];

  /** What the answer may say of the origin, or undefined. */
  function allowed(head: RequestHead): string | undefined {
    const [origin, ...more] = getAllFields(head.fields, "origin");
    if (origin === undefined || more.length > 0) return undefined;
    if (any) return "*";
    return origins.has(origin) ? origin : undefined;
  }

  return {
    preflight(head) {
      const origin = allowed(head);
      if (origin === undefined) return PREFLIGHT_VARY;
      const allow = ["access-control-allow-origin", origin];
      return [...allow, ...credentials, ...granted, ...PREFLIGHT_VARY];
    },
    answer(head) {
      if (any) return ["access-control-allow-origin", "*", ...exposed];
      const origin = allowed(head);
      if (origin === undefined) return VARY;
      return ["access-control-allow-origin", origin, ...credentials, ...exposed, ...VARY];
    },
  };
}

/** Whether only we write it, on a route with CORS. */
export function isCorsField(name: string): boolean {
  return spokenName(name).startsWith("access-control-");
}

const MS_PER_SECOND = 1000;
const VARY: Fields = ["vary", "origin"];
const PREFLIGHT_VARY: Fields = [
  "vary",
  "origin, access-control-request-method, access-control-request-headers",
];
