/**
 * `sallyport policy suggest`: permits that cover what an audit log says was used, permits that nothing used,
 * and test cases for both. It writes them for a person to review, and puts nothing in force.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { RecordedDecision } from "../audit/record-schema.ts";
import { ADMIN_ROUTE } from "../model/admin-operations.ts";
import { isEgressRoute } from "../model/egress-names.ts";
import { SallyportError } from "../model/errors.ts";
import type { Vocabulary } from "../model/vocabulary.ts";
import { systemClock } from "../platform/clock.ts";
import { ACTIONS } from "../policy/cedar-names.ts";
import { operationActions } from "../policy/operation-actions.ts";
import { suggestPermits, type SuggestedPermit } from "../policy/suggest/suggest-permits.ts";
import { suggestTests } from "../policy/suggest/suggest-tests.ts";
import { Traffic } from "../policy/suggest/traffic.ts";
import { answerOf, Replay } from "../policy/replay/replay.ts";
import { createSettle } from "../policy/replay/settle.ts";
import { candidatePolicies, candidateSource } from "./candidate-source.ts";
import { logPast } from "./log-past.ts";
import { type DecisionFilter, eachDecision } from "./recorded-decisions.ts";

export interface SuggestOptions extends DecisionFilter {
  readonly config: string;
  /** `30d`. */
  readonly unusedFor: string;
  /** Folder; left out: the permits go to standard output. */
  readonly out?: string | undefined;
}

const FILES = { permits: "suggested.cedar", tests: "suggested.tests.yaml" } as const;
const DAY_MS = 86_400_000;

/** 0: written. Throws ConfigError where the configuration does not load, SallyportError where a file is there. */
export async function policySuggest(
  options: SuggestOptions,
  print: (text: string) => void,
): Promise<number> {
  const since = unusedSince(options.unusedFor);
  const source = await candidateSource(options.config, []);
  const { clauses } = await candidatePolicies(source);
  const traffic = new Traffic();
  const isKnown = createKnown(source.vocabulary);
  let unknown = 0;
  await eachDecision(options, (record) => {
    if (isKnown(record)) traffic.add(record);
    else unknown += 1;
  });
  const routes = new Set(source.vocabulary.routes.map(({ name }) => name));
  const uses = traffic.uses.filter(({ route }) => routes.has(route));
  const denied = traffic.denied.filter(({ route }) => routes.has(route));
  const permits = suggestPermits(uses, denied);
  const text = permits.map((permit) => permit.text).join("\n");
  const widened =
    permits.length === 0
      ? NONE
      : await prove(text, { source, permits, denied, from: options.from });
  const unused = clauses.filter(
    ({ id, effect }) => effect === "permit" && !((traffic.lastUseOf(id) ?? "") >= since),
  );
  const report = [
    `permits: ${permits.length}, of decisions: ${uses.reduce((sum, { count }) => sum + count, 0)}`,
    ...(traffic.beyond > 0 ? [`too much to tell apart, left out: ${traffic.beyond}`] : []),
    ...(unknown > 0 ? [`about what no policy can name, left out: ${unknown}`] : []),
    ...(widened.size > 0
      ? [`refused at times by what records do not have, and permitted: ${widened.size}`]
      : []),
    ...unusedLines(unused, { since, traffic, unusedFor: options.unusedFor }),
  ];
  const { out } = options;
  if (out === undefined) {
    print(`${report.map((line) => `// ${line}\n`).join("")}\n${text}`.trimEnd());
    return 0;
  }
  await mkdir(out, { recursive: true });
  await writeNew(join(out, FILES.permits), text);
  await writeNew(join(out, FILES.tests), suggestTests(permits, { denied, widened }));
  print(
    [
      ...report,
      `written: ${Object.values(FILES)
        .map((name) => join(out, name))
        .join(", ")}`,
    ].join("\n"),
  );
  return 0;
}

/**
 * Whether policies could be about it: its action may be gone from the configuration, or somebody may have planted
 * the line. One such text in a suggestion makes all of them none.
 */
function createKnown(vocabulary: Vocabulary): (record: RecordedDecision) => boolean {
  const actions = new Set([...ACTIONS, ...operationActions(vocabulary)].map(({ id }) => id));
  return (record) => {
    const { action, method, path = "", principal, route, scopes } = record;
    // Of these nothing is suggested.
    if (answerOf(record) === undefined || principal === undefined) return true;
    if (route === undefined || isOwn(route)) return true;
    const texts = [path, principal.authenticator, principal.subject, ...principal.roles, ...scopes];
    return actions.has(action ?? method ?? "") && texts.every((text) => text.isWellFormed());
  };
}

/** Of the admin API and the sidecar, whose actions are others. */
function isOwn(route: string): boolean {
  return route === ADMIN_ROUTE || isEgressRoute(route);
}

/**
 * Evaluates what is suggested: it has to permit all that it was made of. Ids of what it permits and was refused:
 * the same request with another header or at another time. Throws TypeError where it is not what it has to be.
 */
async function prove(
  text: string,
  given: {
    readonly source: Awaited<ReturnType<typeof candidateSource>>;
    readonly permits: readonly SuggestedPermit[];
    readonly denied: Traffic["denied"];
    readonly from: string;
  },
): Promise<ReadonlySet<string>> {
  const { source, permits, denied } = given;
  const data = source.files.filter(({ name }) => /\.(?:ya?ml|json)$/.test(name));
  const plain = { ...source, files: [{ name: FILES.permits, text }, ...data.filter(hasNoLinks)] };
  const { policies, clauses } = await candidatePolicies(plain);
  const replay = new Replay(policies, source.vocabulary, {
    settle: createSettle({ policies: clauses, gate: policies }),
    ...(await logPast(given.from)),
  });
  for (const { uses } of permits) for (const { example } of uses) replay.add(example);
  const before = replay.report();
  if (before.wouldDeny.count > 0) throw new TypeError("a suggestion does not cover its traffic");
  const widened = denied.filter(
    ({ example }) => replay.answer(example).settled?.answer?.permits === true,
  );
  return new Set(widened.map(({ example }) => example.decisionId));
}

const NONE: ReadonlySet<string> = new Set();

/** Links are of templates, which are not among what is suggested. */
function hasNoLinks({ text }: { readonly text: string }): boolean {
  return !/^links\s*:/m.test(text) && !text.includes('"links"');
}

function unusedLines(
  unused: readonly { readonly id: string; readonly file: string; readonly line: number }[],
  given: { readonly since: string; readonly traffic: Traffic; readonly unusedFor: string },
): readonly string[] {
  const { since, traffic, unusedFor } = given;
  const { first } = traffic;
  const short = first === undefined || first > since;
  const span = short ? `in the log, which begins ${first ?? "nowhere"}` : `for ${unusedFor}`;
  const listed = unused.map(({ id, file, line }) => {
    const last = traffic.lastUseOf(id);
    return `  ${id}  ${file}:${line}${last === undefined ? "" : `  last ${last.slice(0, 10)}`}`;
  });
  return [`permits that nothing used ${span}: ${unused.length}`, ...listed];
}

function unusedSince(written: string): string {
  const days = /^([1-9]\d{0,3})d$/.exec(written)?.[1];
  if (days === undefined) {
    const message = `--unused-for ${written} is no number of days; write 30d`;
    throw new SallyportError("config-invalid", message);
  }
  return new Date(systemClock.now() - Number(days) * DAY_MS).toISOString();
}

async function writeNew(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: "wx" });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    const why = code === "EEXIST" ? "is there already; name another folder" : `(${code})`;
    throw new SallyportError("io-failed", `${file} ${why}`, { cause: error });
  }
}
