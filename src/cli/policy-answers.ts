/**
 * `sallyport policy who-can ACTION RESOURCE` and `what-can PRINCIPAL`: what policies answer to callers
 * who are known before any comes: yes, no, or depends, with the clauses on which it does. No request is
 * made; what a provider puts into its tokens is not known.
 */
import { dirname, join } from "node:path";
import { inspectConfig } from "../config/load.ts";
import { ConfigError, type Problem } from "../model/errors.ts";
import type { PrincipalKind } from "../model/principal.ts";
import { suggest } from "../model/suggest.ts";
import { systemClock } from "../platform/clock.ts";
import { answer, type Answer, type KnownContext } from "../policy/answers/answer.ts";
import { callerOf, knownCallers } from "../policy/answers/known-callers.ts";
import { encodePolicyBundle } from "../policy/bundle/policy-bundle.ts";
import { PRINCIPAL_TYPES, READ, sallyportUid, WRITE } from "../policy/cedar-names.ts";
import { groupFault, roleFault } from "../policy/asserted-names.ts";
import { compileVerified, verifyPolicies } from "../policy/compile-policies.ts";
import { clausedPolicies } from "../policy/explain/claused-policies.ts";
import type { ExplainableSet } from "../policy/explain/explanation.ts";
import { FindingSubject, halves, type Source, type Target } from "../policy/findings/subject.ts";
import { plain, table } from "./table.ts";

export interface AnswerOptions {
  readonly config: string;
  readonly format: "text" | "json";
  /** `name=value` each. */
  readonly context: readonly string[];
  /** Where it is printed; standard output when left out. */
  readonly write?: (text: string) => void;
}

export interface WhatOptions extends AnswerOptions {
  readonly role: readonly string[];
  readonly group: readonly string[];
}

interface Row extends Answer {
  readonly who: string;
  readonly action: string;
  readonly resource: string;
}

/** Always 0: to ask is not to check. Throws where the configuration does not load, or has no such thing. */
export async function whoCan(
  action: string,
  resource: string,
  options: AnswerOptions,
): Promise<number> {
  const { subject, set } = await readSet(options.config);
  const context = contextOf(options.context);
  const named = targetsOf(subject, resource);
  const targets = named.filter((target) => actionsOf(target, action).length > 0);
  const rows = targets.flatMap((target) => {
    const callers = knownCallers(subject, target);
    return actionsOf(target, action).flatMap((one) =>
      callers.map((caller) => ({
        who: caller.who,
        action: one,
        resource: uidText(target),
        ...answer(set, caller, { target, action: one, context }),
      })),
    );
  });
  if (rows.length === 0) throw unknownAction(action, named);
  const isGroup = rows.some((row) => row.action !== action);
  print(rows, options, ({ who, action: one, resource: on }) => [
    who,
    ...(isGroup ? [one] : []),
    ...(targets.length > 1 ? [on] : []),
  ]);
  return 0;
}

/** The action itself, or all that are in the group of that name: `read`, `billing/invoices`, a method's operations. */
function actionsOf({ actions }: Target, name: string): readonly string[] {
  const { key } = sallyportUid("Action", name);
  return actions
    .filter(({ id, ancestors }) => id === name || ancestors.has(key))
    .map(({ id }) => id);
}

export async function whatCan(principal: string, options: WhatOptions): Promise<number> {
  const { subject, set } = await readSet(options.config);
  const context = contextOf(options.context);
  const source = sourceOf(subject, principal);
  const named = source.authenticator === undefined ? undefined : subjectOf(principal);
  checkNames(subject, source, options);
  const caller = callerOf(subject, source, {
    ...(named === undefined ? {} : { named }),
    roles: options.role,
    groups: options.group,
  });
  const taking = [...subject.targets, ...subject.issuing].filter(({ sources }) =>
    sources.some((one) => one.authenticator === source.authenticator && one.kind === source.kind),
  );
  const rows = taking.flatMap((target) =>
    target.actions.map(({ id: action }) => ({
      who: caller.who,
      action,
      resource: uidText(target),
      ...answer(set, caller, { target, action, context }),
    })),
  );
  if (options.format === "text") (options.write ?? toStdout)(`${plain(caller.who)}\n`);
  print(rows, options, ({ resource, action }) => [resource, action]);
  return 0;
}

interface ReadSet {
  readonly subject: FindingSubject;
  readonly set: ExplainableSet;
  /** What records call these policies: files by their names in the configuration's folder. */
  readonly bundle: string;
}

/** The policies of a configuration, and all that is known of who may come. Throws ConfigError. */
export async function readSet(config: string): Promise<ReadSet> {
  const { loaded, facts, problems } = await inspectConfig(config);
  if (loaded === undefined && problems.length > 0) throw new ConfigError(problems);
  if (loaded === undefined || facts === undefined) {
    throw refused(
      config,
      "its services, routes and policies come over the feed",
      "ask at the authority",
    );
  }
  const { vocabulary, policyFiles } = loaded;
  const { hash: bundle } = encodePolicyBundle({ files: policyFiles, vocabulary });
  const folder = dirname(config);
  // As whoever asks would open them: the hash of these would depend on where they ask.
  const files = policyFiles.map(({ name, text }) => ({ name: join(folder, name), text }));
  const { verified, problems: wrong } = await verifyPolicies({ files, vocabulary });
  if (verified === undefined) throw new ConfigError(wrong);
  const compiled = await compileVerified(verified, vocabulary, { clock: systemClock });
  if (compiled.policies === undefined) throw new ConfigError(compiled.problems);
  const subject = new FindingSubject({ ...verified, files, vocabulary, written: facts() });
  const policies = clausedPolicies(files, verified.policies);
  return { subject, set: { policies, gate: compiled.policies }, bundle };
}

/** Nobody can have a role that no credential brings: an answer about him would say nothing. */
function checkNames(
  { vocabulary }: FindingSubject,
  { authenticator }: Source,
  { role, group }: Pick<WhatOptions, "role" | "group">,
): void {
  const words = vocabulary.authenticators.find(({ name }) => name === authenticator);
  const [fault] =
    words === undefined
      ? []
      : [
          ...role.map((one) => roleFault(one, words)),
          ...group.map((one) => groupFault(one, words)),
        ].filter((one) => one !== undefined);
  if (fault !== undefined) throw refused(undefined, fault.message, fault.remedy);
}

/** `billing`, `Route::"billing"`, `Service::"billing"` (each of its routes, and its keys), `Admin`. */
function targetsOf(
  { targets: served, issuing }: FindingSubject,
  resource: string,
): readonly Target[] {
  const targets = [...served, ...issuing];
  const [, type, quoted] = /^(?:Sallyport::)?(Route|Service)::"(.*)"$/.exec(resource) ?? [];
  const name = quoted ?? resource;
  const found = targets.filter(({ name: own, service, admin }) => {
    if (admin) return resource === "Admin";
    return type === "Service" ? service === name : own === name;
  });
  if (found.length > 0) return found;
  const names = targets.map(({ name: own, admin }) => (admin ? "Admin" : own));
  const close = suggest(name, names);
  throw refused(
    undefined,
    `there is no resource ${JSON.stringify(resource)}`,
    close === undefined ? 'a route, Service::"name" or Admin' : `did you mean "${close}"?`,
  );
}

function unknownAction(action: string, targets: readonly Target[]): ConfigError {
  const ids = [...new Set(targets.flatMap(({ actions }) => actions.map(({ id }) => id)))];
  const close = suggest(action, [...ids, READ, WRITE]);
  const remedy =
    close === undefined ? `one of ${ids.slice(0, 10).join(", ")}` : `did you mean "${close}"?`;
  return refused(
    undefined,
    `there is no action ${JSON.stringify(action)} on that resource`,
    remedy,
  );
}

/** `User::"corp/alice"`, `User::"corp/*"` for anybody, `corp/alice` where the kind is certain, `anonymous`. */
function sourceOf({ vocabulary }: FindingSubject, principal: string): Source {
  if (/^anonymous$/i.test(principal)) return { authenticator: undefined, kind: "anonymous" };
  const [, type, quoted] = /^(?:Sallyport::)?(User|Workload|Device)::"(.*)"$/.exec(principal) ?? [];
  const [owner] = halves(quoted ?? principal);
  const words = vocabulary.authenticators.find(({ name }) => name === owner);
  const kinds = words?.kinds ?? [];
  const kind = type === undefined ? (kinds.length === 1 ? kinds[0] : undefined) : KINDS.get(type);
  if (kind === undefined || !kinds.includes(kind)) {
    const names = vocabulary.authenticators.map(({ name }) => name).join(", ");
    const message = `nobody can be ${principal}`;
    throw refused(undefined, message, `such as User::"<authenticator>/<subject>", of ${names}`);
  }
  return { authenticator: owner, kind };
}

const KINDS: ReadonlyMap<string, PrincipalKind> = new Map(
  Object.entries(PRINCIPAL_TYPES).map(([kind, type]) => [type, kind as PrincipalKind]),
);

/** Undefined for `*`: anybody. */
function subjectOf(principal: string): string | undefined {
  const [, own] = halves(/"(.*)"$/.exec(principal)?.[1] ?? principal);
  return own === "*" ? undefined : own;
}

function contextOf(given: readonly string[]): KnownContext {
  const known: Record<string, unknown> = {};
  for (const one of given) {
    const at = one.indexOf("=");
    const [name, value] = [one.slice(0, Math.max(at, 0)), one.slice(at + 1)];
    if (["path", "host", "method", "ip"].includes(name)) known[name] = value;
    else if (name === "scopes") known[name] = value.split(",").filter((scope) => scope !== "");
    else if (name === "time" && !Number.isNaN(Date.parse(value)))
      known["timeMs"] = Date.parse(value);
    else {
      const remedy = "path=…, host=…, method=…, ip=…, time=2026-12-24T18:00:00Z or scopes=a,b";
      throw refused(undefined, `the context cannot have ${JSON.stringify(one)}`, remedy);
    }
  }
  return known;
}

function uidText({ name, admin, issuing }: Target): string {
  if (issuing) return `Service::"${name}"`;
  return admin ? "Admin" : `Route::"${name}"`;
}

function refused(file: string | undefined, message: string, remedy: string): ConfigError {
  const problem: Problem = { ...(file === undefined ? {} : { file }), message, remedy };
  return new ConfigError([problem]);
}

function toStdout(text: string): void {
  process.stdout.write(text);
}

function print(
  rows: readonly Row[],
  { format, write = toStdout }: Pick<AnswerOptions, "format" | "write">,
  first: (row: Row) => readonly string[],
): void {
  if (format === "json") {
    write(`${JSON.stringify({ format: 1, answers: rows }, undefined, 2)}\n`);
    return;
  }
  const lines = rows.flatMap((row) => {
    const [why = "", ...more] = whyLines(row);
    const names = first(row);
    return [[...names, row.may, why], ...more.map((line) => [...names.map(() => ""), "", line])];
  });
  write(table(lines.map((cells) => cells.map(plain))));
}

function whyLines({ may, by, clauses }: Row): readonly string[] {
  if (may !== "depends") return [by.length === 0 ? "nothing permits it" : by.join(", ")];
  return clauses.map(
    ({ policy, effect, file, line, kind, text }) =>
      `${effect} ${policy} (${file}:${String(line)}) ${kind} ${text.replaceAll(/\s+/g, " ")}`,
  );
}
