/** What describes the operations of a service, and how far requests are held against it. */
import { z } from "zod";

const fileSchema = z.string().min(1, "the path of a file").max(4096);

/** Of a service. */
export const serviceOperationsShape = {
  openapi: fileSchema
    .optional()
    .describe(
      'OpenAPI 3.0 or 3.1 document (YAML or JSON, references within it only, at most 4 MiB). Its operations become actions in policies, such as `Sallyport::Action::"billing:getInvoice"`, and requests that it does not describe are refused: 404 `unknown-operation`, 405 for another method. Its paths, with those of its `servers` in front, are paths as the service sees them, after `rewrite`. It travels to proxies.',
    ),
};
