/**
 * Every path of Istio's and Envoy's normalisation tests: we either refuse it, for a listed reason, or
 * give the path that their strictest mode gives (dot segments resolved, escapes of unreserved
 * characters decoded, slashes merged), with kept escapes in upper case as RFC 3986 section 6.2.2.1 says.
 */
import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import test from "node:test";
import { canonicalPath, isPathFault, splitTarget } from "../../src/wire/path.ts";
import { corpora } from "../corpora.ts";

/** Why a path that they normalise is refused by us. Every refused path is in one of these. */
const REFUSED: readonly [why: string, matches: RegExp][] = [
  ["'#': they cut the fragment off, but no client sends one (RFC 9112 section 3.2)", /^[^?]*#/],
  ["'#' in a query", /\?.*#/],
  ["an encoded slash: they decode it or leave it, as configured; services differ", /%2f/i],
  ["an encoded backslash: likewise", /%5c/i],
  ["a raw backslash: they take it for a slash, as browsers do", /\\/],
  [
    "dot segments written with escapes: they resolve them; no honest client writes them",
    /\/(?:%2e|%2e%2e|\.%2e|%2e\.)(?:\/|$)/i,
  ],
  ["an encoded NUL", /%00/],
  ["an escape of an escape: they keep it; services that decode twice differ", /%25[0-9a-f]{2}/i],
  ["escapes that are not valid UTF-8: they keep them", /%(?:[89a-f][0-9a-f])/i],
  ["a % without two hex digits", /%(?![0-9a-f]{2})/i],
  ["path parameters, on a route that declares none", /;/],
  ["a path without its slash: no request target has one", /^[^/]|^$/],
];

interface PathCase {
  readonly from: string;
  readonly to: string;
}

const istio = corpora("path/istio-normalization.json");
const envoy = corpora("path/envoy-path-utility.json");
const skip = istio === undefined || envoy === undefined ? "the path corpora are absent" : false;
const cases =
  istio === undefined || envoy === undefined ? [] : [...istioCases(istio), ...envoyCases(envoy)];

for (const { from, to } of cases) {
  test(`${JSON.stringify(from)} is refused or becomes ${JSON.stringify(to)}`, () => {
    const refusal = REFUSED.find(([, matches]) => matches.test(from));
    const expected = refusal === undefined ? upperCaseEscapes(to) : undefined;
    assert.equal(canonical(from), expected, refusal?.[0] ?? "accepted");
  });
}

test("the corpora are whole, and every reason to refuse is met", { skip }, () => {
  assert.ok(cases.length > 300);
  for (const [why, matches] of REFUSED) {
    assert.ok(
      cases.some(({ from }) => matches.test(from)),
      why,
    );
  }
  const accepted = cases.filter(({ from }) => !REFUSED.some(([, matches]) => matches.test(from)));
  assert.ok(accepted.length > 150);
});

/** The path with its query, or undefined when refused. */
function canonical(target: string): string | undefined {
  const parts = splitTarget(target, undefined);
  if (isPathFault(parts)) return undefined;
  const result = canonicalPath(parts.path);
  if (isPathFault(result)) return undefined;
  return parts.query === undefined ? result.path : `${result.path}?${parts.query}`;
}

function upperCaseEscapes(path: string): string {
  return path.replace(/%[0-9a-f]{2}/gi, (escape) => escape.toUpperCase());
}

interface IstioFile {
  readonly cases: readonly { readonly mode: string; readonly in: string; readonly out: string }[];
}

/** The strictest mode alone: the others repeat its paths. */
function istioCases(path: string): PathCase[] {
  const file = JSON.parse(readFileSync(path, "utf8")) as IstioFile;
  const strictest = file.cases.filter((entry) => entry.mode === "DECODE_AND_MERGE_SLASHES");
  for (const entry of file.cases) {
    assert.ok(strictest.some((other) => other.in === entry.in));
  }
  return strictest.map((entry) => ({ from: entry.in, to: entry.out }));
}

interface EnvoyFile {
  readonly canonical: readonly (readonly [from: string, to: string])[];
  readonly reject: readonly string[];
  readonly merge_slashes: readonly (readonly [from: string, to: string])[];
  readonly "remove_query_fragment_all_give_/abc": readonly string[];
}

function envoyCases(path: string): PathCase[] {
  const file = JSON.parse(readFileSync(path, "utf8")) as EnvoyFile;
  return [
    ...[...file.canonical, ...file.merge_slashes].map(([from, to]) => ({ from, to })),
    ...file.reject.map((from) => ({ from, to: "refused" })),
    ...file["remove_query_fragment_all_give_/abc"].map((from) => ({
      from,
      to: from.includes("?") ? `/abc${from.slice(from.indexOf("?"))}` : "/abc",
    })),
  ];
}
