/** What a browser does with a proxy on Bun, driven from Node: there its driver runs. */
import { test } from "node:test";

if (process.versions["bun"] === undefined) {
  process.env["SALLYPORT_STAGE_RUNTIME"] = "bun";
  await import("./chromium.cases.ts");
} else {
  test("a browser is driven from Node", { skip: "its driver does not run on Bun" }, () => {});
}
