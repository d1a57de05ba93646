/**
 * A record without what is not to stand in it: named members become keyed hashes, by the key of the
 * person whom the record is about, before anything of it is serialised.
 *
 * A value that was taken out is looked for in the rest of the record too: a subject stands in details, in
 * certificates, in paths. A member that has it becomes a hash as a whole. What is shorter than three
 * characters would be found everywhere, and is compared with whole members only.
 */
import type { EventRecord } from "../../model/events.ts";
import type { Actor } from "../../model/facts.ts";
import type { AttributeValue, Principal } from "../../model/principal.ts";
import type { DecisionRecord } from "../../model/records.ts";
import type { Person, PersonKeys } from "./person-keys.ts";
import {
  isPseudonym,
  personOf,
  personPseudonym,
  pseudonym,
  type PseudonymKind,
} from "./pseudonym.ts";
import { hidesSomebody, readRedacted, type Redacted } from "./redact-options.ts";
import { TakenOut } from "./taken-out.ts";

export interface Redaction {
  /** Throws SallyportError `audit-failed` where the key of a person cannot be had. */
  readonly decision: (record: DecisionRecord) => DecisionRecord;
  readonly event: (record: EventRecord) => EventRecord;
}

export interface RedactionDeps {
  readonly keys: PersonKeys;
  /** Of what is nobody's. */
  readonly valuesKey: Uint8Array;
  /** What of a query reaches a record at all. */
  readonly maskQuery: (query: string) => string;
}

export function createRedaction(names: readonly string[], deps: RedactionDeps): Redaction {
  const redacted = readRedacted(names);
  return {
    decision(record) {
      // Somebody may have been erased meanwhile.
      deps.keys.generation();
      return new DecisionRedaction(record, redacted, deps).result();
    },
    event(record) {
      deps.keys.generation();
      return redactEvent(record, redacted, deps);
    },
  };
}

class DecisionRedaction {
  readonly #record: DecisionRecord;
  readonly #redacted: Redacted;
  readonly #deps: RedactionDeps;
  readonly #key: Uint8Array;
  readonly #out: TakenOut;
  readonly #names = new Set<string>();

  constructor(record: DecisionRecord, redacted: Redacted, deps: RedactionDeps) {
    const { principal } = record;
    const isPerson = principal !== undefined && principal.kind !== "anonymous";
    this.#record = record;
    this.#redacted = redacted;
    this.#deps = deps;
    this.#key = isPerson ? deps.keys.keyOf(principal) : deps.valuesKey;
    this.#out = new TakenOut(record, redacted);
  }

  result(): DecisionRecord {
    const record = this.#record;
    const { has } = this.#redacted;
    const hidesPath = this.#out.hidesPath;
    const masked = record.query === undefined ? undefined : this.#deps.maskQuery(record.query);
    const hidesQuery = has("query") || this.#out.isIn(masked);
    const redacted: DecisionRecord = {
      ...record,
      actor: record.actor && this.#actor(record.actor),
      asked: record.asked && { ...record.asked, by: this.#id("asked.by", record.asked.by) ?? "" },
      body: record.body && this.#body(record.body),
      credentials: this.#credentials(record.credentials),
      clientAddress: this.#text("clientAddress", record.clientAddress, has("clientAddress")),
      detail: this.#text("detail", record.detail, has("detail")),
      device: record.device && this.#principal("device", record.device),
      host: this.#text("host", record.host, has("host")),
      issue: record.issue && {
        ...record.issue,
        client: this.#text("issue.client", record.issue.client, false) ?? "",
        other: this.#id("issue.other", record.issue.other),
      },
      key: record.key && this.#issued(record.key),
      params: this.#params(record.params),
      path: this.#text("path", record.path, hidesPath),
      peerAddress: this.#text("peerAddress", record.peerAddress, has("peerAddress")) ?? "",
      peerCertificate: record.peerCertificate && this.#certificate(record.peerCertificate),
      principal: record.principal && this.#principal("principal", record.principal),
      query: this.#text("query", record.query, hidesQuery, masked),
      requestId: this.#text("requestId", record.requestId, has("requestId")) ?? "",
      rpc: record.rpc && this.#rpc(record.rpc),
      scopes: this.#list("scopes", record.scopes, false),
      servicePath: this.#text("servicePath", record.servicePath, hidesPath),
      workload: record.workload && this.#principal("workload", record.workload),
    };
    if (this.#names.size === 0) return redacted;
    return { ...redacted, redacted: [...this.#names].toSorted() };
  }

  /** `shown`: what would stand in the record, where that is less than the value. */
  #text(
    name: string,
    value: string | undefined,
    named: boolean,
    shown: string | undefined = value,
  ): string | undefined {
    if (value === undefined || !(named || this.#out.isIn(shown))) return value;
    this.#names.add(name);
    return pseudonym(this.#key, kindOf(name), value);
  }

  #list(name: string, values: readonly string[], named: boolean): readonly string[] {
    if (!named && !values.some((value) => this.#out.isIn(value))) return values;
    return values.map((value) => this.#text(name, value, named) ?? "");
  }

  /** `<authenticator>/<subject>` of somebody else, by that person's own key. */
  #id(name: string, id: string | undefined): string | undefined {
    const person = id === undefined ? undefined : personOf(id);
    if (id === undefined || !(this.#redacted.has("principal.subject") || this.#out.isIn(id))) {
      return id;
    }
    this.#names.add(name);
    if (person === undefined) return pseudonym(this.#key, "text", id);
    return personPseudonym(this.#deps.keys.keyOf(person), person);
  }

  /** A subject, by the key of the one whose it is, so that it can be joined wherever it stands. */
  #subject(name: string, person: Person, named: boolean): string {
    if (!named && !this.#out.isIn(person.subject)) return person.subject;
    this.#names.add(name);
    return pseudonym(this.#deps.keys.keyOf(person), "subject", person.subject);
  }

  #principal(name: "principal" | "device" | "workload", principal: Principal): Principal {
    if (principal.kind === "anonymous") return principal;
    const { attributes, groups, roles } = principal;
    const { has } = this.#redacted;
    const list = name === "workload" ? undefined : (`${name}.attributes` as const);
    return {
      ...principal,
      attributes: Object.fromEntries(
        Object.entries(attributes).map(([one, value]) => [
          one,
          this.#attribute(`${name}.attributes.${one}`, value, list !== undefined && has(list, one)),
        ]),
      ),
      groups: this.#list(`${name}.groups`, groups, name === "principal" && has("principal.groups")),
      roles: this.#list(`${name}.roles`, roles, false),
      subject: this.#subject(`${name}.subject`, principal, has(`${name}.subject`)),
    };
  }

  #attribute(name: string, value: AttributeValue, named: boolean): AttributeValue {
    const text = Array.isArray(value) ? value.join("\0") : String(value);
    if (!named && !this.#out.isIn(text)) return value;
    this.#names.add(name);
    return pseudonym(this.#key, "attribute", text);
  }

  #actor(actor: Actor): Actor {
    const named = this.#redacted.has("actor.subject");
    const { authenticator, behind, clientId } = actor;
    const of = (subject: string): Person => ({ authenticator, subject });
    return {
      ...actor,
      behind: behind.map((subject) => this.#subject("actor.behind", of(subject), named)),
      clientId: this.#text("actor.clientId", clientId, false),
      subject: this.#subject("actor.subject", actor, named),
    };
  }

  #params(params: DecisionRecord["params"]): DecisionRecord["params"] {
    const { has } = this.#redacted;
    return Object.fromEntries(
      Object.entries(params).map(([name, value]) => {
        const named = has("path") || has("params", name);
        return [name, this.#text(`params.${name}`, value, named) ?? ""];
      }),
    );
  }

  /** What stands in clear only where nothing that was taken out is in it. */
  #body(body: NonNullable<DecisionRecord["body"]>): NonNullable<DecisionRecord["body"]> {
    const clear = new Set(body.clear);
    for (const name of body.clear) {
      if (!this.#out.isIn(String(body.values[name] ?? ""))) continue;
      this.#names.add(`body.${name}`);
      clear.delete(name);
    }
    return { ...body, clear };
  }

  #rpc(call: NonNullable<DecisionRecord["rpc"]>): NonNullable<DecisionRecord["rpc"]> {
    return {
      ...call,
      method: this.#text("rpc.method", call.method, false),
      prompt: this.#text("rpc.prompt", call.prompt, false),
      resource: this.#text("rpc.resource", call.resource, false),
      tool: this.#text("rpc.tool", call.tool, false),
    };
  }

  /** Its names are its owner's, whatever they are called there. */
  #certificate(
    certificate: NonNullable<DecisionRecord["peerCertificate"]>,
  ): NonNullable<DecisionRecord["peerCertificate"]> {
    const named = this.#redacted.has("principal.subject") || this.#redacted.has("workload.subject");
    const { serial, spiffeId, subject, thumbprint } = certificate;
    return {
      ...certificate,
      serial: this.#text("peerCertificate.serial", serial, named) ?? "",
      spiffeId: this.#text("peerCertificate.spiffeId", spiffeId, named),
      subject: this.#text("peerCertificate.subject", subject, named) ?? "",
      thumbprint: this.#text("peerCertificate.thumbprint", thumbprint, named) ?? "",
    };
  }

  /** What is hashed by no key is the same for ever: it would join what somebody was with what comes later. */
  #credentials(credentials: DecisionRecord["credentials"]): DecisionRecord["credentials"] {
    if (credentials.length === 0 || !hidesSomebody(this.#redacted)) return credentials;
    this.#names.add("credentials");
    return credentials.map((credential) => ({
      ...credential,
      hash: pseudonym(this.#key, "credential", credential.hash),
    }));
  }

  #issued(key: NonNullable<DecisionRecord["key"]>): NonNullable<DecisionRecord["key"]> {
    const named = this.#redacted.has("principal.subject");
    return {
      ...key,
      clientId: this.#text("key.clientId", key.clientId, false) ?? "",
      ancestors: key.ancestors.map((ancestor) => {
        const { principal } = ancestor;
        if (principal === undefined) return ancestor;
        const subject = this.#subject("key.ancestors", principal, named);
        return { ...ancestor, principal: { ...principal, subject } };
      }),
    };
  }
}

function kindOf(name: string): PseudonymKind {
  if (name === "clientAddress" || name === "peerAddress") return "address";
  // As what a certificate is among the credentials.
  if (name === "peerCertificate.thumbprint") return "credential";
  return name.endsWith(".groups") ? "group" : "text";
}

function redactEvent(
  record: EventRecord,
  { has }: Redacted,
  { keys, valuesKey }: RedactionDeps,
): EventRecord {
  const person = record.principal === undefined ? undefined : personOf(record.principal);
  const isKnown = person !== undefined && !isPseudonym(person.subject);
  const key = isKnown ? keys.keyOf(person) : valuesKey;
  const replaced: [string, string][] = [];
  if (isKnown && has("principal.subject")) {
    replaced.push([person.subject, pseudonym(key, "subject", person.subject)]);
  }
  const { address } = record;
  if (address !== undefined && (has("clientAddress") || has("peerAddress"))) {
    if (!isPseudonym(address)) replaced.push([address, pseudonym(key, "address", address)]);
  }
  if (replaced.length === 0) return record;
  const clean = (text: string): string =>
    replaced.reduce((rest, [value, by]) => rest.replaceAll(value, by), text);
  const figures = Object.entries(record.figures ?? {}).map(
    ([name, value]) => [name, typeof value === "string" ? clean(value) : value] as const,
  );
  return {
    ...record,
    address: address === undefined ? undefined : clean(address),
    detail: clean(record.detail),
    ...(record.figures === undefined ? {} : { figures: Object.fromEntries(figures) }),
    ...(record.principal === undefined
      ? {}
      : {
          principal:
            isKnown && has("principal.subject") ? personPseudonym(key, person) : record.principal,
        }),
  };
}
