/** The table of operations in docs/admin-api.md, from the OpenAPI document. */
import { ADMIN_OPERATIONS, type AdminOperation } from "../../src/model/admin-operations.ts";
import type { JsonObject } from "../../src/model/json.ts";

const BEGIN = "<!-- operations: written by npm run docs -->\n";
const END = "<!-- /operations -->";

interface Listed {
  readonly operationId: AdminOperation;
  readonly summary: string;
}

/** The page with its table as it is now. Throws TypeError where the marks of its place are not there. */
export function withOperations(page: string, document: JsonObject): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new TypeError("docs/admin-api.md has no place for the table");
  const paths = document["paths"] as unknown as Record<string, Record<string, Listed>>;
  const rows = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, { operationId, summary }]) => {
      const access = ADMIN_OPERATIONS[operationId];
      return `| \`${method.toUpperCase()} ${path}\` | \`admin:${operationId}\` | ${access} | ${summary} |`;
    }),
  );
  const table = ["| call | action | in `admin:…` | |", "| --- | --- | --- | --- |", ...rows];
  return `${page.slice(0, begin)}${BEGIN}${table.join("\n")}\n${page.slice(end)}`;
}
