/** One hash for the same options, whatever the order in which their members were written. */
import { hash } from "node:crypto";

/** base64url SHA-256 of plain data. */
export function hashOptions(options: object): string {
  const text = JSON.stringify(options, (_, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return hash("sha256", text, "base64url");
}
