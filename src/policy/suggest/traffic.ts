/**
 * What an audit log says of who used what: permitted traffic by principal, action and route with what all of
 * it had in common, what was denied, and when each policy was last among those that decide.
 */
import { ADMIN_ROUTE } from "../../model/admin-operations.ts";
import { isEgressRoute } from "../../model/egress-names.ts";
import { principalId, type Principal } from "../../model/principal.ts";
import { hiddenFacts } from "../explain/redacted.ts";
import { answerOf, type RecordedAnswer } from "../replay/replay.ts";
import { patternOf } from "./path-patterns.ts";

const LIMITS = {
  /** Uses, and denials, that are told apart; more than a person reviews. What comes beyond is counted. */
  kept: 20_000,
  /** Patterns of one use, and paths of one pattern; a condition names fewer. */
  patterns: 200,
} as const;

/** All permitted decisions of one principal with one action on one route. */
export interface Use {
  readonly principal: Principal;
  readonly action: string;
  readonly route: string;
  /** Of its paths, with the paths that it was made of. */
  readonly patterns: Map<string, Set<string>>;
  /** Scopes that every one of them had. */
  scopes: readonly string[];
  /** Roles that every one of them had. */
  roles: readonly string[];
  count: number;
  first: string;
  last: string;
  readonly example: RecordedAnswer;
}

export interface Denied {
  readonly principal: Principal;
  readonly action: string;
  readonly route: string;
  readonly example: RecordedAnswer;
}

export class Traffic {
  readonly #uses = new Map<string, Use>();
  readonly #denied = new Map<string, Denied>();
  readonly #lastUse = new Map<string, string>();
  #first: string | undefined;
  #beyond = 0;

  add(record: RecordedAnswer): void {
    const { time, determining } = record;
    if (this.#first === undefined || time < this.#first) this.#first = time;
    for (const id of determining) {
      const known = this.#lastUse.get(id);
      if (known === undefined || known < time) this.#lastUse.set(id, time);
    }
    const answer = answerOf(record);
    const { principal, route, method, path } = record;
    if (answer === undefined || principal === undefined || route === undefined) return;
    // A permit of traffic has no say about the admin API, and the socket needs none.
    if (method === undefined || path === undefined || route === ADMIN_ROUTE) return;
    // No policy can name who stands there as a keyed hash.
    if (hiddenFacts(record).length > 0) return;
    // What leaves by the sidecar asks no policy here.
    if (isEgressRoute(route)) return;
    const action = record.action ?? method;
    const who = `${principal.kind} ${principalId(principal)} ${action} ${route}`;
    if (answer === "permit") this.#use(who, record, { principal, action, route, path });
    else this.#deny(`${who} ${path}`, { principal, action, route, example: record });
  }

  get uses(): readonly Use[] {
    return [...this.#uses.values()];
  }

  get denied(): readonly Denied[] {
    return [...this.#denied.values()];
  }

  /** Decisions that were of too many kinds to keep. */
  get beyond(): number {
    return this.#beyond;
  }

  /** When the log begins; undefined for an empty one. */
  get first(): string | undefined {
    return this.#first;
  }

  lastUseOf(policy: string): string | undefined {
    return this.#lastUse.get(policy);
  }

  #use(
    key: string,
    record: RecordedAnswer,
    { principal, action, route, path }: Omit<Denied, "example"> & { readonly path: string },
  ): void {
    const { time, scopes } = record;
    const use = this.#uses.get(key);
    if (use === undefined) {
      if (this.#uses.size >= LIMITS.kept) {
        this.#beyond += 1;
        return;
      }
      this.#uses.set(key, {
        principal,
        action,
        route,
        patterns: new Map([[patternOf(path), new Set([path])]]),
        scopes,
        roles: principal.roles,
        count: 1,
        first: time,
        last: time,
        example: record,
      });
      return;
    }
    use.count += 1;
    addPath(use.patterns, path);
    use.scopes = use.scopes.filter((scope) => scopes.includes(scope));
    use.roles = use.roles.filter((role) => principal.roles.includes(role));
    if (time < use.first) use.first = time;
    if (time > use.last) use.last = time;
  }

  #deny(key: string, denied: Denied): void {
    if (this.#denied.has(key) || this.#denied.size >= LIMITS.kept) return;
    this.#denied.set(key, denied);
  }
}

function addPath(patterns: Map<string, Set<string>>, path: string): void {
  const pattern = patternOf(path);
  const paths = patterns.get(pattern);
  if (paths === undefined) {
    if (patterns.size < LIMITS.patterns) patterns.set(pattern, new Set([path]));
  } else if (paths.size < LIMITS.patterns) paths.add(path);
}
