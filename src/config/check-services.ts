/** What has to hold within a service beside each option by itself. */
import type { Draft, Part } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import type { ServiceOptions } from "./schema.ts";

export function checkServices(draft: Draft): PathProblem[] {
  return draft.services.flatMap((service) => [
    ...checkReached(service),
    ...hashing(service),
    ...described(service),
  ]);
}

type Reached = Pick<Part<Pick<ServiceOptions, "endpoints" | "health">>, "path" | "options">;

/** Of whatever has endpoints. */
export function checkReached(service: Reached): PathProblem[] {
  return [...endpoints(service), ...checking(service)];
}

function described({ path, options }: Part<ServiceOptions>): PathProblem[] {
  if (options.openapi !== undefined && options.descriptors !== undefined) {
    const message = "a service has one description";
    return [{ path: [...path, "descriptors"], message, remedy: "either openapi or descriptors" }];
  }
  if (options.openapiValidation === undefined || options.openapi !== undefined) return [];
  const message = "there is no description to hold requests against";
  return [{ path: [...path, "openapiValidation"], message, remedy: "openapi: a document, too" }];
}

function endpoints({ path, options }: Reached): PathProblem[] {
  const seen = new Set<string>();
  const at = [...path, "endpoints"];
  const problems: PathProblem[] = options.endpoints.flatMap((endpoint, index) => {
    const key = JSON.stringify({ ...endpoint, weight: 0 });
    const again = seen.has(key);
    seen.add(key);
    if (!again) return [];
    const message = "this endpoint stands in the list already";
    return [{ path: [...at, index], message, remedy: "each endpoint once; a weight for more" }];
  });
  if (options.endpoints.every(({ weight }) => weight === 0)) {
    const message = "every endpoint has weight 0, so none would get a request";
    problems.push({ path: at, message, remedy: "a weight above 0 for one of them" });
  }
  return problems;
}

function hashing({ path, options }: Part<ServiceOptions>): PathProblem[] {
  const wanted = options.balance === "consistent-hash";
  if (wanted === (options.hash !== undefined)) return [];
  return wanted
    ? [
        {
          path: [...path, "balance"],
          message: "consistent-hash needs to know what to go by",
          remedy: "hash: { by: principal }, or a header or cookie",
        },
      ]
    : [
        {
          path: [...path, "hash"],
          message: `"hash" has no effect with balance: ${options.balance}`,
          remedy: "balance: consistent-hash, or no hash",
        },
      ];
}

function checking({ path, options }: Reached): PathProblem[] {
  if (options.health?.grpc === undefined) return [];
  if (options.endpoints.every(({ http2 }) => http2 === true)) return [];
  const message = "gRPC is spoken over HTTP/2, and an endpoint is reached over HTTP/1.1";
  const remedy = "endpoints of h2c://host:port or h2://host:port, or health: { path: … }";
  return [{ path: [...path, "health", "grpc"], message, remedy }];
}
