import assert from "node:assert/strict";
import { test } from "node:test";
import type { z } from "zod";
import { publicFiles } from "./public-files.ts";
import { configSchema } from "./schema.ts";
import { alternatives, definitionOf, shapeOf, unwrap } from "../wire/document/schema-walk.ts";

/** Whose file travels with a bundle. */
const PUBLIC = [
  "authenticators.*.jwks",
  "authenticators.*.bundle",
  "authenticators.*.bundle.ca",
  "authenticators.*.bundle.endpointBundle",
  "authenticators.*.ca",
  "services.*.tls.ca",
];
/** Whose file is each proxy's own. */
const OWN = [
  "authenticators.*.client.certificate",
  "authenticators.*.client.key",
  "authenticators.*.client.privateKey",
  "authenticators.*.tokenFile",
  "authenticators.*.session.keys.*.file",
  "routes.*.credentials.basic.passwordFile",
  "routes.*.credentials.header.valueFile",
  "services.*.tls.certificate",
  "services.*.tls.key",
];
/** Paths of requests, and names that look like those of files. */
const NONE = [
  "authenticators.*.client.secret",
  "authenticators.*.match.*.path",
  "routes.*.path",
  "routes.*.redirect.path",
  "services.*.health.path",
];

test("every option of a part that travels that may name a file is decided about", () => {
  const found = ["services", "routes", "authenticators"].flatMap((section) =>
    texts((configSchema.shape as Record<string, z.core.$ZodType>)[section], section),
  );
  const suspects = found.filter((path) =>
    /(?:file|path|folder|bundle|jwks|certificate|privateKey|crl|\.ca|\.key|secret)$/i.test(path),
  );
  assert.deepEqual(suspects.toSorted(), [...PUBLIC, ...OWN, ...NONE].toSorted());
});

test("publicFiles() finds those that are named, and no address", () => {
  const authenticators = {
    corp: { type: "jwt", jwks: "file:keys.json" },
    other: { type: "jwt", jwks: "https://x.example" },
    mesh: { type: "mtls", trustDomain: "prod.example", bundle: "file:prod.json" },
    far: {
      type: "mtls",
      trustDomain: "far.example",
      bundle: { url: "https://far.example", ca: "web.pem", endpointBundle: "far.pem" },
    },
    devices: { type: "mtls", ca: "devices.pem" },
  };
  const services = { billing: { tls: { ca: "ca.pem", key: "secret.key" } }, plain: {} };
  const given = { authenticators, services } as unknown as Parameters<typeof publicFiles>[0];
  assert.deepEqual(publicFiles(given), [
    { at: ["authenticators", "corp", "jwks"], file: "keys.json", prefix: "file:" },
    { at: ["authenticators", "mesh", "bundle"], file: "prod.json", prefix: "" },
    { at: ["authenticators", "far", "bundle", "ca"], file: "web.pem", prefix: "" },
    { at: ["authenticators", "far", "bundle", "endpointBundle"], file: "far.pem", prefix: "" },
    { at: ["authenticators", "devices", "ca"], file: "devices.pem", prefix: "" },
    { at: ["services", "billing", "tls", "ca"], file: "ca.pem", prefix: "" },
  ]);
});

/** Dotted paths of everything that takes a text. */
function texts(schema: z.core.$ZodType | undefined, path: string): string[] {
  if (schema === undefined) return [];
  const found = alternatives(schema).flatMap((one): string[] => {
    const shape = shapeOf(one);
    if (shape !== undefined) {
      return Object.entries(shape).flatMap(([key, child]) => texts(child, `${path}.${key}`));
    }
    const def = definitionOf(unwrap(one));
    if (def.type === "array") return texts(def.element, `${path}.*`);
    if (def.type === "record") return texts(def.valueType, `${path}.*`);
    return def.type === "string" ? [path] : [];
  });
  return [...new Set(found)];
}
