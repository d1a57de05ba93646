/** The hostile cases of others, as the end-to-end tests read them. */
import { readFileSync } from "node:fs";
import { corpora } from "../corpora.ts";

export interface ForeignMessage {
  /** Unique within its corpus; what lists of deviations name. */
  readonly name: string;
  /** One character a byte. */
  readonly bytes: string;
}

interface Llhttp {
  readonly cases: readonly {
    title: string;
    file: string;
    type: string;
    input: string;
  }[];
}
interface Istio {
  readonly cases: readonly { in: string }[];
}
interface Envoy {
  readonly canonical: readonly (readonly [string, string])[];
  readonly reject: readonly string[];
  readonly merge_slashes: readonly (readonly [string, string])[];
}

/**
 * Responses from llhttp's tests. Some stop before their empty line, as their document
 * cut them; these are completed, because a message that never ends tests the clock alone.
 */
export function llhttpResponses(): readonly ForeignMessage[] | undefined {
  const seen = new Map<string, number>();
  return (load("http1/llhttp-cases.json") as Llhttp | undefined)?.cases
    .filter(({ type }) => type.startsWith("response"))
    .map(({ title, file, type, input }) => {
      const page = file.slice(file.lastIndexOf("/") + 1).replace(/\.md$/, "");
      const plain = `${page}: ${title}${type === "response" ? "" : ` [${type}]`}`;
      const times = (seen.get(plain) ?? 0) + 1;
      seen.set(plain, times);
      const cut = input.endsWith("\r\n") && !input.endsWith("\r\n\r\n");
      return {
        name: times === 1 ? plain : `${plain} #${times}`,
        bytes: cut ? `${input}\r\n` : input,
      };
    });
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
