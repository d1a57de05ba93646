/**
 * What can be asked of the admin API, by the names under which policies permit it:
 * `Sallyport::Action::"admin:<operation>"`, each in `Action::"admin:read"` or `"admin:write"`, and both
 * in `Action::"admin"`. The API's OpenAPI document has the same names as operation ids.
 */

/** `read` changes nothing. */
export type AdminAccess = "read" | "write";

export const ADMIN_OPERATIONS = {
  getOpenApi: "read",
  getStatus: "read",
  getConfig: "read",
  reloadConfig: "write",
  drain: "write",
  listRoutes: "read",
  listServices: "read",
  listAuthenticators: "read",
  listWorkloads: "read",
  getWorkload: "read",
  enrolWorkload: "write",
  disableWorkload: "write",
  enableWorkload: "write",
  reenrolWorkload: "write",
  removeWorkload: "write",
  listRevocations: "read",
  getRevocation: "read",
  createRevocation: "write",
  liftRevocation: "write",
  listApiKeys: "read",
  getApiKey: "read",
  createApiKey: "write",
  rotateApiKey: "write",
  revokeApiKey: "write",
  removeApiKey: "write",
  listClients: "read",
  getClient: "read",
  createClient: "write",
  addClientKey: "write",
  removeClientKey: "write",
  disableClient: "write",
  enableClient: "write",
  removeClient: "write",
  listKeys: "read",
  rotateKey: "write",
  /** Apart from the scheduled kind: it ends everything that the key has signed. */
  rotateKeyNow: "write",
  listRoots: "read",
  rotateRoot: "write",
  /** Apart as well: after it every machine has to enrol anew. */
  rotateRootNow: "write",
  explainDecision: "read",
  getUsage: "read",
  listQuotas: "read",
  listBundles: "read",
  getBundle: "read",
  /** Each puts decisions about whomever it names on record: nothing for who may only look. */
  evaluate: "write",
  evaluateAll: "write",
} as const satisfies Record<string, AdminAccess>;

export type AdminOperation = keyof typeof ADMIN_OPERATIONS;

/** The group of all admin actions. */
export const ADMIN = "admin";

/** The one resource of admin actions: `Sallyport::Admin::"api"`. */
export const ADMIN_RESOURCE = { type: "Admin", id: "api" } as const;

/** Names of the `{name}` segments of its paths; `context.params` in policies. */
export const ADMIN_PARAMS = ["name", "id", "use", "hash", "key"] as const;

/** What stands in records and metrics where others have the name of their route. No route may have it. */
export const ADMIN_ROUTE = "sallyport-admin";

/** Vouches for whoever may open the admin socket. No authenticator may have this name. */
export const LOCAL_AUTHENTICATOR = "local";

export function adminAction(operation: AdminOperation): string {
  return `${ADMIN}:${operation}`;
}

export function adminGroup(access: AdminAccess): string {
  return `${ADMIN}:${access}`;
}
