/**
 * Two operations of a service that can both be meant by one request: `/{kind}/mine` and `/invoices/{id}` by
 * `/invoices/mine`. Policies are asked about one of them, and the service may take it for the other.
 */
import type { VocabularyOperation } from "../../model/vocabulary.ts";
import type { FindingRule } from "./finding-rule.ts";

export const operationAmbiguous: FindingRule = {
  id: "operation-ambiguous",
  severity: "warning",
  title: "two operations take the same path, and none of them is the more specific one",
  proves:
    "Both have the method and take the path that is named; each has a literal segment where the other has a parameter. Sallyport takes the one whose literal segment comes first, and what the service does the description does not say.",
  silence:
    "That the service takes each request for the operation that Sallyport takes it for. One that is more specific in every segment (`/invoices/mine` beside `/invoices/{id}`) counts here, as OpenAPI has it.",
  remedy: "change one of the paths, so that no request can be both",
  *find({ vocabulary, written }) {
    const places = new Map(written.services.map(({ name, place }) => [name, place]));
    for (const { name: service, operations = [] } of vocabulary.services) {
      const place = places.get(service);
      if (place === undefined) continue;
      for (const [one, other] of ambiguousPairs(operations)) {
        const names = `'${one.id}' (${one.path}) and '${other.id}' (${other.path})`;
        yield {
          of: `${service}:${one.id}`,
          place,
          message: `${one.method} ${commonPath(one, other)} can be ${names} of service "${service}"`,
          service,
        };
      }
    }
  },
};

type Operation = VocabularyOperation;

function* ambiguousPairs(
  operations: readonly Operation[],
): Generator<readonly [Operation, Operation]> {
  // Paths of other lengths take other requests, so few are compared with each other.
  const alike = Map.groupBy(
    operations,
    ({ method, path }) => `${method} ${path.split("/").length}`,
  );
  for (const group of alike.values()) {
    const split = group.map((operation) => ({ operation, segments: operation.path.split("/") }));
    for (const [index, one] of split.entries()) {
      for (const other of split.slice(index + 1)) {
        if (areAmbiguous(one.segments, other.segments)) yield [one.operation, other.operation];
      }
    }
  }
}

/** Of as many segments: there is a path for both, and each has a literal where the other has none. */
function areAmbiguous(one: readonly string[], other: readonly string[]): boolean {
  let [ours, theirs] = [false, false];
  for (const [index, segment] of one.entries()) {
    const beside = other[index] ?? "";
    if (segment === beside) continue;
    const [open, besideOpen] = [isParameter(segment), isParameter(beside)];
    if (!open && !besideOpen) return false;
    if (!open) ours = true;
    if (!besideOpen) theirs = true;
  }
  return ours && theirs;
}

function isParameter(segment: string): boolean {
  return segment.startsWith("{");
}

/** A path that both take. */
function commonPath({ path }: Operation, other: Operation): string {
  const beside = other.path.split("/");
  return path
    .split("/")
    .map((segment, index) => (isParameter(segment) ? (beside[index] ?? segment) : segment))
    .join("/");
}
