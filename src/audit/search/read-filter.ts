/**
 * The filter that somebody typed → a checked one. Everything that is wrong is said at once, each with
 * the option's name and what would be right: a search for a reason that does not exist would find
 * nothing, and be taken for an answer.
 */
import { ConfigError, type Problem } from "../../model/errors.ts";
import { EVENTS, type EventName } from "../../model/events.ts";
import { REASONS } from "../../model/reason.ts";
import { suggest } from "../../model/suggest.ts";
import { type Cidr, parseAddress, parseCidr } from "../../wire/address.ts";
import { writtenTime } from "../written-time.ts";
import type { Place } from "./find-rows.ts";
import { ANONYMOUS, type RecordFilter } from "./filter.ts";
import { parsePlace } from "./place-text.ts";

/** As typed; each list may have several, of which one has to hold. */
export interface FilterInput {
  readonly principal?: readonly string[];
  readonly route?: readonly string[];
  readonly service?: readonly string[];
  readonly decision?: string | undefined;
  readonly reason?: readonly string[];
  readonly event?: readonly string[];
  readonly id?: readonly string[];
  readonly address?: readonly string[];
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** Throws ConfigError. `nowMs`: what `2h` is counted back from. */
export function readFilter(input: FilterInput, nowMs: number): RecordFilter {
  const problems: Problem[] = [];
  const { reason = [], event = [], id = [], decision } = input;
  for (const one of reason) checkName(problems, { option: "--reason", one, names: REASONS });
  for (const one of event) checkName(problems, { option: "--event", one, names: EVENTS });
  if (decision !== undefined && decision !== "permit" && decision !== "deny") {
    problems.push({ message: `--decision: ${shown(decision)} is none`, remedy: "permit or deny" });
  }
  for (const one of id) {
    if (DECISION_ID.test(one)) continue;
    const remedy = "26 letters and digits, as in sallyport-decision of the answer";
    problems.push({ message: `--id: ${shown(one)} is no decision id`, remedy });
  }
  const fromMs = readTime(problems, { option: "--from", text: input.from, nowMs });
  const toMs = readTime(problems, { option: "--to", text: input.to, nowMs });
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs) {
    const message = `--from ${input.from} is not before --to ${input.to}`;
    problems.push({ message, remedy: "an earlier --from; --to itself is not among what is found" });
  }
  const addresses = readAddresses(problems, input.address ?? []);
  const principals = readPrincipals(problems, input.principal ?? []);
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    principals,
    routes: input.route ?? [],
    services: input.service ?? [],
    decision: decision as RecordFilter["decision"],
    reasons: reason,
    events: event as readonly EventName[],
    ids: id.map((one) => one.toUpperCase()),
    addresses,
    fromMs,
    toMs,
  };
}

/** What `--before` says: a place, a time or a decision id. */
export function readBefore(text: string | undefined, nowMs: number): Place | string | undefined {
  if (text === undefined) return undefined;
  const place = parsePlace(text);
  if (place !== undefined) return place;
  const timeMs = parseTime(text, nowMs);
  // Before all that happened then: no segment has a lesser name.
  if (timeMs !== undefined) return { timeMs, segment: "", offset: 0 };
  if (DECISION_ID.test(text)) return text.toUpperCase();
  const remedy = "a time, the id of a decision, or what an earlier search said after --before";
  throw new ConfigError([{ message: `--before: ${shown(text)} is no place in the log`, remedy }]);
}

/** A part of one would find nothing, and be taken for an answer. */
const DECISION_ID = /^[A-Za-z0-9]{26}$/;

interface Timed {
  readonly option: string;
  readonly text: string | undefined;
  readonly nowMs: number;
}

function readTime(problems: Problem[], { option, text, nowMs }: Timed): number | undefined {
  if (text === undefined) return undefined;
  const timeMs = parseTime(text, nowMs);
  if (timeMs !== undefined) return timeMs;
  const remedy = "2026-12-24, 2026-12-24T18:00:00Z, or 90m, 2h, 7d for so long ago";
  problems.push({ message: `${option}: ${shown(text)} is no time`, remedy });
  return undefined;
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

function parseTime(text: string, nowMs: number): number | undefined {
  const [, count, unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return nowMs - Number(count) * (UNITS[unit] ?? 0) * 1000;
  return writtenTime(text);
}

interface Named {
  readonly option: string;
  readonly one: string;
  readonly names: Readonly<Record<string, unknown>>;
}

function checkName(problems: Problem[], { option, one, names }: Named): void {
  if (Object.hasOwn(names, one)) return;
  const close = suggest(one, Object.keys(names));
  const remedy =
    close === undefined
      ? `one of ${Object.keys(names).slice(0, 10).join(", ")}, … (docs/audit.md)`
      : `did you mean ${close}?`;
  problems.push({ message: `${option}: there is no ${shown(one)}`, remedy });
}

function readAddresses(problems: Problem[], texts: readonly string[]): readonly Cidr[] {
  return texts.flatMap((text) => {
    const block = parseCidr(text);
    if (block !== undefined) return [block];
    const remedy =
      parseAddress(text.split("/")[0] ?? "") === undefined
        ? "such as 192.0.2.7, 2001:db8::1 or 192.0.2.0/24"
        : "bits beyond the prefix are 0: 192.0.2.0/24";
    problems.push({ message: `--address: ${shown(text)} is no address or network`, remedy });
    return [];
  });
}

function readPrincipals(problems: Problem[], texts: readonly string[]): readonly string[] {
  return texts.flatMap((text) => {
    // As policies write them, too: User::"corp/alice".
    const id = /^(?:Sallyport::)?[A-Z][a-z]+::"(.*)"$/.exec(text)?.[1] ?? text;
    if (id === ANONYMOUS || /^[^/]+\/./s.test(id)) return [id];
    const remedy = "<authenticator>/<subject>, such as corp/alice, or anonymous";
    problems.push({ message: `--principal: ${shown(text)} names nobody`, remedy });
    return [];
  });
}

function shown(text: string): string {
  return JSON.stringify(text);
}
