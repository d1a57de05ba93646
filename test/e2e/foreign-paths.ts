/** The paths of others, as the end-to-end tests read them. */
import { readFileSync } from "node:fs";
import { corpora } from "../corpora.ts";

interface Istio {
  readonly cases: readonly { in: string }[];
}
interface Envoy {
  readonly canonical: readonly (readonly [string, string])[];
  readonly reject: readonly string[];
  readonly merge_slashes: readonly (readonly [string, string])[];
}

/** Every path that Istio's and Envoy's tests send, once. */
export function foreignPaths(): readonly string[] | undefined {
  const istio = load("path/istio-normalization.json") as Istio | undefined;
  const envoy = load("path/envoy-path-utility.json") as Envoy | undefined;
  if (istio === undefined || envoy === undefined) return undefined;
  return [
    ...new Set([
      ...istio.cases.map((one) => one.in),
      ...envoy.canonical.map(([path]) => path),
      ...envoy.reject,
      ...envoy.merge_slashes.map(([path]) => path),
    ]),
  ];
}

function load(name: string): unknown {
  const path = corpora(name);
  return path === undefined ? undefined : JSON.parse(readFileSync(path, "utf8"));
}
