/** What has to hold between the options of one route. */
import type { z } from "zod";
import type { CorsOptions } from "./cors-options.ts";
import { credentialField, type CredentialsOptions } from "./credential-options.ts";
import { patternRemedy, type RedirectOptions, type RewriteOptions } from "./rewrite-options.ts";
import type { RequestChanges, ResponseChanges } from "./transform-options.ts";
import { spokenName } from "../wire/identity-fields.ts";

interface Route {
  readonly host?: string | undefined;
  readonly path: string;
  readonly methods?: readonly string[] | undefined;
  readonly connectTimeout?: number | undefined;
  readonly lifetime?: number | undefined;
  readonly upgrades: readonly string[];
  readonly service?: string | undefined;
  readonly rewrite?: RewriteOptions | undefined;
  readonly redirect?: RedirectOptions | undefined;
  readonly inspect?: unknown;
  readonly cors?: CorsOptions | undefined;
  readonly request?: RequestChanges | undefined;
  readonly response?: ResponseChanges | undefined;
  readonly credentials: CredentialsOptions;
  readonly assertion?: unknown;
  readonly identityFields?: unknown;
  readonly pathParameters: "refuse" | "allow";
}

type Report = (path: (string | number)[], message: string) => void;

export function checkRoute(route: Route, context: z.core.$RefinementCtx): void {
  const report: Report = (path, message) => {
    context.addIssue({ code: "custom", path, message });
  };
  checkEnd(route, report);
  checkPaths(route, report);
  checkRedirect(route, report);
  checkFields(route, report);
  if (route.upgrades.length > 0 && route.inspect !== undefined) {
    report(["inspect"], "no inspect with upgrades: nobody looks into what a WebSocket carries");
  }
  if (route.upgrades.length > 0 && route.methods?.includes("GET") === false) {
    report(["upgrades"], "GET among the methods: a WebSocket is opened with it");
  }
}

/** Each route ends in a service or in a redirect. */
function checkEnd(route: Route, report: Report): void {
  if (route.redirect === undefined) {
    if (route.service === undefined) report(["service"], "the name of a service, or redirect");
    return;
  }
  if (route.service !== undefined) report(["service"], "either service or redirect");
  for (const key of ["rewrite", "request", "inspect"] as const) {
    if (route[key] !== undefined) report([key], `no ${key} with redirect: nothing is forwarded`);
  }
  for (const key of ["connectTimeout", "lifetime", "assertion", "identityFields"] as const) {
    if (route[key] !== undefined) report([key], `no ${key} with redirect: nothing is forwarded`);
  }
  if (route.upgrades.length > 0) {
    report(["upgrades"], "no upgrades with redirect: nothing is forwarded");
  }
  if (route.response?.body !== undefined) {
    report(["response", "body"], "no response.body with redirect: nothing is forwarded");
  }
  if (route.credentials !== "strip") {
    report(["credentials"], "no credentials with redirect: nothing is forwarded");
  }
}

function checkPaths({ path, rewrite, redirect, pathParameters }: Route, report: Report): void {
  if (rewrite?.prefix !== undefined && !path.endsWith("/*")) {
    report(
      ["rewrite"],
      "no rewrite, or a path that ends in '/*': prefix replaces what stands before it",
    );
  }
  const patterns = [
    { at: ["rewrite", "pattern"], pattern: rewrite?.pattern },
    { at: ["redirect", "path"], pattern: redirect?.path },
  ];
  for (const { at, pattern } of patterns) {
    const remedy = pattern === undefined ? undefined : patternRemedy(pattern, path);
    if (remedy !== undefined) report(at, remedy);
  }
  if (pathParameters === "allow") return;
  const written = [
    { at: ["rewrite", "prefix"], what: "a prefix", text: rewrite?.prefix },
    { at: ["rewrite", "pattern"], what: "a pattern", text: rewrite?.pattern },
    { at: ["redirect", "path"], what: "a path", text: redirect?.path },
    { at: ["path"], what: "a path", text: path },
  ];
  for (const { at, what, text } of written) {
    if (text?.includes(";") === true) report(at, `${what} without ';', or pathParameters: allow`);
  }
}

/** Without a host of ours, the caller's Host would decide where it is sent. */
function checkRedirect({ host, redirect }: Route, report: Report): void {
  if (redirect?.scheme === undefined || redirect.host !== undefined || host !== undefined) return;
  report(["redirect", "scheme"], "a host too, here or on the route: a caller could choose it");
}

/** What decides whether an answer comes whole and as it is. */
const ASKED_WHOLE: ReadonlySet<string> = new Set(["accept-encoding", "if-range", "range"]);

/** Fields that another option of the route writes. */
function checkFields(route: Route, report: Report): void {
  const injected = credentialField(route.credentials);
  if (injected !== undefined) {
    for (const { name, path } of changed("request", route.request)) {
      if (spokenName(name) === spokenName(injected)) {
        report(path, "another name: credentials writes this one");
      }
    }
  }
  if (route.response?.body !== undefined) {
    for (const { name, path } of changed("request", route.request)) {
      if (ASKED_WHOLE.has(spokenName(name))) {
        report(path, "another name: response.body asks for whole answers without a coding");
      }
    }
  }
  if (route.cors === undefined) return;
  for (const { name, path } of changed("response", route.response)) {
    if (spokenName(name).startsWith("access-control-")) {
      report(path, "another name: cors writes this one");
    }
  }
}

function changed(
  side: "request" | "response",
  changes: ResponseChanges | undefined,
): { readonly name: string; readonly path: (string | number)[] }[] {
  const { set = [], add = [], rename = [], remove = [] } = changes?.headers ?? {};
  const at = [side, "headers"];
  return [
    ...set.map(({ name, key }) => ({ name, path: [...at, "set", key] })),
    ...add.map(({ name, key }) => ({ name, path: [...at, "add", key] })),
    ...rename.flatMap(({ from, to, key }) =>
      [from, to].map((name) => ({ name, path: [...at, "rename", key] })),
    ),
    ...remove.map((name, index) => ({ name, path: [...at, "remove", index] })),
  ];
}
