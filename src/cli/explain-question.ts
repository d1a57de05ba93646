/**
 * `sallyport explain --as PRINCIPAL METHOD URL`: what the policies of the configuration would say of a request
 * that was never made. Read and checked as a case of a test file is: the route is the one that the router
 * finds, and the caller one that a credential could bring about.
 */
import { loadConfig, loadOwn } from "../config/load.ts";
import { describeRoutes, testWorld } from "../config/policy-tests.ts";
import { bundlesFolder, newestBundle } from "../config/unpack-bundle.ts";
import { ConfigError, type Problem } from "../model/errors.ts";
import { isJsonObject, parseJson } from "../model/json.ts";
import type { AttributeValue } from "../model/principal.ts";
import { REASONS } from "../model/reason.ts";
import type { Vocabulary } from "../model/vocabulary.ts";
import { systemClock } from "../platform/clock.ts";
import { explainPolicies } from "../policy/explain/explanation.ts";
import { openExplainable } from "../policy/explain/open-explainable.ts";
import { requestMapping, type WrittenRequest } from "../policy/testing/test-format.ts";
import { createPrincipalReader, type Report } from "../policy/testing/test-principals.ts";
import { type Asked, readRequest, takes } from "../policy/testing/test-requests.ts";
import { sayNotTaken } from "../policy/testing/read-tests.ts";
import { explanationJson } from "../review/explain-decision.ts";
import { actionRow, questionText } from "./explanation-text.ts";

export interface QuestionOptions {
  readonly config: string;
  readonly format: "text" | "json";
  /** `User::"corp/ada"`, `Anonymous`. */
  readonly as: string;
  readonly role: readonly string[];
  readonly group: readonly string[];
  /** `name=value` each. */
  readonly attribute: readonly string[];
  readonly scope: readonly string[];
  /** `name: value` each. */
  readonly header: readonly string[];
  readonly amr: readonly string[];
  readonly acr?: string | undefined;
  /** Seconds since the login. */
  readonly age?: string | undefined;
  readonly bound?: boolean | undefined;
  /** JSON: declared values, as policies see them. */
  readonly body?: string | undefined;
  /** JSON: `{"tool":"search"}`. */
  readonly rpc?: string | undefined;
  /** `Device::"corp/laptop-7"`, or a JSON object with `id` and what else a case says of one. */
  readonly device?: string | undefined;
  readonly workload?: string | undefined;
  readonly ip?: string | undefined;
  /** RFC 3339; now when left out. */
  readonly time?: string | undefined;
}

/** 0, whatever the answer is. Throws ConfigError where the question cannot be asked. */
export async function explainQuestion(
  [method, url]: readonly [string, string],
  options: QuestionOptions,
): Promise<number> {
  const { config, vocabulary, policyFiles: files } = await loadWhole(options.config);
  const world = testWorld(describeRoutes(config), vocabulary);
  const asked = readQuestion([method, url], options, { ...world, policyIds: new Set() });
  const { request } = asked;
  if (request === undefined) return refusedBefore(asked, options);
  const set = await openExplainable({ files, vocabulary }, { clock: systemClock });
  const policies = explainPolicies(set, { request });
  if (options.format === "json") {
    process.stdout.write(`${explanationJson({ route: request.route, policies })}\n`);
    return 0;
  }
  const rows: [string, string][] = [
    ["request", `${method} ${request.host}${request.path}`],
    ["route", request.route],
    ...actionRow(request.action, request.method),
    ["caller", `${policies.principal}, from ${request.ip}`],
    ["time", new Date(request.timeMs).toISOString()],
  ];
  process.stdout.write(questionText(policies, rows));
  return 0;
}

/** Of a follower with the bundle that it took last. */
async function loadWhole(config: string): ReturnType<typeof loadConfig> {
  const own = await loadOwn(config);
  const bundle =
    own === undefined
      ? undefined
      : await newestBundle(bundlesFolder(own.config.authority.identity));
  return await loadConfig(config, { env: process.env, bundle });
}

type World = Parameters<typeof readRequest>[1]["world"];

function readQuestion(
  target: readonly [string, string],
  options: QuestionOptions,
  world: World,
): Asked {
  const problems: Problem[] = [];
  const report: Report = (_path, message, remedy) => void problems.push({ message, remedy });
  const asked = ((): Asked | undefined => {
    const principals = createPrincipalReader({}, world);
    const written = writtenPrincipal(options, world.vocabulary, report);
    const principal = written && principals.read(written, [], report);
    const request = writtenRequest(target, options, report);
    if (principal === undefined || request === undefined) return undefined;
    const at = { written: request, path: [], principal, report };
    const read = readRequest(at, { world, principals, named: {}, defaults: undefined });
    if (read?.authenticate !== undefined && !takes(read.authenticate, principal)) {
      sayNotTaken(principal, read, (message, remedy) => report([], message, remedy));
    }
    return read;
  })();
  if (asked === undefined || problems.length > 0) throw new ConfigError(problems);
  return asked;
}

function writtenPrincipal(
  { as: id, role, group, attribute }: QuestionOptions,
  { authenticators }: Vocabulary,
  report: Report,
) {
  const name = /"([^/"]*)\//.exec(id)?.[1];
  const types = authenticators.find((one) => one.name === name)?.attributes ?? {};
  const attributes: Record<string, AttributeValue> = {};
  for (const text of attribute) {
    const [own, value] = halves(text, "=");
    if (value === undefined) return report([], `--attribute ${text} has no value`, "name=value");
    const type = Object.hasOwn(types, own) ? types[own] : undefined;
    attributes[own] = attributeOf(value, type);
  }
  return {
    id,
    ...(role.length === 0 ? {} : { roles: role }),
    ...(group.length === 0 ? {} : { groups: group }),
    ...(attribute.length === 0 ? {} : { attributes }),
  };
}

/** As its declaration says; what does not fit stays a text, which is then refused as of another type. */
function attributeOf(text: string, type: string | undefined): AttributeValue {
  if (type === "bool" && (text === "true" || text === "false")) return text === "true";
  if (type === "strings") return text === "" ? [] : text.split(",");
  if (type !== "long" || !/^-?\d{1,19}$/.test(text)) return text;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

function writtenRequest(
  [method, url]: readonly [string, string],
  options: QuestionOptions,
  report: Report,
): WrittenRequest | undefined {
  const { header, scope, ip, time = new Date(systemClock.now()).toISOString() } = options;
  const headers: Record<string, string[]> = {};
  for (const text of header) {
    const [name, value] = halves(text, ":");
    if (value === undefined) {
      report([], `--header ${text} has no value`, "name: value");
      return undefined;
    }
    (headers[name] ??= []).push(value.trim());
  }
  const [path, query] = halves(url, "?");
  const target = url.startsWith("/") ? { path, ...(query !== undefined && { query }) } : { url };
  const parts = writtenParts(options, report);
  if (parts === undefined) return undefined;
  return {
    method,
    ...target,
    headers,
    scopes: scope,
    time,
    ...(ip === undefined ? {} : { ip }),
    ...parts,
  };
}

/** What a case of a test file would say: held against the schema of one, so that the same is refused. */
function writtenParts(options: QuestionOptions, report: Report): WrittenRequest | undefined {
  const { amr, acr, age, bound } = options;
  const authn = {
    ...(amr.length === 0 ? {} : { amr }),
    ...(acr === undefined ? {} : { acr }),
    ...(age === undefined ? {} : { age: /^\d{1,15}$/.test(age) ? Number(age) : age }),
    ...(bound === true ? { bound } : {}),
  };
  const parts: Record<string, unknown> = Object.keys(authn).length === 0 ? {} : { authn };
  for (const name of ["body", "rpc", "device", "workload"] as const) {
    const { [name]: text } = options;
    if (text === undefined) continue;
    const isName = (name === "device" || name === "workload") && !text.startsWith("{");
    const value = isName ? text : jsonOf(text);
    if (value === undefined) {
      report([], `--${name} is no JSON object`, OPTION_FORMS[name] ?? "");
      return undefined;
    }
    parts[name] = value;
  }
  const { data, error } = requestMapping.safeParse(parts);
  for (const { path, message } of error?.issues ?? []) {
    const [first = "", ...further] = path.map(String);
    const option = first === "authn" ? further.join(".") : [first, ...further].join(".");
    report([], `--${option}: ${message}`, OPTION_FORMS[first] ?? "seconds, 0 or more");
  }
  return data;
}

const OPTION_FORMS: Readonly<Record<string, string>> = {
  body: 'such as {"amount":1500}',
  rpc: 'such as {"tool":"search"}',
  device: 'Device::"corp/laptop-7", or {"id":"…","attributes":{…}}',
  workload: 'Workload::"mesh/spiffe://…", or {"id":"…","attributes":{…}}',
};

function jsonOf(text: string): unknown {
  try {
    const value = parseJson(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function halves(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** Policies would not be asked. */
function refusedBefore({ refused }: Asked, { format }: QuestionOptions): number {
  if (refused === undefined) throw new TypeError("a question without a request is refused");
  const { title, meaning } = REASONS[refused];
  const text = `DENIED: ${refused} (${title})\n${meaning}\n`;
  process.stdout.write(
    format === "json" ? `${explanationJson({ refused, title, meaning })}\n` : text,
  );
  return 0;
}
