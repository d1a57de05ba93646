/**
 * What a browser does with a proxy on Node. On Bun the driver of the browser stands still, so the cases
 * with a proxy on Bun are driven from Node too (chromium-bun.test.ts).
 */
import { test } from "node:test";

if (process.versions["bun"] === undefined) {
  await import("./chromium.cases.ts");
} else {
  test("a browser is driven from Node", { skip: "its driver does not run on Bun" }, () => {});
}
