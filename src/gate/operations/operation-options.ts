/** What describes the operations of a service, and how far requests are held against it. */
import { z } from "zod";
import { VALIDATIONS } from "./description.ts";

const fileSchema = z.string().min(1, "the path of a file").max(4096);

/** Of a service. */
export const serviceOperationsShape = {
  openapi: fileSchema
    .optional()
    .describe(
      'OpenAPI 3.0 or 3.1 document (YAML or JSON, references within it only, at most 4 MiB). Its operations become actions in policies, such as `Sallyport::Action::"billing:getInvoice"`, and requests that it does not describe are refused: 404 `unknown-operation`, 405 for another method. Its paths, with those of its `servers` in front, are paths as the service sees them, after `rewrite`. It travels to proxies.',
    ),
  descriptors: fileSchema
    .optional()
    .describe(
      'Descriptor set of the gRPC services that it has, as `protoc --include_imports --descriptor_set_out=FILE` or `buf build -o FILE` writes it, at most 4 MiB. Its methods become actions in policies, such as `Sallyport::Action::"orders:shop.Orders/Get"`, and calls of others are refused (UNIMPLEMENTED, `unknown-operation`). It travels to proxies. Either this or `openapi`.',
    ),
  openapiValidation: z
    .enum(VALIDATIONS)
    .optional()
    .describe(
      "How far requests are held against `openapi`. `parameters`: path, query and fields against their schemas (400 `invalid-parameter`). `full`: JSON bodies too (400 `invalid-body`), which are held for it, up to 1 MiB and the route's `limits.bodyBytes`; a type of body that the operation does not take is 415. `none` when left out.",
    ),
};

/** Of a route. */
export const routeOperationsShape = {
  openapiValidation: z
    .enum(VALIDATIONS)
    .optional()
    .describe("Instead of the service's own `openapiValidation`."),
};

export const OPERATION_LIMITS = {
  /** Bytes of a body that is held against its schema. */
  body: 1024 * 1024,
} as const;
