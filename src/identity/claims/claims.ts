/**
 * Claims of a verified token → principal.
 *
 * Refuses a claim of another type than was declared, and an absent one without a default: an
 * attribute that policies read is always there and always of its type. Nothing is converted
 * (`"true"` is no boolean, `"a b"` is one role), because a guess could widen access. `null` counts
 * as absent: providers write it for what is not set.
 *
 * Claim objects have no prototype (model/json.ts), so no claim name reaches anything but a claim.
 */
import { isJsonObject, type JsonObject, type JsonValue } from "../../model/json.ts";
import type {
  AttributeType,
  AttributeValue,
  Principal,
  PrincipalKind,
} from "../../model/principal.ts";
import type { VocabularyAuthenticator } from "../../model/vocabulary.ts";
import { claimNames } from "./claim-options.ts";
import { claimWords, type PrincipalOptions } from "./principal-options.ts";

export interface ClaimFault {
  readonly fault: "missing-claim" | "invalid-claim";
  /** Names the claim as configured; holds no value. */
  readonly detail: string;
}

export interface ClaimMapper {
  /** What its principals can be, for the schema of policies. */
  readonly vocabulary: VocabularyAuthenticator;
  principal(claims: JsonObject): Principal | ClaimFault;
  /** The device that is named beside the principal; undefined where none is, or none is declared. */
  device(claims: JsonObject): Principal | undefined | ClaimFault;
}

const LIMITS = {
  subjectChars: 512,
  /** Microsoft Entra stops at 200 groups in a JWT; a claim beyond 500 is taken for a mistake. */
  items: 500,
  itemChars: 256,
  textChars: 4096,
} as const;

const MIN_LONG = -(2n ** 63n);
const MAX_LONG = 2n ** 63n - 1n;
// Control characters in a name would break log lines and look like another name on a screen.
// oxlint-disable-next-line no-control-regex -- they are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** Where a claim is; `label` is for details. */
interface Path {
  readonly names: readonly string[];
  readonly label: string;
}

/** Compiles `principal:` of an authenticator. */
export function createClaimMapper(authenticator: string, options: PrincipalOptions): ClaimMapper {
  const readKind = compileKind(options.kind);
  const subjectPath = compilePath(options.subject);
  const rolesPath = options.roles && compilePath(options.roles.claim);
  const groupsPath = options.groups && compilePath(options.groups.claim);
  const bareRoles = new Set(options.roles?.allow);
  const attributes = compileAttributes(options.attributes);

  function principal(claims: JsonObject): Principal | ClaimFault {
    const kind = readKind(claims);
    if (typeof kind !== "string") return kind;
    const subject = readName(claims, subjectPath);
    if (typeof subject !== "string") return subject;
    const roles = readNames(claims, rolesPath);
    if ("fault" in roles) return roles;
    const groups = readNames(claims, groupsPath);
    if ("fault" in groups) return groups;
    const values = readAttributes(claims, attributes);
    if ("values" in values) {
      return Object.freeze({
        kind,
        authenticator,
        subject,
        roles: frozenMap(roles, (role) =>
          bareRoles.has(role) ? role : `${authenticator}/${role}`,
        ),
        groups: frozenMap(groups, (group) => `${authenticator}/${group}`),
        attributes: values.values,
      });
    }
    return values;
  }

  return {
    vocabulary: { name: authenticator, ...claimWords(options) },
    principal,
    device: compileDevice(authenticator, options.device),
  };
}

type Declared = {
  readonly name: string;
  readonly path: Path;
  readonly type: AttributeType;
  readonly default?: AttributeValue | undefined;
};

function readAttributes(
  claims: JsonObject,
  attributes: readonly Declared[],
): { readonly values: Readonly<Record<string, AttributeValue>> } | ClaimFault {
  const values: Record<string, AttributeValue> = Object.create(null);
  for (const declared of attributes) {
    const value = readAttribute(claims, declared);
    if (isClaimFault(value)) return value;
    values[declared.name] = value;
  }
  return { values: Object.freeze(values) };
}

function compileAttributes(declarations: PrincipalOptions["attributes"]): readonly Declared[] {
  return Object.entries(declarations).map(([name, declared]) => ({
    ...declared,
    name,
    path: compilePath(declared.claim),
  }));
}

/** A device is named or not; once it is, its attributes have to be there like a principal's. */
function compileDevice(
  authenticator: string,
  options: PrincipalOptions["device"],
): ClaimMapper["device"] {
  if (options === undefined) return () => undefined;
  const path = compilePath(options.claim);
  const attributes = compileAttributes(options.attributes);
  return (claims) => {
    if (find(claims, path) === undefined) return undefined;
    const subject = readName(claims, path);
    if (typeof subject !== "string") return subject;
    const values = readAttributes(claims, attributes);
    if (!("values" in values)) return values;
    return Object.freeze({
      kind: "device",
      authenticator,
      subject,
      roles: NO_NAMES,
      groups: NO_NAMES,
      attributes: values.values,
    });
  };
}

const NO_NAMES: readonly string[] = Object.freeze([]);

export function isClaimFault(
  value: object | string | number | boolean | bigint,
): value is ClaimFault {
  return typeof value === "object" && "fault" in value;
}

function compilePath(path: Parameters<typeof claimNames>[0]): Path {
  const names = claimNames(path);
  return { names, label: names.join(".") };
}

function compileKind(
  kind: PrincipalOptions["kind"],
): (claims: JsonObject) => PrincipalKind | ClaimFault {
  if (typeof kind === "string") return () => kind;
  const path = compilePath(kind.claim);
  const kinds = new Map<string, PrincipalKind>();
  for (const [name, values] of Object.entries(kind.is)) {
    for (const value of [values].flat()) kinds.set(String(value), name as PrincipalKind);
  }
  return (claims) => {
    const value = find(claims, path);
    if (value === undefined) return missing(path);
    if (typeof value === "object") return invalid(path, "not a text, boolean or whole number");
    return kinds.get(String(value)) ?? invalid(path, "leads to no kind of principal");
  };
}

/** The claim, or undefined when it or something on the way to it is absent or null. */
function find(claims: JsonObject, path: Path): Exclude<JsonValue, null> | undefined {
  let value: JsonValue | undefined = claims;
  for (const name of path.names) {
    if (!isJsonObject(value)) return undefined;
    value = value[name];
  }
  return value ?? undefined;
}

function readName(claims: JsonObject, path: Path): string | ClaimFault {
  const value = find(claims, path);
  if (value === undefined) return missing(path);
  return isName(value, LIMITS.subjectChars) ? value : invalid(path, "not a name");
}

/** One text or a list of texts; absent: none. Each once, in their order. */
function readNames(claims: JsonObject, path: Path | undefined): readonly string[] | ClaimFault {
  const value = path && find(claims, path);
  if (path === undefined || value === undefined) return [];
  const items: readonly JsonValue[] = Array.isArray(value) ? value : [value];
  if (items.length > LIMITS.items) return invalid(path, `more than ${LIMITS.items} values`);
  const names = new Set<string>();
  for (const item of items) {
    if (!isName(item, LIMITS.itemChars)) return invalid(path, "holds what is not a name");
    names.add(item);
  }
  return [...names];
}

function readAttribute(
  claims: JsonObject,
  declared: {
    readonly path: Path;
    readonly type: AttributeType;
    readonly default?: AttributeValue | undefined;
  },
): AttributeValue | ClaimFault {
  const value = find(claims, declared.path);
  if (value === undefined) return declared.default ?? missing(declared.path);
  const typed = READERS[declared.type](value);
  return typed ?? invalid(declared.path, `not of type ${declared.type}`);
}

/** Of a type or not, and what stands for it in the principal. */
const READERS: Readonly<Record<AttributeType, (value: JsonValue) => AttributeValue | undefined>> = {
  string: (value) =>
    typeof value === "string" && value.length <= LIMITS.textChars ? value : undefined,
  bool: (value) => (typeof value === "boolean" ? value : undefined),
  long: (value) => (isLong(value) ? value : undefined),
  strings: (value) => (isTexts(value) ? Object.freeze([...value]) : undefined),
};

function isLong(value: JsonValue): value is number | bigint {
  if (typeof value === "bigint") return value >= MIN_LONG && value <= MAX_LONG;
  // -0 is 0 to arithmetic and not to every comparison; no claim means it.
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}

function isTexts(value: JsonValue): value is readonly string[] {
  return (
    Array.isArray(value) &&
    value.length <= LIMITS.items &&
    value.every((item) => typeof item === "string" && item.length <= LIMITS.textChars)
  );
}

function isName(value: JsonValue, maxChars: number): value is string {
  return (
    typeof value === "string" && value !== "" && value.length <= maxChars && !CONTROL.test(value)
  );
}

function frozenMap(names: readonly string[], change: (name: string) => string): readonly string[] {
  return Object.freeze(names.map(change));
}

function missing(path: Path): ClaimFault {
  return { fault: "missing-claim", detail: `claim ${path.label} is absent` };
}

function invalid(path: Path, rule: string): ClaimFault {
  return { fault: "invalid-claim", detail: `claim ${path.label}: ${rule}` };
}
