/**
 * Policy files in, checked policies in Cedar's JSON format out. Runs in the throwaway thread, because
 * the official engine is synchronous (some 0.7 ms a policy, parsing and validation).
 *
 * Refuses, with the place of each: what does not parse or does not validate, policies that can never
 * apply, links that do not fill exactly the slots of a template, a missing or repeated `@id`, names of what the
 * configuration does not have, and a set without any policy.
 */
import type { Problem } from "../../model/errors.ts";
import { ISSUE_KEY_ACTION } from "../../model/issued-keys.ts";
import { encodePolicyBundle } from "../bundle/policy-bundle.ts";
import { restoreIntegers, withPlaceholders } from "./big-integers.ts";
import { ADMIN_ACTIONS, isAdminAction, NAMESPACE } from "../cedar-names.ts";
import {
  officialParts,
  officialPolicyJson,
  officialTemplateJson,
  officialValidate,
  officialValidateTemplates,
  type OfficialError,
} from "../official/official-engine.ts";
import type { PolicyJson, SlotName } from "../cedar/policy-json.ts";
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
import { createRepresentatives, speaksOfAdmin, speaksOfIssuing } from "./representatives.ts";
import { buildSchema, withOnlyActions, type SchemaJson } from "./schema.ts";
import { suggest } from "../../model/suggest.ts";
import { issuesKeys } from "../../model/vocabulary.ts";
import type { EntityUid } from "../cedar/values.ts";
import { type AnnotationFault, annotationFaults } from "./annotations.ts";
import { linkedJson, linkedStatement, slotsOf, type SlotValues } from "./linked-policy.ts";
import { shapeOf } from "./policy-shape.ts";
import { collectData, type CollectedData, type DataLink } from "../data/collect-data.ts";
import type { FileEntity } from "../data/file-entity.ts";
import { isDataFile, type PolicyFile, type PolicySource } from "../policy-source.ts";

/** One policy that passed every check. */
export interface LoadedPolicy {
  readonly id: string;
  /** A PolicyJson as text: cheaper to hand to another thread than the object. */
  readonly json: string;
  /** Of one that a link makes: where its template is. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Where it was made from a template: whose slots are filled in the JSON. */
  readonly link?: PolicyLink;
}

/** What made a policy from a template. */
export interface PolicyLink {
  /** The `@id` of the template. */
  readonly template: string;
  /** Of the link, in its data file. */
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
  /** Templates that no link fills: they decide nothing. */
  readonly unlinked: readonly LoadedPolicy[];
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
const UNKNOWN_ACTION = /^(?:for policy `[^`]*`, )?unrecognized action `\w+::Action::"([^"\\]*)"`/;
const UNKNOWN_ATTRIBUTE =
  /^(?:for policy `[^`]*`, )?attribute `([^`]*)` on entity type `\w+::(\w+)` not found/;
const OFFERED = /^did you mean `([^`]*)`/;
const OF_PRINCIPALS = "principal.attributes of the authenticators of that kind, or in a data file";
/** Where the attributes of a type come from. */
const DECLARED_UNDER: Readonly<Partial<Record<string, string>>> = {
  User: OF_PRINCIPALS,
  Workload: OF_PRINCIPALS,
  Device: OF_PRINCIPALS,
  Route: "attributes of the route or its service",
  Service: "attributes of the service",
  Admin: "admin.attributes",
};
const ACTIONS_REMEDY =
  'a method in capitals, "read" or "write", or an action that `policy schema` prints';
const IMPOSSIBLE_REMEDY = "remove it, or mend what makes it false for every request";
const ADMIN_REMEDY =
  'name what it permits in its scope, such as action in Sallyport::Action::"admin": ' +
  "a permit without an action never opens the admin API";
const BLIND_REMEDY =
  "declare it under admin.attributes, or add resource is Sallyport::Route to the scope; " +
  "until then it denies every call of the admin API for which it is read";
const KEY_BLIND_REMEDY =
  "add resource is Sallyport::Route to the scope, or name its actions; " +
  "until then it denies every key for which it is read";

/** Where a policy without an action counts beside routes. */
interface ElsewhereForbids {
  /** One of the actions there. */
  readonly action: string;
  /** Whether the policy is written with it in mind: then it was validated for it. */
  readonly speaks: (statement: Statement) => boolean;
  readonly where: string;
  readonly help: string;
}

const ADMIN_FORBIDS: ElsewhereForbids = {
  action: ADMIN_ACTIONS[0]?.id ?? "",
  speaks: speaksOfAdmin,
  where: "on the admin API",
  help: BLIND_REMEDY,
};
const KEY_FORBIDS: ElsewhereForbids = {
  action: ISSUE_KEY_ACTION,
  speaks: speaksOfIssuing,
  where: "where a key is asked for",
  help: KEY_BLIND_REMEDY,
};
const OWN_IDS = "sallyport:";
const LINK_ID_REMEDY = "an id of its own, of printable ASCII and not too long";
const ID_REMEDY = 'begin it with @id("a-name-of-its-own")';

export async function loadPolicies(source: PolicySource): Promise<LoadResult> {
  const data = await collectData(source);
  const built = buildSchema(source.vocabulary, data.attributes);
  if (built.problems !== undefined) {
    return { problems: [...data.problems, ...built.problems], ...NOTHING };
  }
  const load = new Load(source, { data, schema: built.schema });
  for (const { name, text } of source.files) {
    if (!isDataFile(name)) load.addFile({ name, text, placeOf: createPlaces(text) });
  }
  load.addLinks(data.links);
  load.validate();
  return load.result();
}

const NOTHING = { warnings: [], policies: [], unlinked: [], entities: [], hash: "" } as const;

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
  /** Of one that a link makes: with its slots filled, at offsets of its own. */
  readonly statement: Statement;
  readonly json: PolicyJson;
  /** The JSON as text, integers restored. */
  readonly text: string;
  readonly link?: Link;
}

interface Link {
  readonly data: DataLink;
  readonly template: Parsed;
}

class Load {
  readonly #task: PolicySource;
  readonly #ground: Ground;
  readonly #problems: Problem[];
  readonly #warnings: Problem[] = [];
  readonly #parsed: Parsed[] = [];
  /** They decide nothing by themselves, and are not among the policies. */
  readonly #templates: Parsed[] = [];
  /** Those of them that no link fills. */
  #unlinked: readonly Parsed[] = [];
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
    const failed = new Set<Parsed | undefined>(this.#validateAll(this.#templates));
    // What is wrong in a template is wrong in each of its policies: once is enough.
    this.#validateAll(this.#parsed.filter(({ link }) => !failed.has(link?.template)));
    if (this.#task.vocabulary.admin !== undefined) this.#validateForbids(ADMIN_FORBIDS);
    if (issuesKeys(this.#task.vocabulary)) this.#validateForbids(KEY_FORBIDS);
  }

  /** Those that are not valid. */
  #validateAll(all: readonly Parsed[]): readonly Parsed[] {
    const { schema } = this.#ground;
    const actionsOf = createRepresentatives(this.#task.vocabulary);
    const groups = Map.groupBy(all, (policy) => actionsOf(policy)?.join(" "));
    return inFewCalls(groups).flatMap(({ actions, policies }) => {
      const part =
        actions === undefined ? schema : withOnlyActions(schema, actions, namesIn(policies));
      return this.#validateGroup(policies, part);
    });
  }

  /**
   * A `forbid` without an action counts for the admin API and for keys too. One that reads there what is not
   * there errs, and so denies: worth saying, but no problem, since it is on the safe side.
   */
  #validateForbids({ action, speaks, where, help }: ElsewhereForbids): void {
    const group = this.#parsed.filter(
      ({ json, statement }) =>
        json.effect === "forbid" && json.action.op === "All" && !speaks(statement),
    );
    const [first] = group;
    if (first === undefined || this.#problems.length > 0) return;
    const schema = withOnlyActions(this.#ground.schema, new Set([action]));
    const texts = Object.fromEntries(group.map(({ statement }, index) => [index, statement.text]));
    const answer = this.#guarded(first.file, () => officialValidate(schema, texts));
    for (const error of answer?.errors ?? []) {
      const message = `${where}: ${plain(error.message)}`;
      this.#place({ ...error, message, help }, group, this.#warnings);
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
      policies: failed ? [] : this.#parsed.map(loaded),
      unlinked: failed ? [] : this.#unlinked.map(loaded),
    };
  }

  #addStatement(file: SourceFile, statement: Statement): void {
    const isTemplate = slotsOf(statement).size > 0;
    const { text, placeholders } = withPlaceholders(statement);
    const parsed = this.#guarded(file, () =>
      isTemplate ? officialTemplateJson(text) : officialPolicyJson(text),
    );
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
    for (const fault of annotationFaults(json)) this.#report(file, statement.start, fault);
    (isTemplate ? this.#templates : this.#parsed).push(policy);
  }

  /** Each makes a policy with an id of its own, behind those of the files. */
  addLinks(links: readonly DataLink[]): void {
    const templates = new Map(this.#templates.map((template) => [template.id, template]));
    const used = new Set<Parsed>();
    for (const data of links) {
      const template = templates.get(data.template);
      if (template === undefined) {
        const close = suggest(data.template, templates.keys());
        this.#problems.push({
          ...data.placeOf("template"),
          message: `there is no template called '${data.template}'`,
          remedy:
            close === undefined
              ? "the @id of a policy with ?principal or ?resource in its scope"
              : `did you mean '${close}'?`,
        });
        continue;
      }
      used.add(template);
      const values = this.#slotValues(data, template);
      if (values === undefined) continue;
      const json = linkedJson(template.json, values);
      const policy: Parsed = {
        id: data.id,
        file: template.file,
        statement: linkedStatement(template.statement, values),
        json,
        text: JSON.stringify(json),
        link: { data, template },
      };
      this.#checkId(policy);
      const scope = this.#checkScope(json);
      if (scope !== undefined) this.#problems.push({ ...data.placeOf(), ...scope });
      this.#parsed.push(policy);
    }
    this.#unlinked = this.#templates.filter((one) => !used.has(one));
  }

  /** Undefined where not exactly the slots of the template are filled. */
  #slotValues(data: DataLink, template: Parsed): SlotValues | undefined {
    const slots = slotsOf(template.statement);
    const values = new Map<SlotName, EntityUid>();
    let fits = true;
    for (const key of ["principal", "resource"] as const) {
      const slot = `?${key}` as const;
      const { [key]: uid } = data;
      if (uid !== undefined) values.set(slot, uid);
      if ((uid !== undefined) === slots.has(slot)) continue;
      fits = false;
      this.#problems.push(
        uid === undefined
          ? {
              ...data.placeOf(),
              message: `the link does not say the ${key}, for which the template '${template.id}' has a slot`,
              remedy: `${key}: with an entity`,
            }
          : {
              ...data.placeOf(key),
              message: `the template '${template.id}' has no slot ${slot}`,
              remedy: `no ${key} here, or ${slot} in the template's scope`,
            },
      );
    }
    return fits ? values : undefined;
  }

  #checkId(policy: Parsed): void {
    const { id, link } = policy;
    const first = this.#byId.get(id);
    const fault = idFault(id) ?? (first === undefined ? undefined : takenFault(id, placeOf(first)));
    if (fault === undefined) this.#byId.set(id, policy);
    else if (link === undefined) this.#problems.push({ ...placeOf(policy), ...fault });
    else {
      const message = fault.message.replace("policy's @id", "link's id");
      this.#problems.push({ ...placeOf(policy), message, remedy: LINK_ID_REMEDY });
    }
  }

  #validateGroup(group: readonly Parsed[], schema: SchemaJson): readonly Parsed[] {
    const shapes = [...Map.groupBy(group, ({ statement }) => shapeOf(statement)).values()];
    const first = this.#validateEach(
      shapes.flatMap((alike) => alike.slice(0, 1)),
      schema,
    );
    // Each has a place of its own.
    const others = shapes.flatMap(([one, ...alike]) => (first.has(one) ? alike : []));
    const failed = new Set([...first, ...this.#validateEach(others, schema)]);
    return group.filter((policy) => failed.has(policy));
  }

  /** Those of which something is to be said. */
  #validateEach(group: readonly Parsed[], schema: SchemaJson): ReadonlySet<Parsed | undefined> {
    const [first] = group;
    if (first === undefined) return new Set();
    // By number: ids may be missing or repeated here, and all problems are wanted in one pass.
    const texts = Object.fromEntries(group.map(({ statement }, index) => [index, statement.text]));
    const validateTexts = this.#templates.includes(first)
      ? officialValidateTemplates
      : officialValidate;
    const answer = this.#guarded(first.file, () => validateTexts(schema, texts));
    if (answer === undefined) return new Set();
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
    const named = [...(answer.errors ?? []), ...answer.warnings];
    return new Set(named.map(({ policyId }) => group[Number(policyId ?? "0")]));
  }

  #place(error: OfficialError, group: readonly Parsed[], target: Problem[]): void {
    const policy = group[Number(error.policyId ?? "0")];
    if (policy === undefined)
      throw new TypeError("the validator names a policy that it was not given");
    const { statement, file, link } = policy;
    if (link !== undefined) {
      const { message, help } = { ...error, ...this.#betterHelp(error) };
      target.push({
        ...link.data.placeOf(),
        message: `what it makes of the template '${link.template.id}' is not valid: ${plain(message)}`,
        ...(help === undefined ? {} : { remedy: plain(help) }),
      });
      return;
    }
    const origin = { file, text: statement.text, start: statement.start };
    target.push(officialProblem({ ...error, ...this.#betterHelp(error) }, origin));
  }

  /** The engine offers the nearest name by its measure, however far: `DELET` is `GET` to it. */
  #betterHelp({ message, help }: OfficialError): Pick<OfficialError, "help"> | undefined {
    const action = UNKNOWN_ACTION.exec(message)?.[1];
    if (action === undefined) return attributeHelp(message, help);
    const actions = Object.keys(this.#ground.schema[NAMESPACE]?.actions ?? {});
    const close = suggest(action, actions);
    return {
      help:
        close === undefined ? ACTIONS_REMEDY : `did you mean \`${NAMESPACE}::Action::"${close}"\`?`,
    };
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
  // A policy for routes is not asked what it would be on the admin API, or about a key.
  const shared = new Map<string, Call>();
  for (const [key = "", policies] of [...groups].toSorted(([a = ""], [b = ""]) =>
    a < b ? -1 : 1,
  )) {
    if (key === "") {
      calls.push({ actions: undefined, policies: [...policies] });
      continue;
    }
    const own = key.split(" ");
    const where = `${String(own.some(isAdminAction))} ${String(own.includes(ISSUE_KEY_ACTION))}`;
    const open = shared.get(where);
    const actions = new Set([...(open?.actions ?? []), ...own]);
    if (open !== undefined && actions.size > LIMITS.actionsPerCall) {
      calls.push(open);
      shared.set(where, { actions: new Set(own), policies: [...policies] });
    } else {
      shared.set(where, { actions, policies: [...(open?.policies ?? []), ...policies] });
    }
  }
  return [...calls, ...shared.values()];
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

function loaded(policy: Parsed): LoadedPolicy {
  const { id, text, link } = policy;
  if (link === undefined) return { id, json: text, ...placeOf(policy) };
  const { file = "", line = 1, column = 1 } = link.data.placeOf();
  const made = { template: link.template.id, file, line, column };
  return { id, json: text, ...placeOf(link.template), link: made };
}

/** Of one that a link makes: of the link's id. */
function placeOf({ file, statement, link }: Parsed): Place & { readonly file: string } {
  if (link === undefined) return { file: file.name, ...file.placeOf(statement.start) };
  const { file: name = "", line = 1, column = 1 } = link.data.placeOf("id");
  return { file: name, line, column };
}

function idFault(id: string): AnnotationFault | undefined {
  if (id.startsWith(OWN_IDS)) {
    const message = `the policy's @id begins with '${OWN_IDS}', as only built-in policies do`;
    return { message, remedy: ID_REMEDY };
  }
  if (id === "") {
    const message = "the policy has no @id, and decisions are recorded by it";
    return { message, remedy: ID_REMEDY };
  }
  if (id.length <= LIMITS.idLength && ID.test(id)) return undefined;
  return {
    message: "the policy's @id is not printable ASCII or too long",
    remedy: `at most ${String(LIMITS.idLength)} characters, such as @id("billing-admins")`,
  };
}

function takenFault(
  id: string,
  { file, line }: { readonly file: string; readonly line: number },
): AnnotationFault {
  const message = `a policy called '${id}' is already in ${file}:${String(line)}`;
  return { message, remedy: "give each policy an @id of its own" };
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

/** The engine does not know where attributes are declared. */
function attributeHelp(
  message: string,
  said: string | undefined,
): Pick<OfficialError, "help"> | undefined {
  const [, name = "", type = ""] = UNKNOWN_ATTRIBUTE.exec(message) ?? [];
  const declared = DECLARED_UNDER[type];
  const offered = OFFERED.exec(said ?? "")?.[1];
  if (declared === undefined || (offered !== undefined && suggest(name, [offered]) !== undefined)) {
    return undefined;
  }
  return { help: `declare it under ${declared}; or name one that there is` };
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
