/**
 * The gRPC methods of a descriptor set as the operations of a service: each is a POST to its own path, and
 * those of one gRPC service are a group.
 *
 * Refuses what is no descriptor set, one without any method, and a method that stands there twice.
 */
import type { VocabularyOperation } from "../../model/vocabulary.ts";
import { type DescribedService, readDescriptorSet } from "../../wire/grpc/descriptors.ts";
import { DESCRIPTION_LIMITS, isOperationId, type ServiceDescription } from "./description.ts";

/** Never throws for what the bytes are. */
export function readDescriptors(
  bytes: Uint8Array,
): { readonly description: ServiceDescription } | { readonly fault: string } {
  let services: readonly DescribedService[];
  try {
    services = readDescriptorSet(bytes);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { fault: `it is no descriptor set (${error.message})` };
  }
  const operations = services.flatMap(({ name, methods }) =>
    methods.map((method) => operationOf(name, method)),
  );
  const ids = new Set(operations.map(({ id }) => id));
  const unfit = operations.find(({ id }) => !isOperationId(id));
  if (operations.length === 0) return { fault: "it describes no method" };
  if (ids.size < operations.length) return { fault: "a method stands in it twice" };
  if (unfit !== undefined) return { fault: "a method in it has too long a name" };
  if (operations.length > DESCRIPTION_LIMITS.operations) {
    return { fault: `more than ${DESCRIPTION_LIMITS.operations} methods` };
  }
  return { description: { operations } };
}

function operationOf(service: string, method: string): VocabularyOperation {
  const id = `${service}/${method}`;
  return { id, method: "POST", path: `/${id}`, groups: [service], parameters: [] };
}
