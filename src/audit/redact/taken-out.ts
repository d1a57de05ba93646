/** The values that are taken out of one record, and whether another text has one of them in it. */
import type { DecisionRecord } from "../../model/records.ts";
import type { Redacted } from "./redact-options.ts";

const LIMITS = {
  /** Characters from which on a value is looked for within other texts. */
  within: 3,
} as const;

interface Value {
  readonly exact: string;
  /** In lower case, as it is and percent-encoded; empty: too short to be looked for. */
  readonly forms: readonly string[];
}

export class TakenOut {
  /** A param is a piece of the path, so the path goes with it. */
  readonly hidesPath: boolean;
  readonly #values: readonly Value[];

  constructor(record: DecisionRecord, { has }: Redacted) {
    const { actor, device, params, principal, workload } = record;
    const isNamed = (name: string): boolean => has("params", name);
    this.hidesPath = has("path") || Object.keys(params).some(isNamed);
    const texts: (string | undefined)[] = [
      has("clientAddress") ? record.clientAddress : undefined,
      has("peerAddress") ? record.peerAddress : undefined,
      has("host") ? record.host : undefined,
      has("requestId") ? record.requestId : undefined,
      has("query") && record.query !== "" ? record.query : undefined,
      has("device.subject") ? device?.subject : undefined,
      has("workload.subject") ? workload?.subject : undefined,
      // The path of everybody is no secret.
      this.hidesPath && record.path !== "/" ? record.path : undefined,
    ];
    if (has("actor.subject") && actor !== undefined) texts.push(actor.subject, ...actor.behind);
    if (principal !== undefined && principal.kind !== "anonymous") {
      if (has("principal.subject")) texts.push(principal.subject);
      if (has("principal.groups")) texts.push(...principal.groups);
      texts.push(...named(principal.attributes, (name) => has("principal.attributes", name)));
    }
    texts.push(
      ...named(device?.attributes ?? {}, (name) => has("device.attributes", name)),
      ...named(params, (name) => has("path") || isNamed(name)),
    );
    this.#values = texts.filter((text) => text !== undefined && text !== "").map(valueOf);
  }

  isIn(text: string | undefined): boolean {
    if (text === undefined || this.#values.length === 0) return false;
    const lower = text.toLowerCase();
    return this.#values.some(
      ({ exact, forms }) => text === exact || forms.some((form) => lower.includes(form)),
    );
  }
}

/** Texts only: that a flag is set says nothing of where else it stands. */
function named(
  values: Readonly<Record<string, unknown>>,
  is: (name: string) => boolean,
): readonly string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    if (!is(name)) return [];
    if (typeof value === "string") return [value];
    return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
  });
}

function valueOf(text: string | undefined): Value {
  const exact = text ?? "";
  if (exact.length < LIMITS.within) return { exact, forms: [] };
  const lower = exact.toLowerCase();
  const encoded = encodeURIComponent(exact.toWellFormed()).toLowerCase();
  return { exact, forms: encoded === lower ? [lower] : [lower, encoded] };
}
