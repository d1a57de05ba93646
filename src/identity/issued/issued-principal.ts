/**
 * Who a key stands for: the principal as the authenticator knew it that it was issued to, and its device.
 *
 * Refuses an authenticator that the configuration does not have, kinds and attributes that it does not
 * declare, and roles and groups that it could not have given: what policies read is always there and
 * always of its type, and a configuration that has changed since counts as it is now.
 */
import { isJsonObject, type JsonObject, type JsonValue } from "../../model/json.ts";
import type { AttributeType, Principal } from "../../model/principal.ts";
import type { VocabularyAuthenticator } from "../../model/vocabulary.ts";
import { type ClaimFault, type ClaimMapper, createClaimMapper } from "../claims/claims.ts";

const LIMITS = {
  /** As many as are read from a token. */
  names: 500,
  /** A role or a group of 256 characters with its authenticator's name before it. */
  nameChars: 320,
} as const;

export interface IssuedIdentity {
  readonly principal: Principal;
  readonly device: Principal | undefined;
}

/** `vocabulary`: what each authenticator declares, this one among them. */
export function createIssuedPrincipals(
  vocabulary: readonly VocabularyAuthenticator[],
): (claims: JsonObject) => IssuedIdentity | ClaimFault {
  const owners = new Map(vocabulary.map((words) => [words.name, compileOwner(words)]));
  return (claims) => {
    const said = claims["principal"];
    if (said === undefined) return { fault: "missing-claim", detail: "claim principal is absent" };
    const name = isJsonObject(said) ? said["authenticator"] : undefined;
    const owner = typeof name === "string" ? owners.get(name) : undefined;
    if (!isJsonObject(said) || owner === undefined) {
      return invalid("principal.authenticator", "no authenticator of the configuration");
    }
    const principal = owner.principal(said);
    if ("fault" in principal) return principal;
    const device = claims["device"] === undefined ? undefined : owner.device(claims["device"]);
    if (device !== undefined && "fault" in device) return device;
    return { principal, device };
  };
}

interface Owner {
  principal(said: JsonObject): Principal | ClaimFault;
  device(said: JsonValue): Principal | ClaimFault;
}

const PRINCIPAL_MEMBERS: ReadonlySet<string> = new Set([
  "kind",
  "authenticator",
  "subject",
  "roles",
  "groups",
  "attributes",
]);

function compileOwner({
  name,
  kinds,
  attributes,
  bareRoles,
  device,
}: VocabularyAuthenticator): Owner {
  const within = `${name}/`;
  const bare = new Set(bareRoles);
  const kindNames = kinds.filter((kind) => kind !== "anonymous");
  const mapper = createMapper(name, {
    kinds: Object.fromEntries(kindNames.map((kind) => [kind, kind])),
    attributes,
  });
  const devices =
    device === undefined
      ? undefined
      : createMapper(name, { kinds: { device: "device" }, attributes: device });
  return {
    principal(said) {
      const mapped = mapOne(mapper, said, attributes);
      if ("fault" in mapped) return mapped;
      const roles = readNames(said["roles"], (role) => bare.has(role) || role.startsWith(within));
      if (roles === undefined) return invalid("principal.roles", "not those that it could have");
      const groups = readNames(said["groups"], (group) => group.startsWith(within));
      if (groups === undefined) return invalid("principal.groups", "not those that it could have");
      return Object.freeze({ ...mapped, roles, groups });
    },
    device(said) {
      if (devices === undefined || device === undefined || !isJsonObject(said)) {
        return invalid("device", "none that its authenticator names");
      }
      if (said["authenticator"] !== name || "roles" in said || "groups" in said) {
        return invalid("device", "not as its authenticator names it");
      }
      return mapOne(devices, said, device);
    },
  };
}

function createMapper(
  name: string,
  {
    kinds,
    attributes,
  }: {
    readonly kinds: Readonly<Record<string, string>>;
    readonly attributes: Readonly<Record<string, AttributeType>>;
  },
): ClaimMapper {
  return createClaimMapper(name, {
    kind: { claim: ["kind"], is: kinds },
    subject: ["subject"],
    roles: undefined,
    groups: undefined,
    attributes: Object.fromEntries(
      Object.entries(attributes).map(([attribute, type]) => [
        attribute,
        { claim: ["attributes", attribute], type },
      ]),
    ),
    device: undefined,
  });
}

function mapOne(
  mapper: ClaimMapper,
  said: JsonObject,
  declared: Readonly<Record<string, AttributeType>>,
): Principal | ClaimFault {
  if (Object.keys(said).some((member) => !PRINCIPAL_MEMBERS.has(member))) {
    return invalid("principal", "a member that is not known here");
  }
  const values = said["attributes"] ?? {};
  if (!isJsonObject(values)) return invalid("principal.attributes", "not an object");
  if (Object.keys(values).some((attribute) => !Object.hasOwn(declared, attribute))) {
    return invalid("principal.attributes", "one that its authenticator does not declare");
  }
  return mapper.principal({ ...said, attributes: withLongs(values, declared) });
}

/** Whole numbers that other readers of JSON would round are written as text. */
function withLongs(
  values: JsonObject,
  declared: Readonly<Record<string, AttributeType>>,
): JsonObject {
  const read: Record<string, JsonValue | undefined> = Object.create(null);
  for (const [name, value] of Object.entries(values)) {
    const long = declared[name] === "long" && typeof value === "string" && LONG.test(value);
    read[name] = long ? safely(BigInt(value)) : value;
  }
  return read;
}

const LONG = /^-?[1-9][0-9]{0,18}$/;

function safely(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Absent: none. Undefined: not names, or not such. */
function readNames(
  value: JsonValue | undefined,
  fits: (name: string) => boolean,
): readonly string[] | undefined {
  if (value === undefined) return NONE;
  if (!Array.isArray(value) || value.length > LIMITS.names) return undefined;
  const names = value as readonly JsonValue[];
  const right = names.every(
    (name): name is string =>
      typeof name === "string" && name.length <= LIMITS.nameChars && fits(name),
  );
  return right ? Object.freeze([...names]) : undefined;
}

const NONE: readonly string[] = Object.freeze([]);

function invalid(claim: string, rule: string): ClaimFault {
  return { fault: "invalid-claim", detail: `claim ${claim}: ${rule}` };
}
