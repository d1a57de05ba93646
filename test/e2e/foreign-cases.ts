/** The hostile cases of others, as the end-to-end tests read them. */
import { readFileSync } from "node:fs";
import { corpora } from "../corpora.ts";

export interface ForeignMessage {
  /** Unique within its corpus; what lists of deviations name. */
  readonly name: string;
  /** One character a byte. */
  readonly bytes: string;
  /** What its authors say of it; undefined where they do not. */
  readonly valid: boolean | undefined;
}

interface Gunicorn {
  readonly cases: readonly { name: string; kind: string; bytes_latin1: string }[];
}
interface Llhttp {
  readonly cases: readonly {
    title: string;
    file: string;
    type: string;
    input: string;
    error: { reason: string } | null;
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

/** Requests from gunicorn's tests; undefined where the corpora are absent. */
export function gunicornRequests(): readonly ForeignMessage[] | undefined {
  return (load("http1/gunicorn-requests.json") as Gunicorn | undefined)?.cases.map(
    ({ name, kind, bytes_latin1 }) => ({ name, bytes: bytes_latin1, valid: kind === "valid" }),
  );
}

/**
 * Requests or responses from llhttp's tests. Some stop before their empty line, as their document
 * cut them; these are completed, because a message that never ends tests the clock alone.
 */
export function llhttpMessages(
  kind: "request" | "response",
): readonly ForeignMessage[] | undefined {
  const seen = new Map<string, number>();
  return (load("http1/llhttp-cases.json") as Llhttp | undefined)?.cases
    .filter(({ type }) => type.startsWith(kind))
    .map(({ title, file, type, input, error }) => {
      const page = file.slice(file.lastIndexOf("/") + 1).replace(/\.md$/, "");
      const plain = `${page}: ${title}${type === kind ? "" : ` [${type}]`}`;
      const times = (seen.get(plain) ?? 0) + 1;
      seen.set(plain, times);
      const cut = input.endsWith("\r\n") && !input.endsWith("\r\n\r\n");
      return {
        name: times === 1 ? plain : `${plain} #${times}`,
        bytes: cut ? `${input}\r\n` : input,
        valid: type === kind ? error === null : undefined,
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
