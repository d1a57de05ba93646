/**
 * What all data files say together: who is in which roles and groups, attributes of principals, and
 * links of templates. Runs in the thread of the policies.
 *
 * Refuses, each at its place: entities of other types, principals of authenticators that do not vouch
 * for them, bare names that nobody declared, what is said twice, attributes that a credential gives
 * already or that have two types, and roles and groups that are in themselves.
 */
import type { Problem } from "../../model/errors.ts";
import type { AttributeType, AttributeValue, PrincipalKind } from "../../model/principal.ts";
import { suggest } from "../../model/suggest.ts";
import type { Vocabulary } from "../../model/vocabulary.ts";
import type { Path } from "../../wire/document/place.ts";
import { PRINCIPAL_TYPES, sallyportUid } from "../cedar-names.ts";
import type { EntityUid } from "../cedar/values.ts";
import { createKnownNames, type DeclaredNames, type KnownNames } from "../load/known-names.ts";
import { type FileAttributes, typeOfValue } from "../load/schema.ts";
import { isDataFile, type PolicySource } from "../policy-source.ts";
import { closeMemberships, type Membership } from "./close-memberships.ts";
import type { DataDocument, DataRead } from "./data-document.ts";
import type { LinkContent, Members } from "./data-schema.ts";
import {
  CONTAINERS,
  type EntityReference,
  isFault,
  parseReference,
  PRINCIPALS,
  readUid,
  type ReferenceFault,
  RESOURCES,
  showReference,
} from "./entity-reference.ts";
import type { FileEntity } from "./file-entity.ts";

/** One link of a template, its entities checked. */
export interface DataLink {
  readonly template: string;
  readonly id: string;
  readonly principal: EntityUid | undefined;
  readonly resource: EntityUid | undefined;
  /** Of the link, or of one of its keys. */
  readonly placeOf: (key?: keyof LinkContent) => Pick<Problem, "file" | "line" | "column">;
}

export interface CollectedData {
  readonly problems: readonly Problem[];
  readonly entities: readonly FileEntity[];
  readonly attributes: FileAttributes;
  readonly names: KnownNames;
  readonly declared: DeclaredNames;
  readonly links: readonly DataLink[];
}

const LIMITS = {
  /** Beyond it nobody reads on. */
  problems: 200,
} as const;

const LINK_PRINCIPALS = [...PRINCIPALS, "Anonymous", ...CONTAINERS];
const MEMBERS = [...PRINCIPALS, ...CONTAINERS];

/** Of all data files of a source. What reads them is loaded only where there is one: it is YAML and zod. */
export async function collectData({ files, vocabulary }: PolicySource): Promise<CollectedData> {
  const holding = files.filter(({ name }) => isDataFile(name));
  const collector = new Collector(vocabulary);
  if (holding.length === 0) return collector.collect([]);
  const { readDataFile } = await import("./data-document.ts");
  return collector.collect(holding.map(readDataFile));
}

interface At {
  readonly document: DataDocument;
  readonly path: Path;
}

interface Node extends Membership {
  readonly parents: Set<string>;
  attributes: Readonly<Record<string, AttributeValue>> | undefined;
  /** Where it is declared; undefined for one that is only a member somewhere. */
  at: At | undefined;
}

class Collector {
  readonly #problems: Problem[] = [];
  readonly #nodes = new Map<string, Node>();
  readonly #declared = { roles: new Set<string>(), groups: new Set<string>() };
  readonly #types = new Map<string, { readonly type: AttributeType; readonly at: At }>();
  readonly #links: DataLink[] = [];
  readonly #names: KnownNames;
  /** Authenticators by the type of entity for which they vouch. */
  readonly #vouching: ReadonlyMap<string, ReadonlySet<string>>;
  /** `<Type>.<attribute>` to the authenticator that declares it. */
  readonly #given: ReadonlyMap<string, string>;

  constructor(vocabulary: Vocabulary) {
    this.#names = createKnownNames(vocabulary, this.#declared);
    this.#vouching = vouchersOf(vocabulary);
    this.#given = givenAttributes(vocabulary);
  }

  collect(files: readonly DataRead[]): CollectedData {
    const documents: DataDocument[] = [];
    for (const read of files) {
      if (read.problems === undefined) documents.push(read.document);
      else this.#problems.push(...read.problems);
    }
    for (const document of documents) this.#declareContainers(document);
    for (const document of documents) this.#addDocument(document);
    const { entities, circles } = closeMemberships([...this.#nodes.values()]);
    for (const { node, message } of circles) {
      const remedy = "take one of them out of the other";
      this.#report((node as Node).at, [], { message, remedy });
    }
    return {
      problems: shortened(this.#problems),
      entities,
      attributes: this.#attributes(),
      names: this.#names,
      declared: this.#declared,
      links: this.#links,
    };
  }

  /** First of all files: one may name what another declares. */
  #declareContainers({ content, cedar }: DataDocument): void {
    const declare = (type: string, id: string): void => {
      // A scoped name is its authenticator's, whoever writes it.
      if (!id.includes("/")) this.#declared[type === "Role" ? "roles" : "groups"].add(id);
    };
    for (const id of Object.keys(content?.roles ?? {})) declare("Role", id);
    for (const id of Object.keys(content?.groups ?? {})) declare("Group", id);
    for (const { uid } of cedar ?? []) {
      const found = readUid(plainUid(uid), CONTAINERS);
      if (!isFault(found)) declare(found.type, found.id);
    }
  }

  #addDocument(document: DataDocument): void {
    const { content, cedar } = document;
    for (const [index, entity] of (cedar ?? []).entries()) {
      const at = { document, path: [index] };
      const uid = this.#checked(readUid(plainUid(entity.uid), MEMBERS), at, ["uid"]);
      if (uid === undefined) continue;
      const node = this.#declare(uid, at);
      this.#addAttributes(node, uid, { values: entity.attrs, at, key: "attrs" });
      this.#addAll(entity.parents, { at, key: "parents" }, (parent, where) => {
        const found = this.#checked(readUid(plainUid(parent), CONTAINERS), at, where);
        if (found !== undefined) node.parents.add(found.key);
        return found;
      });
    }
    if (content === undefined) return;
    for (const [id, members] of Object.entries(content.roles)) {
      this.#addContainer({ type: "Role", id }, members, { document, path: ["roles", id] });
    }
    for (const [id, members] of Object.entries(content.groups)) {
      this.#addContainer({ type: "Group", id }, members, { document, path: ["groups", id] });
    }
    for (const [text, { attributes, in: above }] of Object.entries(content.entities)) {
      const at = { document, path: ["entities", text] };
      const uid = this.#checked(parseReference(text, PRINCIPALS), at, []);
      if (uid === undefined) continue;
      const node = this.#declare(uid, at);
      this.#addAttributes(node, uid, { values: attributes, at, key: "attributes" });
      this.#addAbove(node, above, at);
    }
    for (const [index, link] of content.links.entries()) {
      this.#addLink(link, { document, path: ["links", index] });
    }
  }

  #addContainer(reference: EntityReference, members: Members, at: At): void {
    const uid = this.#checked(reference, at, []);
    if (uid === undefined) return;
    const node = this.#declare(uid, at);
    const plain = !("members" in members);
    const list = plain ? members : members.members;
    this.#addAll(list, { at, ...(plain ? {} : { key: "members" }) }, (text, where) => {
      const found = this.#checked(parseReference(text, MEMBERS), at, where);
      if (found !== undefined) this.#nodeOf(found).parents.add(uid.key);
      return found;
    });
    if (!plain) this.#addAbove(node, members.in, at);
  }

  #addAbove(node: Node, above: readonly string[], at: At): void {
    this.#addAll(above, { at, key: "in" }, (text, where) => {
      const found = this.#checked(parseReference(text, CONTAINERS), at, where);
      if (found !== undefined) node.parents.add(found.key);
      return found;
    });
  }

  /** A name that stands twice in a list is a mistake, and hides another that is missing. */
  #addAll<T>(
    list: readonly T[],
    { at, key }: { readonly at: At; readonly key?: string },
    add: (one: T, where: Path) => Checked | undefined,
  ): void {
    const seen = new Set<string>();
    for (const [index, one] of list.entries()) {
      const where = key === undefined ? [index] : [key, index];
      const found = add(one, where);
      if (found === undefined) continue;
      if (seen.has(found.key)) {
        const message = `${found.shown()} stands twice in this list`;
        this.#report(at, where, { message, remedy: "name each once" });
      }
      seen.add(found.key);
    }
  }

  #declare(uid: Checked, at: At): Node {
    const node = this.#nodeOf(uid);
    if (node.at === undefined) node.at = at;
    else {
      const { file, line } = node.at.document.placeOf(node.at.path);
      this.#report(at, [], {
        message: `${uid.shown()} is already in ${file ?? ""}:${String(line ?? 1)}`,
        remedy: "say everything about it in one place",
      });
    }
    return node;
  }

  #nodeOf({ key }: Checked): Node {
    let node = this.#nodes.get(key);
    if (node === undefined) {
      node = { key, parents: new Set(), attributes: undefined, at: undefined };
      this.#nodes.set(key, node);
    }
    return node;
  }

  #addAttributes(
    node: Node,
    { type, shown }: Checked,
    {
      values,
      at,
      key,
    }: {
      readonly values: Readonly<Record<string, AttributeValue>>;
      readonly at: At;
      readonly key: string;
    },
  ): void {
    const names = Object.keys(values);
    if (names.length === 0) return;
    if ((CONTAINERS as readonly string[]).includes(type)) {
      const message = `${shown()} has attributes`;
      this.#report(at, [key], { message, remedy: "none: roles and groups have only members" });
      return;
    }
    node.attributes = values;
    for (const name of names) {
      const value = values[name];
      const typed = value === undefined ? undefined : typeOfValue(value);
      if (typed === undefined) continue;
      const by = this.#given.get(`${type}.${name}`);
      if (by !== undefined) {
        this.#report(at, [key, name], {
          message: `the attribute '${name}' of a ${type} comes from authenticator '${by}'`,
          remedy: "another name: an attribute has one source",
        });
        continue;
      }
      this.#hasType(`${type}.${name}`, { type: typed, at, where: [key, name] });
    }
  }

  #hasType(
    attribute: string,
    { type, at, where }: { readonly type: AttributeType; readonly at: At; readonly where: Path },
  ): void {
    const first = this.#types.get(attribute);
    if (first === undefined) {
      this.#types.set(attribute, {
        type,
        at: { document: at.document, path: [...at.path, ...where] },
      });
    } else if (first.type !== type) {
      const { file, line } = first.at.document.placeOf(first.at.path);
      const [kind = "", name = ""] = attribute.split(".");
      this.#report(at, where, {
        message:
          `the attribute '${name}' of a ${kind} is a ${type} here ` +
          `and a ${first.type} in ${file ?? ""}:${String(line ?? 1)}`,
        remedy: "one type, or another name",
      });
    }
  }

  #addLink(link: LinkContent, at: At): void {
    const { template, id, principal, resource } = link;
    const read = (
      key: "principal" | "resource",
      text: string | undefined,
      types: readonly string[],
    ): EntityUid | undefined => {
      if (text === undefined) return undefined;
      const found = this.#checked(parseReference(text, types), at, [key]);
      return found && sallyportUid(found.type, found.id);
    };
    const before = this.#problems.length;
    const values = {
      principal: read("principal", principal, LINK_PRINCIPALS),
      resource: read("resource", resource, RESOURCES),
    };
    if (this.#problems.length > before) return;
    const { placeOf } = at.document;
    this.#links.push({
      template,
      id,
      ...values,
      placeOf: (key) => placeOf([...at.path, ...(key === undefined ? [] : [key])]),
    });
  }

  /** Undefined where it is reported. */
  #checked(found: EntityReference | ReferenceFault, at: At, where: Path): Checked | undefined {
    const fault = isFault(found) ? found : this.#faultOf(found);
    if (fault !== undefined) {
      this.#report(at, where, fault);
      return undefined;
    }
    const { type, id } = found as EntityReference;
    const { key } = sallyportUid(type, id);
    return { type, id, key, shown: () => showReference({ type, id }) };
  }

  #faultOf(reference: EntityReference): ReferenceFault | undefined {
    const { type, id } = reference;
    const message = `there is no ${showReference(reference)}`;
    const vouching = this.#vouching.get(type);
    if (vouching === undefined) {
      const remedy = this.#names.remedyFor(type, id);
      return remedy === undefined ? undefined : { message, remedy };
    }
    const slash = id.indexOf("/");
    const authenticator = id.slice(0, Math.max(0, slash));
    if (vouching.has(authenticator)) {
      if (slash < id.length - 1) return undefined;
      return { message, remedy: "a subject behind the authenticator" };
    }
    const close = suggest(authenticator, vouching);
    if (close !== undefined) {
      return {
        message,
        remedy: `did you mean ${showReference({ type, id: close + id.slice(slash) })}?`,
      };
    }
    const known = [...vouching].join(", ");
    return {
      message: `${message}: no authenticator of that name vouches for one`,
      remedy: known === "" ? "there is none" : `"<authenticator>/<subject>" with one of ${known}`,
    };
  }

  #attributes(): FileAttributes {
    const kinds = Object.entries(PRINCIPAL_TYPES) as [PrincipalKind, string][];
    return Object.fromEntries(
      kinds.map(([kind, type]) => {
        const own = [...this.#types].filter(([name]) => name.startsWith(`${type}.`));
        return [
          kind,
          Object.fromEntries(
            own.map(([name, { type: typed }]) => [name.slice(type.length + 1), typed]),
          ),
        ];
      }),
    );
  }

  #report(at: At | undefined, where: Path, what: ReferenceFault): void {
    // One beyond is enough to say that there are more.
    if (this.#problems.length > LIMITS.problems) return;
    const place = at === undefined ? {} : at.document.placeOf([...at.path, ...where]);
    this.#problems.push({ ...place, ...what });
  }
}

interface Checked extends EntityReference {
  readonly key: string;
  readonly shown: () => string;
}

type CedarUid = EntityReference | { readonly __entity: EntityReference };

function plainUid(uid: CedarUid): EntityReference {
  if (!("__entity" in uid)) return uid;
  const { __entity: wrapped } = uid;
  return wrapped;
}

function vouchersOf({ authenticators }: Vocabulary): ReadonlyMap<string, ReadonlySet<string>> {
  return new Map(
    kindsWithTypes().map(([kind, type]) => [
      type,
      new Set(
        authenticators
          .filter(
            ({ kinds, device }) =>
              kinds.includes(kind) || (kind === "device" && device !== undefined),
          )
          .map(({ name }) => name),
      ),
    ]),
  );
}

function givenAttributes({ authenticators }: Vocabulary): ReadonlyMap<string, string> {
  const given = new Map<string, string>();
  for (const { name, kinds, attributes, device = {} } of authenticators) {
    for (const [kind, type] of kindsWithTypes()) {
      const declared = [
        ...(kinds.includes(kind) ? Object.keys(attributes) : []),
        ...(kind === "device" ? Object.keys(device) : []),
      ];
      for (const attribute of declared) given.set(`${type}.${attribute}`, name);
    }
  }
  return given;
}

/** Kinds that authenticators vouch for. */
function kindsWithTypes(): readonly (readonly [PrincipalKind, string])[] {
  return (["user", "workload", "device"] as const).map((kind) => [kind, PRINCIPAL_TYPES[kind]]);
}

function shortened(problems: readonly Problem[]): readonly Problem[] {
  if (problems.length <= LIMITS.problems) return problems;
  const more = { message: "the data files have more problems than these" };
  return [...problems.slice(0, LIMITS.problems), more];
}
