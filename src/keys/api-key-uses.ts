/** When API keys were last used, as processes that serve report it once a minute. */
import { API_KEY_ID } from "../model/api-keys.ts";
import { createUses, type Uses, type UsesDeps } from "./uses.ts";

export type ApiKeyUses = Uses;

export function createApiKeyUses({ has, ...deps }: UsesDeps): ApiKeyUses {
  return createUses(
    { collection: "api-key-uses", things: "API keys" },
    { ...deps, has: (id) => API_KEY_ID.test(id) && has(id) },
  );
}
