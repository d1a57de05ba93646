/** Every operation of the admin API, once. */
import { createAdminApi, type AdminApi, openApiDocument } from "./api.ts";
import type { AdminDeps } from "./admin-deps.ts";
import { apiKeyOperations } from "./api-keys.ts";
import { clientOperations } from "./clients.ts";
import { bundleOperations } from "./bundles.ts";
import { configOperations } from "./config.ts";
import { decisionOperations } from "./decisions.ts";
import { evaluationOperations } from "./evaluations.ts";
import { keyOperations } from "./keys.ts";
import { openApiOperation } from "./openapi.ts";
import type { JsonObject } from "../model/json.ts";
import type { Operation } from "./operation.ts";
import { revocationOperations } from "./revocations.ts";
import { rootOperations } from "./roots.ts";
import { statusOperations } from "./status.ts";
import { usageOperations } from "./usage.ts";
import { viewOperations } from "./views.ts";
import { workloadOperations } from "./workloads.ts";

const OPERATIONS: readonly Operation[] = [
  openApiOperation(() => adminOpenApi()),
  ...statusOperations,
  ...configOperations,
  ...viewOperations,
  ...workloadOperations,
  ...revocationOperations,
  ...apiKeyOperations,
  ...clientOperations,
  ...keyOperations,
  ...rootOperations,
  ...bundleOperations,
  ...decisionOperations,
  ...usageOperations,
  ...evaluationOperations,
];

/** Where each operation is, for the gate's routes. */
export const ADMIN_PLACES: readonly Pick<Operation["spec"], "operation" | "method" | "path">[] =
  OPERATIONS.map(({ spec: { operation, method, path } }) => ({ operation, method, path }));

export function adminOpenApi(): JsonObject {
  return openApiDocument(OPERATIONS);
}

export function createOperations(deps: AdminDeps): AdminApi {
  return createAdminApi(OPERATIONS, deps);
}
