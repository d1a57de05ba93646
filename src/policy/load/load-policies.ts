/**
 * Policy files in, checked policies in Cedar's JSON format out. Runs in the throwaway thread, because
 * the official engine is synchronous (some 0.7 ms a policy, parsing and validation).
 *
 * Refuses, with the place of each: what does not parse or does not validate, policies that can never
 * apply, templates (no file can link them), a missing or repeated `@id`, names of what the
 * configuration does not have, and a set without any policy.
 */
import type { Problem } from "../../model/errors.ts";
import { encodePolicyBundle } from "../bundle/policy-bundle.ts";
import { restoreIntegers, withPlaceholders } from "./big-integers.ts";
import { ADMIN_ACTIONS } from "../cedar-names.ts";
import {
  officialParts,
  officialPolicyJson,
  officialValidate,
  type OfficialError,
} from "../official/official-engine.ts";
import type { PolicyJson } from "../cedar/policy-json.ts";
import { isTooDeep, TOO_DEEP } from "./policy-depth.ts";
import { createReferenceCheck, type ReferenceFault } from "./policy-references.ts";
import {
  createPlaces,
  offsetOfByte,
  splitStatements,
  type Place,
  type Statement,
} from "./policy-text.ts";
import { createScopeCheck, type ScopeFault } from "./operation-scopes.ts";
import { createRepresentatives, speaksOfAdmin } from "./representatives.ts";
import { buildSchema, withOnlyActions, type SchemaJson } from "./schema.ts";
import { collectData, type CollectedData } from "../data/collect-data.ts";
import { isDataFile } from "../data/data-document.ts";
import type { FileEntity } from "../data/file-entity.ts";
import type { PolicyFile, PolicySource } from "../policy-source.ts";
import { readStepUp, STEP_UP_ANNOTATION, STEP_UP_REMEDY } from "../step-up.ts";

/** One policy that passed every check. */
export interface LoadedPolicy {
  readonly id: string;
  /** A PolicyJson as text: cheaper to hand to another thread than the object. */
  readonly json: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface LoadResult {
  readonly problems: readonly Problem[];
  /** What does not keep the set from being used: e.g. identifiers that mix scripts. */
  readonly warnings: readonly Problem[];
  /** In the order of the files; empty when there are problems. */
  readonly policies: readonly LoadedPolicy[];
  /** What data files say of principals, roles and groups. */
  readonly entities: readonly FileEntity[];
  /** Of the files and the words: the policy bundle is known by it. */
  readonly hash: string;
}

const LIMITS = {
  /** Ids are in every audit record and in metrics. */
  idLength: 128,
  /** Actions that are validated for in one call. */
  actionsPerCall: 16,
} as const;

const ID = /^[\x21-\x7e][\x20-\x7e]*$/;
/** Warnings of the validator that are problems to us: a `forbid` that never applies is a hole. */
const IMPOSSIBLE = /is impossible|applicable action/;
const IMPOSSIBLE_REMEDY = "remove it, or mend what makes it false for every request";
const ADMIN_REMEDY =
  'name what it permits in its scope, such as action in Sallyport::Action::"admin": ' +
  "a permit without an action never opens the admin API";
const BLIND_REMEDY =
  "declare it under admin.attributes, or add resource is Sallyport::Route to the scope; " +
  "until then it denies every call of the admin API for which it is read";
const OWN_IDS = "sallyport:";
const ID_REMEDY = 'begin it with @id("a-name-of-its-own")';

export function loadPolicies(source: PolicySource): LoadResult {
  const data = collectData(
    source.files.filter(({ name }) => isDataFile(name)),
    source.vocabulary,
  );
  const built = buildSchema(source.vocabulary, data.attributes);
  if (built.problems !== undefined) {
    return { problems: [...data.problems, ...built.problems], ...NOTHING };
  }
  const load = new Load(source, { data, schema: built.schema });
  for (const { name, text } of source.files) {
    if (!isDataFile(name)) load.addFile({ name, text, placeOf: createPlaces(text) });
  }
  load.validate();
  return load.result();
}

const NOTHING = { warnings: [], policies: [], entities: [], hash: "" } as const;

/** What policies are written against. */
interface Ground {
  readonly data: CollectedData;
  readonly schema: SchemaJson;
}

interface SourceFile extends PolicyFile {
  readonly placeOf: (offset: number) => Place;
}

interface Parsed {
  readonly id: string;
  readonly file: SourceFile;
  readonly statement: Statement;
  readonly json: PolicyJson;
  /** The JSON as text, integers restored. */
  readonly text: string;
}

class Load {
  readonly #task: PolicySource;
  readonly #ground: Ground;
  readonly #problems: Problem[];
  readonly #warnings: Problem[] = [];
  readonly #parsed: Parsed[] = [];
  readonly #byId = new Map<string, Parsed>();
  readonly #checkReferences: (statement: Statement) => readonly ReferenceFault[];
  readonly #checkScope: (json: PolicyJson) => ScopeFault | undefined;
  #broken = false;

  constructor(task: PolicySource, ground: Ground) {
    this.#task = task;
    this.#ground = ground;
    this.#problems = [...ground.data.problems];
    this.#checkReferences = createReferenceCheck(ground.data.names);
    this.#checkScope = createScopeCheck(task.vocabulary);
  }

  addFile(file: SourceFile): void {
    const statements = splitStatements(file.text);
    const deep = statements.filter(isTooDeep);
    for (const { start } of deep) {
      this.#report(file, start, TOO_DEEP);
    }
    if (deep.length > 0) return;
    const parts = this.#guarded(file, () => officialParts(file.text));
    if (parts === undefined) return;
    if (parts.errors !== undefined) {
      this.#reportOfficial(parts.errors, file, 0);
      return;
    }
    const { policies, templates } = parts.value;
    if (!sameTexts(statements, [...policies, ...templates])) {
      throw new TypeError(`${file.name} was cut into other policies than the official parser's`);
    }
    for (const statement of statements) this.#addStatement(file, statement);
  }

  /** Those that need the same few actions together, since each call reads the schema anew. */
  validate(): void {
    const { schema } = this.#ground;
    const actionsOf = createRepresentatives(this.#task.vocabulary);
    const groups = Map.groupBy(this.#parsed, (policy) => actionsOf(policy)?.join(" "));
    for (const { actions, policies } of inFewCalls(groups)) {
      const part =
        actions === undefined ? schema : withOnlyActions(schema, actions, namesIn(policies));
      this.#validateGroup(policies, part);
    }
    if (this.#task.vocabulary.admin !== undefined) this.#validateForAdmin();
  }

  /**
   * A `forbid` without an action counts for the admin API too. One that reads there what is not there
   * errs, and so denies: worth saying, but no problem, since it is on the safe side.
   */
  #validateForAdmin(): void {
    const group = this.#parsed.filter(
      (policy) => policy.json.effect === "forbid" && isForRoutesAsWritten(policy),
    );
    const [first] = group;
    if (first === undefined || this.#problems.length > 0) return;
    const schema = withOnlyActions(this.#ground.schema, new Set([ADMIN_ACTIONS[0]?.id ?? ""]));
    const texts = Object.fromEntries(group.map(({ statement }, index) => [index, statement.text]));
    const answer = this.#guarded(first.file, () => officialValidate(schema, texts));
    for (const error of answer?.errors ?? []) {
      const message = `on the admin API: ${plain(error.message)}`;
      this.#place({ ...error, message, help: BLIND_REMEDY }, group, this.#warnings);
    }
  }

  result(): LoadResult {
    if (this.#parsed.length === 0 && this.#problems.length === 0) {
      this.#problems.push({
        message: "there is no policy, so that everything would be denied",
        remedy: "write at least one, or name the folder that has them",
      });
    }
    const failed = this.#problems.length > 0;
    return {
      problems: inOrder(this.#problems, this.#task.files),
      warnings: inOrder(this.#warnings, this.#task.files),
      hash: encodePolicyBundle(this.#task).hash,
      entities: failed ? [] : this.#ground.data.entities,
      policies: failed
        ? []
        : this.#parsed.map(({ id, text, file, statement }) => ({
            id,
            json: text,
            file: file.name,
            ...file.placeOf(statement.start),
          })),
    };
  }

  #addStatement(file: SourceFile, statement: Statement): void {
    if (statement.tokens.some(({ kind }) => kind === "slot")) {
      this.#report(file, statement.start, {
        message: "templates cannot be linked from policy files",
        remedy: "write the entity in place of the slot",
      });
      return;
    }
    const { text, placeholders } = withPlaceholders(statement);
    const parsed = this.#guarded(file, () => officialPolicyJson(text));
    if (parsed === undefined) return;
    if (parsed.errors !== undefined) {
      this.#reportOfficial(parsed.errors, file, statement.start);
      return;
    }
    const json = parsed.value;
    restoreIntegers(json, placeholders);
    for (const { offset, message, remedy } of this.#checkReferences(statement)) {
      this.#report(file, offset, { message, remedy });
    }
    const scope = this.#checkScope(json);
    if (scope !== undefined) this.#report(file, statement.start, scope);
    const id = json.annotations?.["id"] ?? "";
    const policy = { id, file, statement, json, text: JSON.stringify(json) };
    this.#checkId(policy);
    this.#checkStepUp(policy);
    this.#parsed.push(policy);
  }

  #checkId(policy: Parsed): void {
    const { id, file, statement } = policy;
    const first = this.#byId.get(id);
    if (id.startsWith(OWN_IDS)) {
      this.#report(file, statement.start, {
        message: `the policy's @id begins with '${OWN_IDS}', as only built-in policies do`,
        remedy: ID_REMEDY,
      });
    } else if (id === "") {
      this.#report(file, statement.start, {
        message: "the policy has no @id, and decisions are recorded by it",
        remedy: ID_REMEDY,
      });
    } else if (id.length > LIMITS.idLength || !ID.test(id)) {
      this.#report(file, statement.start, {
        message: "the policy's @id is not printable ASCII or too long",
        remedy: `at most ${String(LIMITS.idLength)} characters, such as @id("billing-admins")`,
      });
    } else if (first !== undefined) {
      const { line } = first.file.placeOf(first.statement.start);
      this.#report(file, statement.start, {
        message: `a policy called '${id}' is already in ${first.file.name}:${String(line)}`,
        remedy: "give each policy an @id of its own",
      });
    } else {
      this.#byId.set(id, policy);
    }
  }

  #checkStepUp({ json, file, statement }: Parsed): void {
    const text = json.annotations?.[STEP_UP_ANNOTATION];
    if (text === undefined) return;
    const message =
      json.effect === "permit"
        ? "@step_up on a permit: only what forbids can be overcome by a login"
        : readStepUp(text ?? "") === undefined
          ? "the policy's @step_up cannot be read"
          : undefined;
    if (message !== undefined) {
      this.#report(file, statement.start, { message, remedy: STEP_UP_REMEDY });
    }
  }

  #validateGroup(group: readonly Parsed[], schema: SchemaJson): void {
    const [first] = group;
    if (first === undefined) return;
    // By number: ids may be missing or repeated here, and all problems are wanted in one pass.
    const texts = Object.fromEntries(group.map(({ statement }, index) => [index, statement.text]));
    const answer = this.#guarded(first.file, () => officialValidate(schema, texts));
    if (answer === undefined) return;
    const failed = new Set((answer.errors ?? []).map(({ policyId }) => policyId));
    for (const error of answer.errors ?? []) this.#place(error, group, this.#problems);
    for (const warning of answer.warnings) {
      if (!IMPOSSIBLE.test(warning.message)) this.#place(warning, group, this.#warnings);
      else if (!failed.has(warning.policyId)) {
        const policy = group[Number(warning.policyId ?? "0")];
        const shut = policy?.json.action.op === "All" && speaksOfAdmin(policy.statement);
        const help = shut ? ADMIN_REMEDY : IMPOSSIBLE_REMEDY;
        this.#place({ ...warning, help }, group, this.#problems);
      }
    }
  }

  #place(error: OfficialError, group: readonly Parsed[], target: Problem[]): void {
    const policy = group[Number(error.policyId ?? "0")];
    if (policy === undefined)
      throw new TypeError("the validator names a policy that it was not given");
    const { statement, file } = policy;
    target.push(officialProblem(error, { file, text: statement.text, start: statement.start }));
  }

  /** Undefined when the engine broke: it cannot be asked again, and the load has failed. */
  #guarded<T>(file: SourceFile, ask: () => T): T | undefined {
    if (this.#broken) return undefined;
    try {
      return ask();
    } catch (error) {
      this.#broken = true;
      this.#problems.push({
        file: file.name,
        message: `the official Cedar engine gave up on this file (${String(error)})`,
        remedy: "look for a policy that is very long or deeply nested",
      });
      return undefined;
    }
  }

  #report(file: SourceFile, offset: number, what: { message: string; remedy: string }): void {
    this.#problems.push({ file: file.name, ...file.placeOf(offset), ...what });
  }

  #reportOfficial(errors: readonly OfficialError[], file: SourceFile, start: number): void {
    const text = file.text.slice(start);
    for (const error of errors) this.#problems.push(officialProblem(error, { file, text, start }));
  }
}

interface Call {
  /** Undefined: all. */
  readonly actions: Set<string> | undefined;
  readonly policies: Parsed[];
}

/**
 * Policies that need few actions go together up to a bound: what a scope excludes costs the validator
 * little, while each call reads the schema, which costs a millisecond or more.
 */
function inFewCalls(groups: ReadonlyMap<string | undefined, readonly Parsed[]>): readonly Call[] {
  const calls: Call[] = [];
  let shared: Call = { actions: new Set(), policies: [] };
  for (const [key = "", policies] of [...groups].toSorted(([a = ""], [b = ""]) =>
    a < b ? -1 : 1,
  )) {
    if (key === "") {
      calls.push({ actions: undefined, policies: [...policies] });
      continue;
    }
    const actions = new Set([...(shared.actions ?? []), ...key.split(" ")]);
    if (actions.size <= LIMITS.actionsPerCall) shared = { actions, policies: shared.policies };
    else {
      calls.push(shared);
      shared = { actions: new Set(key.split(" ")), policies: [] };
    }
    shared.policies.push(...policies);
  }
  return shared.policies.length === 0 ? calls : [...calls, shared];
}

/** Says of an id whether one of the policies may name it. */
function namesIn(policies: readonly Parsed[]): (id: string) => boolean {
  const names = new Set<string>();
  for (const { statement } of policies) {
    for (const { kind, text } of statement.tokens) {
      // An escape could hide any name.
      if (kind === "string" && text.includes("\\")) return () => true;
      if (kind === "string") names.add(text.slice(1, -1));
    }
  }
  return (id) => names.has(id);
}

/** Without an action in its scope, and nothing in it that is of the admin API. */
function isForRoutesAsWritten(policy: Parsed): boolean {
  return policy.json.action.op === "All" && !speaksOfAdmin(policy.statement);
}

interface Origin {
  readonly file: SourceFile;
  /** What the engine was given, and where in the file it begins. */
  readonly text: string;
  readonly start: number;
}

function officialProblem(error: OfficialError, { file, text, start }: Origin): Problem {
  const byte = error.startByte;
  const offset = start + (byte === undefined ? 0 : offsetOfByte(text, byte));
  return {
    file: file.name,
    ...file.placeOf(offset),
    message: plain(error.message),
    ...(error.help === undefined ? {} : { remedy: plain(error.help) }),
  };
}

/** The place says which policy it is, and what fails for one action fails for all. */
function plain(message: string): string {
  return message
    .replace(/^for policy `[^`]*`, /, "")
    .replace(/ in context for \S*Action::"[^"]*" not found/, " in context not found");
}

function sameTexts(statements: readonly Statement[], texts: readonly string[]): boolean {
  const ours = statements.map(({ text }) => text).toSorted();
  const theirs = texts.toSorted();
  return ours.length === theirs.length && ours.every((text, index) => text === theirs[index]);
}

function inOrder(problems: readonly Problem[], files: readonly PolicyFile[]): Problem[] {
  const rank = new Map(files.map(({ name }, index) => [name, index]));
  const place = ({ file }: Problem): number => rank.get(file ?? "") ?? -1;
  const distinct = new Map(problems.map((problem) => [JSON.stringify(problem), problem]));
  return [...distinct.values()].toSorted(
    (left, right) =>
      place(left) - place(right) ||
      (left.line ?? 0) - (right.line ?? 0) ||
      (left.column ?? 0) - (right.column ?? 0),
  );
}
