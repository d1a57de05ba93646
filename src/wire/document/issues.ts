/** Turns what zod finds into problems that say what was written and what would be right. */
import type { z } from "zod";

import { type Path, pathKey } from "./place.ts";
import { isSecretPlace } from "./secret-place.ts";
import { alternativesAt, keysAt, shapeOf } from "./schema-walk.ts";
import { suggest } from "../../model/suggest.ts";
import { valueAt } from "./written.ts";

/** A problem at a path of the document; `load` adds file, line and column. */
export interface PathProblem {
  readonly path: Path;
  readonly message: string;
  readonly remedy?: string | undefined;
}

export interface IssueContext {
  readonly schema: z.core.$ZodType;
  /** Where the checked value stands in the document. */
  readonly base: Path;
  /** The checked value. */
  readonly value: unknown;
  /** What was written where something was expanded; by `pathKey` of the whole path. */
  readonly written: ReadonlyMap<string, string>;
  /** What the whole document is called; the configuration, when left out. */
  readonly whole?: string;
}

/** Checks a value; the output, or its problems. */
export function check<T extends z.ZodType>(
  schema: T,
  context: Omit<IssueContext, "schema">,
): { readonly output: z.output<T> } | { readonly problems: PathProblem[] } {
  // What reads one document once is done before a parser for it is compiled, of 1 000 routes still.
  const result = schema.safeParse(context.value, { error: remedyOf, jitless: true });
  if (result.success) return { output: result.data };
  const whole = { ...context, schema };
  const problems = result.error.issues.flatMap((issue) => toProblems(issue, whole));
  return { problems: problems.filter(isFirst) };
}

/** A text that breaks two rules of its schema is reported by the first. */
function isFirst(problem: PathProblem, index: number, all: readonly PathProblem[]): boolean {
  const before = all[index - 1];
  return before?.message !== problem.message || pathKey(before.path) !== pathKey(problem.path);
}

type Issue = z.core.$ZodIssue;

function toProblems(issue: Issue, context: IssueContext): PathProblem[] {
  const path = issue.path as (string | number)[];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => unknownKey(key, path, context));
  }
  if (issue.code === "invalid_union") return unionProblems(issue, context);
  const whole = [...context.base, ...path];
  if (issue.code === "invalid_key") {
    const remedy = issue.issues[0]?.message;
    return [{ path: whole, message: `"${path.at(-1)}" is not a valid name`, remedy }];
  }
  return [{ path: whole, message: whatIsWrong(path, context), remedy: issue.message }];
}

function unknownKey(key: string, path: Path, context: IssueContext): PathProblem {
  const known = keysAt(context.schema, path, context.value);
  const close = suggest(key, known);
  return {
    path: [...context.base, ...path, key],
    message: `unknown key "${key}"`,
    remedy: close === undefined ? `one of ${known.join(", ")}` : `did you mean "${close}"?`,
  };
}

/** The alternative that came furthest says what is wrong; where none did, the union's own message. */
function unionProblems(
  issue: Issue & { readonly code: "invalid_union" },
  context: IssueContext,
): PathProblem[] {
  const path = issue.path as (string | number)[];
  // Where an alternative has something of its own to say about the value, its type was meant.
  const meant = issue.errors.find((issues) => issues.every(({ code }) => code === "custom"));
  if (meant !== undefined) {
    return meant.flatMap((one) => toProblems({ ...one, path: [...path, ...one.path] }, context));
  }
  const chosen = chosenByKey(issue, path, context);
  if (chosen !== undefined) return chosen;
  const deepest = issue.errors
    .filter((issues) => issues.some((one) => one.path.length > 0))
    .toSorted((a, b) => a.length - b.length)[0];
  if (deepest !== undefined) {
    return deepest.flatMap((one) => toProblems({ ...one, path: [...path, ...one.path] }, context));
  }
  const written = valueAt(context.value, path);
  const names = optionsOf(issue).map(String);
  const close = typeof written === "string" ? suggest(written, names) : undefined;
  const remedy = close === undefined ? unionRemedy(issue) : `did you mean "${close}"?`;
  return [{ path: [...context.base, ...path], message: whatIsWrong(path, context), remedy }];
}

/**
 * Of alternatives that are all mappings, the first of which a key is written that it alone has: what
 * it lacks is then to be said, and not what the others would take.
 */
function chosenByKey(
  issue: Issue & { readonly code: "invalid_union" },
  path: Path,
  context: IssueContext,
): PathProblem[] | undefined {
  const written = valueAt(context.value, path);
  if (typeof written !== "object" || written === null) return undefined;
  const all = alternativesAt(context.schema, path);
  const shapes = all.map((one) => shapeOf(one));
  if (shapes.length !== issue.errors.length || shapes.includes(undefined)) return undefined;
  const owned = shapes.map((shape, own) =>
    Object.keys(shape ?? {}).filter((key) =>
      shapes.every((other, at) => at === own || !Object.hasOwn(other ?? {}, key)),
    ),
  );
  const index = owned.findIndex((keys) => keys.some((key) => Object.hasOwn(written, key)));
  const base = [...context.base, ...path];
  const [schema, issues] = [all[index], issue.errors[index]];
  if (schema === undefined || issues === undefined) {
    if (Object.keys(written).length > 0 || owned.some((keys) => keys.length === 0))
      return undefined;
    const remedy = `a mapping with ${owned.map(([key]) => key).join(" or ")}`;
    return [{ path: base, message: whatIsWrong(path, context), remedy }];
  }
  const within = { ...context, schema, base, value: written };
  const [chosen = ""] = owned[index]?.filter((key) => Object.hasOwn(written, key)) ?? [];
  const others = owned.flatMap((keys, at) => (at === index ? [] : keys));
  return issues
    .flatMap((one) => toProblems(one, within))
    .map((problem) => exclusive(problem, { base, chosen, others }));
}

/** What another alternative takes is no unknown key: it has no place beside the chosen one. */
function exclusive(
  problem: PathProblem,
  { base, chosen, others }: Readonly<Record<"base" | "others", Path>> & { readonly chosen: string },
): PathProblem {
  const key = problem.path.at(-1);
  const isOther =
    problem.path.length === base.length + 1 && key !== undefined && others.includes(key);
  if (!isOther) return problem;
  return {
    ...problem,
    message: `"${key}" cannot stand beside "${chosen}"`,
    remedy: "one of them",
  };
}

/** The union's own words, or what each alternative asks for. */
function unionRemedy(issue: Issue & { readonly code: "invalid_union" }): string {
  if (issue.message !== UNSAID) return issue.message;
  const asked = issue.errors.flatMap((issues) => issues.map(({ message }) => message));
  return [...new Set(asked)].join(", or ");
}

function whatIsWrong(path: Path, context: IssueContext): string {
  const value = valueAt(context.value, path);
  const whole = [...context.base, ...path];
  const name = whole.findLast((step) => typeof step === "string");
  const subject = typeof path.at(-1) === "number" ? `an item of "${name}"` : `"${name}"`;
  if (name === undefined) {
    return `${context.whole ?? "the configuration"} is not a mapping of keys to values`;
  }
  if (value === undefined) return `${subject} is missing`;
  const written = context.written.get(pathKey(whole));
  // Messages go into logs of builds. An expression names where a secret is, and is shown.
  const literal = typeof value === "string" && !EXPRESSION.test(value);
  if (written === undefined && literal && isSecretPlace(whole)) {
    return `${subject} cannot be what it is`;
  }
  return `${subject} cannot be ${written ?? show(value)}`;
}

const EXPRESSION = /^\$\{[^{}]*\}$/;

/** At most so much of a text is repeated in a message. */
const SHOWN = 60;

/** Of a URL: a value that is not valid is repeated in logs, and its password must not be. */
const PASSWORD = /(:\/\/[^/@\s]*?:)[^/\s]*@/;

function show(value: unknown): string {
  if (value === null) return "empty";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "this list";
  if (typeof value === "object") return "this mapping";
  if (typeof value !== "string") return `${value as number | bigint | boolean}`;
  const text = value.replace(PASSWORD, "$1***@");
  return JSON.stringify(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);
}

/** Stands for the words of a union that has none of its own. */
const UNSAID = "something else";

/** What would be right, for schemas that do not say it themselves. */
function remedyOf(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === "invalid_type") return NOUNS[issue.expected] ?? issue.expected;
  if (issue.code === "invalid_value") return oneOf(issue.values);
  if (issue.code === "too_small")
    return `at least ${issue.minimum}${unitOf(issue.origin, issue.minimum)}`;
  if (issue.code === "too_big")
    return `at most ${issue.maximum}${unitOf(issue.origin, issue.maximum)}`;
  if (issue.code === "invalid_union") return oneOf(optionsOf(issue)) ?? UNSAID;
  return undefined;
}

/** The values of a discriminator that are known; zod gives them only at run time. */
function optionsOf(issue: object): readonly unknown[] {
  return (issue as { readonly options?: readonly unknown[] }).options ?? [];
}

function oneOf(values: readonly unknown[]): string | undefined {
  if (values.length === 0) return undefined;
  return values.length === 1 ? String(values[0]) : `one of ${values.join(", ")}`;
}

const NOUNS: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a mapping of keys to values",
  record: "a mapping of names to values",
};

function unitOf(origin: string, count: number | bigint): string {
  const many = Number(count) === 1 ? "" : "s";
  if (origin === "string") return ` character${many}`;
  if (origin === "array" || origin === "set") return ` item${many}`;
  return "";
}
