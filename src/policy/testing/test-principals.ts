/**
 * Principals as test files write them, held against what their authenticator declares: a test must not
 * show what no credential could bring about.
 *
 * Refused: an authenticator that there is not, a kind that it does not vouch for, roles that it may not
 * assert bare, groups of others, attributes that are not declared, of another type, or left out.
 */
import { ANONYMOUS, type AttributeType, type Principal } from "../../model/principal.ts";
import { suggest } from "../../model/suggest.ts";
import type { VocabularyAuthenticator } from "../../model/vocabulary.ts";
import { groupFault, roleFault } from "../asserted-names.ts";
import type { Path } from "../../wire/document/place.ts";
import { PRINCIPAL_TYPES } from "../cedar-names.ts";
import { type Layer, layered } from "./layers.ts";
import { TEST_LIMITS, type WrittenPrincipal } from "./test-format.ts";
import type { TestWorld } from "./test-world.ts";

export type Report = (path: Path, message: string, remedy: string) => void;

type Mapping = Exclude<WrittenPrincipal, string>;

export interface PrincipalReader {
  /** Undefined where something is wrong with it, which is reported then. */
  read(written: WrittenPrincipal, path: Path, report: Report): Principal | undefined;
}

const FORM = 'User::"<authenticator>/<subject>" (or Workload, Device), or Anonymous';
/** What is no name of the file's own. */
const LITERAL = /::|^Anonymous$/;
const ID = /^(?:Sallyport::)?([A-Za-z]+)(?:::"(.*)")?$/;

/** `named`: those that the file gives a name. */
export function createPrincipalReader(
  named: Readonly<Record<string, WrittenPrincipal>>,
  { vocabulary }: Pick<TestWorld, "vocabulary">,
): PrincipalReader {
  const authenticators = new Map(vocabulary.authenticators.map((one) => [one.name, one]));
  /** Of named ones what is right, so that 10 000 cases make each once; frozen, as from a credential. */
  const known = new Map<string, Principal>();
  return {
    read(written, path, report) {
      if (typeof written === "string" && known.has(written)) return known.get(written);
      const layers = layersOf(written, { path, named, report });
      if (layers === undefined) return undefined;
      const principal = principalOf(layers, { path, authenticators, report });
      if (typeof written === "string" && Object.hasOwn(named, written) && principal !== undefined) {
        known.set(written, principal);
      }
      return principal;
    },
  };
}

/** The mapping and what it is like, one behind the other. */
function layersOf(
  written: WrittenPrincipal,
  at: {
    readonly path: Path;
    readonly named: Readonly<Record<string, WrittenPrincipal>>;
    readonly report: Report;
  },
): readonly Layer<Mapping>[] | undefined {
  const { named, report } = at;
  const layers: Layer<Mapping>[] = [];
  let [value, path] = [written, at.path];
  for (let step = 0; step <= TEST_LIMITS.like; step++) {
    if (typeof value === "string") {
      if (!Object.hasOwn(named, value)) {
        if (LITERAL.test(value)) return [...layers, { value: { id: value }, path }];
        report(path, `there is no principal "${value}"`, closeTo(value, Object.keys(named), FORM));
        return undefined;
      }
      [path, value] = [["principals", value], named[value] as WrittenPrincipal];
      continue;
    }
    layers.push({ value, path });
    if (value.like === undefined) return layers;
    [path, value] = [[...path, "like"], value.like];
  }
  report(at.path, '"like" leads back to itself', "an end to the chain: one with an id");
  return undefined;
}

function principalOf(
  layers: readonly Layer<Mapping>[],
  context: {
    readonly path: Path;
    readonly authenticators: ReadonlyMap<string, VocabularyAuthenticator>;
    readonly report: Report;
  },
): Principal | undefined {
  const { path, authenticators, report } = context;
  const whole = layered(layers, path);
  const id = idOf(layers, path, report);
  if (id === undefined) return undefined;
  const { roles = [], groups = [] } = whole.value;
  const attributes = Object.assign(
    {},
    ...layers.map((layer) => layer.value.attributes ?? {}).toReversed(),
  ) as Principal["attributes"];
  if (id.kind === "anonymous") {
    for (const key of ["roles", "groups", "attributes"] as const) {
      if (whole.value[key] === undefined) continue;
      report(whole.pathOf(key), `Anonymous has no ${key}`, "a principal with an id");
      return undefined;
    }
    return ANONYMOUS;
  }
  const authenticator = authenticators.get(id.authenticator);
  if (authenticator === undefined) {
    const message = `there is no authenticator "${id.authenticator}"`;
    report(whole.pathOf("id"), message, closeTo(id.authenticator, authenticators.keys(), FORM));
    return undefined;
  }
  const count = counting(report);
  checkKind(id.kind, authenticator, (message, remedy) =>
    count.report(whole.pathOf("id"), message, remedy),
  );
  roles.forEach((role, index) => {
    const fault = roleFault(role, authenticator);
    if (fault) count.report([...whole.pathOf("roles"), index], fault.message, fault.remedy);
  });
  groups.forEach((group, index) => {
    const fault = groupFault(group, authenticator);
    if (fault) count.report([...whole.pathOf("groups"), index], fault.message, fault.remedy);
  });
  const declared =
    id.kind === "device" && authenticator.device !== undefined
      ? authenticator.device
      : authenticator.attributes;
  checkAttributes(attributes, declared, {
    owner: authenticator.name,
    pathOf: (name) => attributePath(layers, name, path),
    report: count.report,
  });
  if (count.reported > 0) return undefined;
  return Object.freeze({ ...id, roles, groups, attributes: Object.freeze(attributes) });
}

type Identity = Pick<Principal, "kind" | "authenticator" | "subject">;

/** Of the first layer that says it, read as policies write it. */
function idOf(layers: readonly Layer<Mapping>[], path: Path, report: Report): Identity | undefined {
  const layer = layers.find(({ value }) => value.id !== undefined);
  if (layer === undefined) {
    report(path, "the principal has no id", FORM);
    return undefined;
  }
  const text = layer.value.id ?? "";
  const [, type = "", quoted] = ID.exec(text) ?? [];
  const kind = KINDS.get(type);
  const slash = quoted?.indexOf("/") ?? -1;
  if (kind === "anonymous" && (quoted === undefined || quoted === "anonymous")) {
    return { kind, authenticator: "", subject: "" };
  }
  if (kind === undefined || kind === "anonymous" || quoted === undefined || slash < 1) {
    const close = kind === undefined ? suggest(type, KINDS.keys()) : undefined;
    report(
      layer.path,
      `"${text}" is no principal`,
      close === undefined ? FORM : `did you mean ${close}?`,
    );
    return undefined;
  }
  return { kind, authenticator: quoted.slice(0, slash), subject: quoted.slice(slash + 1) };
}

const KINDS: ReadonlyMap<string, Principal["kind"]> = new Map(
  Object.entries(PRINCIPAL_TYPES).map(([kind, type]) => [type, kind as Principal["kind"]]),
);

type Say = (message: string, remedy: string) => void;

function checkKind(
  kind: Principal["kind"],
  { name, kinds, device }: VocabularyAuthenticator,
  say: Say,
): void {
  if (kinds.includes(kind) || (kind === "device" && device !== undefined)) return;
  const types = kinds.map((one) => PRINCIPAL_TYPES[one]);
  say(`${name} vouches for no ${PRINCIPAL_TYPES[kind]}`, types.join(" or "));
}

function checkAttributes(
  attributes: Principal["attributes"],
  declared: VocabularyAuthenticator["attributes"],
  context: {
    readonly owner: string;
    readonly pathOf: (name: string) => Path;
    readonly report: Report;
  },
): void {
  const { owner, pathOf, report } = context;
  for (const [name, value] of Object.entries(attributes)) {
    const type = Object.hasOwn(declared, name) ? declared[name] : undefined;
    if (type === undefined) {
      const known = Object.keys(declared);
      const all = known.length === 0 ? "it declares none" : `one of ${known.join(", ")}`;
      const message = `${owner} declares no attribute "${name}"`;
      report(pathOf(name), message, closeTo(name, known, all));
    } else if (typeOf(value) !== type) {
      const message = `"${name}" is no ${TYPE_NAMES[type]}, as ${owner} declares it`;
      report(pathOf(name), message, `a ${TYPE_NAMES[type]}`);
    }
  }
  for (const [name, type] of Object.entries(declared)) {
    if (Object.hasOwn(attributes, name)) continue;
    const message = `"${name}" is missing: each principal of ${owner} has it`;
    report(pathOf(""), message, `attributes: { ${name}: a ${TYPE_NAMES[type]} }`);
  }
}

const TYPE_NAMES: Readonly<Record<AttributeType, string>> = {
  string: "text",
  bool: "boolean",
  long: "whole number",
  strings: "list of texts",
};

function typeOf(value: Principal["attributes"][string]): AttributeType {
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  return typeof value === "object" ? "strings" : "long";
}

/** Attributes of what it is like count one by one. */
function attributePath(layers: readonly Layer<Mapping>[], name: string, path: Path): Path {
  const layer = layers.find(({ value }) => Object.hasOwn(value.attributes ?? {}, name));
  if (layer !== undefined) return [...layer.path, "attributes", name];
  const some = layers.find(({ value }) => value.attributes !== undefined);
  return some === undefined ? path : [...some.path, "attributes"];
}

function counting(report: Report): { readonly report: Report; readonly reported: number } {
  let reported = 0;
  return {
    report(path, message, remedy) {
      reported += 1;
      report(path, message, remedy);
    },
    get reported() {
      return reported;
    },
  };
}

function closeTo(word: string, known: Iterable<string>, otherwise: string): string {
  const close = suggest(word, known);
  return close === undefined ? otherwise : `did you mean "${close}"?`;
}
