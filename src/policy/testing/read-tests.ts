/**
 * Test files to cases that can be run: tables unfolded, names looked up, requests as the gate would ask
 * them. Says everything that is wrong with them, each at its place.
 */
import type { Problem } from "../../model/errors.ts";
import { suggest } from "../../model/suggest.ts";
import type { PolicyRequest } from "../../model/policy.ts";
import type { Principal } from "../../model/principal.ts";
import { check } from "../../wire/document/issues.ts";
import type { Path } from "../../wire/document/place.ts";
import { type PlaceOf, readDocument } from "../../wire/document/read-document.ts";
import type { PolicyFile } from "../policy-source.ts";
import { type Unfolded, unfold } from "./table.ts";
import {
  caseSchema,
  type Expectation,
  fileSchema,
  TEST_LIMITS,
  type WrittenCase,
  type WrittenFile,
} from "./test-format.ts";
import { createPrincipalReader, type PrincipalReader, type Report } from "./test-principals.ts";
import { type Asked, readRequest, takes } from "./test-requests.ts";
import type { TestWorld } from "./test-world.ts";

export interface TestCase {
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly expected: Expectation;
  /** Undefined where the router refuses it. */
  readonly request: PolicyRequest | undefined;
  readonly refused: Asked["refused"];
  readonly route: string | undefined;
}

export interface TestsRead {
  /** Those that nothing is wrong with, in the order of the files. */
  readonly cases: readonly TestCase[];
  readonly problems: readonly Problem[];
}

const KIND = { whole: "the test file", begin: "cases:" };

/** `most`: so many cases are read at most. */
export function readTests(
  files: readonly PolicyFile[],
  world: TestWorld,
  most: number = TEST_LIMITS.cases,
): TestsRead {
  const problems: Problem[] = [];
  const cases: TestCase[] = [];
  for (const file of files) {
    if (!new TestFile(file, world, { problems, cases, most }).read()) break;
  }
  return { cases, problems };
}

interface Out {
  readonly problems: Problem[];
  readonly cases: TestCase[];
  readonly most: number;
}

class TestFile {
  readonly #file: PolicyFile;
  readonly #world: TestWorld;
  readonly #out: Out;
  readonly #names = new Map<string, number>();

  constructor(file: PolicyFile, world: TestWorld, out: Out) {
    this.#file = file;
    this.#world = world;
    this.#out = out;
  }

  /** False where there are too many cases to go on. */
  read(): boolean {
    const { problems, cases, most } = this.#out;
    const document = readDocument(this.#file, fileSchema, KIND);
    if (document.problems !== undefined) {
      problems.push(...document.problems);
      return true;
    }
    const { value: file, placeOf } = document;
    const principals = createPrincipalReader(file.principals ?? {}, this.#world);
    this.#checkNamed(file, principals, placeOf);
    for (const [index, written] of file.cases.entries()) {
      const base = ["cases", index];
      const { cases: unfolded, problems: faults } = unfold(written);
      for (const fault of faults) this.#say(placeOf([...base, ...fault.path]), fault);
      for (const one of unfolded) {
        if (cases.length >= most) {
          const message = `there are more than ${most} cases`;
          this.#say(placeOf(base), { message, remedy: "fewer, or smaller tables" });
          return false;
        }
        this.#addCase(one, { file, placeOf, principals, base });
      }
    }
    return true;
  }

  /** Also those that no case uses: a mistake in one is found when it is made. */
  #checkNamed(file: WrittenFile, principals: PrincipalReader, placeOf: PlaceOf): void {
    for (const name of Object.keys(file.principals ?? {})) {
      principals.read(name, ["principals", name], (path, message, remedy) => {
        this.#say(placeOf(path), { message, remedy });
      });
    }
  }

  #addCase(
    { value, originOf, at: where }: Unfolded,
    at: {
      readonly file: WrittenFile;
      readonly placeOf: PlaceOf;
      readonly principals: PrincipalReader;
      readonly base: Path;
    },
  ): void {
    const { file, placeOf, principals, base } = at;
    const own = (path: Path): Path => [...base, ...originOf(path.slice(base.length))];
    // What stands in another part of the file keeps its place there.
    const place = (path: Path): ReturnType<PlaceOf> =>
      placeOf(path[0] === base[0] ? own(path) : path);
    const written = check(caseSchema, { base, value, written: NOTHING, whole: "the case" });
    if ("problems" in written) {
      for (const { path, ...said } of written.problems) this.#say(place(path), said);
      return;
    }
    const one = written.output;
    const before = this.#out.problems.length;
    const report: Report = (path, message, remedy) => this.#say(place(path), { message, remedy });
    const expected = expectationOf(one, { base, report, policyIds: this.#world.policyIds });
    const nameAt = placeOf([...base, ...where]);
    this.#checkName(one.name, nameAt);
    const inCase = one.principal !== undefined;
    const principal = one.principal ?? file.defaults?.principal;
    if (principal === undefined) {
      report(base, `the case "${one.name}" has no principal`, "principal: Anonymous, or another");
      return;
    }
    const principalPath = inCase ? [...base, "principal"] : ["defaults", "principal"];
    const known = principals.read(principal, principalPath, report);
    if (known === undefined) return;
    const asked = readRequest(
      {
        written: one.request ?? {},
        path: one.request === undefined ? base : [...base, "request"],
        principal: known,
        report,
      },
      {
        world: this.#world,
        principals,
        named: file.requests ?? {},
        defaults: file.defaults?.request,
      },
    );
    if (asked === undefined) return;
    if (asked.authenticate !== undefined && !takes(asked.authenticate, known)) {
      sayNotTaken(known, asked, (message, remedy) => report(principalPath, message, remedy));
    }
    if (this.#out.problems.length > before) return;
    if (!routeIsMeant(asked, expected, { base, report, one })) return;
    const { line = 1, column = 1 } = nameAt;
    this.#out.cases.push({
      name: one.name,
      file: this.#file.name,
      line,
      column,
      expected,
      request: asked.request,
      refused: asked.refused,
      route: asked.route,
    });
  }

  #checkName(name: string, place: ReturnType<PlaceOf>): void {
    const first = this.#names.get(name);
    if (first === undefined) this.#names.set(name, place.line ?? 1);
    else {
      const message = `a case on line ${String(first)} is called "${name}" as well`;
      this.#say(place, { message, remedy: "a name of its own" });
    }
  }

  #say(
    place: ReturnType<PlaceOf>,
    { message, remedy }: { readonly message: string; readonly remedy?: string | undefined },
  ): void {
    this.#out.problems.push({ ...place, message, ...(remedy === undefined ? {} : { remedy }) });
  }
}

const NOTHING: ReadonlyMap<string, string> = new Map();

const REFUSED: Readonly<Record<NonNullable<Asked["refused"]>, string>> = {
  "no-route": "no route takes this host and path",
  "method-not-allowed": "nothing at this path takes the method",
  "unknown-operation": "the service's description has no operation at this path",
};

/**
 * A case about a request that leads nowhere passes as `deny` whatever the policies say: that it leads
 * nowhere has to be what is expected.
 */
function routeIsMeant(
  { refused }: Asked,
  { reason }: Expectation,
  at: { readonly base: Path; readonly report: Report; readonly one: WrittenCase },
): boolean {
  const { base, report, one } = at;
  if (refused === undefined || refused === reason) return true;
  const message = `${REFUSED[refused]}, so policies would not be asked`;
  const path = one.request === undefined ? base : [...base, "request"];
  report(path, message, `another request, or expect: { decision: deny, reason: ${refused} }`);
  return false;
}

/** Policies would not be asked about such a caller, so a case about it shows nothing. */
export function sayNotTaken(
  { kind, authenticator }: Principal,
  { route, authenticate = [] }: Asked,
  say: (message: string, remedy: string) => void,
): void {
  const what = route === undefined ? "the admin API" : `the route "${route}"`;
  const whom = kind === "anonymous" ? "Anonymous" : `anybody that ${authenticator} vouches for`;
  const all = authenticate.length === 0 ? "nobody" : authenticate.join(", ");
  say(`${what} does not take ${whom}: policies would not be asked`, `a principal of ${all}`);
}

const NO_POLICIES: ReadonlySet<string> = new Set([
  "no-permit",
  "no-route",
  "method-not-allowed",
  "unknown-operation",
]);

/** Refuses what contradicts itself, and ids of policies that there are not. */
function expectationOf(
  { expect }: WrittenCase,
  at: {
    readonly base: Path;
    readonly report: Report;
    readonly policyIds: ReadonlySet<string>;
  },
): Expectation {
  const path = [...at.base, "expect"];
  const { report, policyIds } = at;
  if (typeof expect === "string") {
    return {
      decision: expect,
      reason: undefined,
      determining: undefined,
      determiningIncludes: undefined,
    };
  }
  const { decision, reason, determining, determiningIncludes } = expect;
  if (reason !== undefined && (reason === "permitted") !== (decision === "permit")) {
    const remedy = reason === "permitted" ? "decision: permit" : "decision: deny";
    report([...path, "reason"], `"${reason}" is no reason to ${decision}`, remedy);
  }
  for (const key of ["determining", "determiningIncludes"] as const) {
    for (const [index, id] of (expect[key] ?? []).entries()) {
      if (policyIds.has(id)) continue;
      const close = suggest(id, policyIds);
      const remedy = close === undefined ? "the @id of a policy" : `did you mean "${close}"?`;
      report([...path, key, index], `there is no policy "${id}"`, remedy);
    }
    const some = (expect[key]?.length ?? 0) > 0;
    if (some && reason !== undefined && NO_POLICIES.has(reason)) {
      report([...path, key], `no policy determines "${reason}"`, `no ${key}`);
    }
  }
  return { decision, reason, determining, determiningIncludes };
}
