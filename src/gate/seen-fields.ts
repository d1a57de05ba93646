import type { Fields, RequestHead } from "../model/http.ts";

/**
 * What policies may see of the fields: none that the service will not get because the caller had
 * them dropped (`Connection` names them). A policy would decide on a value that nobody acts on.
 */
export function seenFields({ fields, connectionOptions }: RequestHead): Fields {
  if (connectionOptions === undefined) return fields;
  return fields.filter((_, index) => !connectionOptions.includes(fields[index & ~1] ?? ""));
}
