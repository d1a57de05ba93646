/**
 * The book of usage: sums by principal, plan, service, route, operation and hour, made of records and of
 * nothing else. Sums and how far each file of the log is in them reach the disk in one transaction, so a
 * record is counted once, whenever the process dies.
 *
 * A request counts in the hour of its decision, its bytes in the hour in which it ended: an hour that the
 * log has left behind does not change any more.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { CompletionLine, DecisionLine, SummaryLine } from "../../model/record-feed.ts";
import { inOneTransaction } from "../../platform/side-database.ts";
import { HOUR_MS } from "./periods.ts";
import { type Sum, Sums } from "./sums.ts";
import { costOf, OTHERS, UNIDENTIFIED, type UsageKey, usageKey } from "./usage-lines.ts";

const LIMITS = {
  /** Sums in memory; with more of them they are written before the next commit is due. */
  sums: 20_000,
  /** Requests in memory that have not ended; older ones are found in the file. */
  open: 100_000,
  /** Requests in the file that have not ended: what died with its process never does, and is forgotten after a month. */
  openMs: 30 * 24 * HOUR_MS,
  /** Names of principals in the file; those beyond are counted as `others`, so that sums stay whole. */
  principals: 1_000_000,
  /** Ids in memory. */
  ids: 200_000,
  /** Characters of a name; what is longer keeps its beginning and its end. */
  name: 512,
} as const;

/** What is added to a sum. */
export interface Used {
  readonly requests: number;
  readonly denied: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Thousandths. */
  readonly cost: number;
}

/** A request that has not ended. */
interface Open extends SumOf {
  /** Whether it is in the file. */
  saved: boolean;
}

/** Whose sum, and of which hour (its beginning, milliseconds since the epoch). */
export type SumOf = Pick<Sum, "key" | "hourMs">;

export interface UsageBookOptions {
  /** Whether denials are counted too. */
  readonly all: boolean;
  /** Told of all that is counted, and of which sum it is part. */
  readonly counted?: (sum: SumOf, used: Used) => void;
}

export class UsageBook {
  readonly #database: DatabaseSync;
  readonly #options: UsageBookOptions;
  readonly #statements: Statements;
  readonly #positions = new Map<string, number>();
  /** Written with the next commit. */
  readonly #moved = new Set<string>();
  readonly #ended = new Set<string>();
  readonly #sums = new Sums();
  readonly #open = new Map<string, Open>();
  /** Ended since the last commit, and in the file. */
  readonly #closed = new Set<string>();
  readonly #ids = new Map<string, number>();
  #principals: number;
  #hourText = "";
  #hourMs = 0;

  constructor(database: DatabaseSync, options: UsageBookOptions) {
    this.#database = database;
    this.#options = options;
    this.#statements = prepare(database);
    this.#readPositions();
    this.#principals = count(database, "SELECT count(*) AS n FROM principals");
  }

  position(segment: string): number {
    return this.#positions.get(segment) ?? 0;
  }

  /** All before this byte of the segment is counted, as far as it counts. */
  reached(segment: string, position: number): void {
    this.#positions.set(segment, position);
    this.#moved.add(segment);
  }

  /** Whether a commit is due, whoever calls for one. */
  get full(): boolean {
    return this.#sums.size >= LIMITS.sums || this.#open.size >= LIMITS.open;
  }

  ended(segment: string): void {
    this.#ended.add(segment);
  }

  decision(line: DecisionLine): void {
    const permitted = line.decision === "permit";
    if (!permitted && !this.#options.all) return;
    const key = usageKey(line);
    if (key === undefined) return;
    const sum = this.#sums.of(key, this.#hourOf(line.time));
    if (!permitted) {
      this.#add(sum, { requests: 0, denied: 1, bytesIn: 0, bytesOut: 0, cost: 0 });
      return;
    }
    this.#add(sum, { requests: 1, denied: 0, bytesIn: 0, bytesOut: 0, cost: costOf(line) });
    // The key of the sum: what ends has it at hand then, and it is held once.
    this.#open.set(line.decisionId, { key: sum.key, hourMs: sum.hourMs, saved: false });
  }

  completion({ decisionId, requestBytes, responseBytes, time }: CompletionLine): void {
    const open = this.#open.get(decisionId);
    const key = open?.key ?? this.#found(decisionId);
    // Of a denial, or of what is not counted.
    if (key === undefined) return;
    this.#open.delete(decisionId);
    if (open?.saved !== false) this.#closed.add(decisionId);
    const sum = this.#sums.of(key, this.#hourOf(time));
    const [bytesIn, bytesOut] = [requestBytes, responseBytes];
    this.#add(sum, { requests: 0, denied: 0, bytesIn, bytesOut, cost: 0 });
  }

  /** Denials without a record of their own. */
  summary({ counts, time }: SummaryLine): void {
    if (!this.#options.all) return;
    const denied = counts.reduce((sum, { count: of }) => sum + of, 0);
    const sum = this.#sums.of(STRANGERS, this.#hourOf(time));
    this.#add(sum, { requests: 0, denied, bytesIn: 0, bytesOut: 0, cost: 0 });
  }

  /** Makes all of it survive a crash. Throws what SQLite throws; then all of it is tried again with the next. */
  commit(): void {
    if (this.#moved.size === 0 && this.#ended.size === 0) return;
    const ids = new Map<string, number>();
    const principals = this.#principals;
    try {
      inOneTransaction(this.#database, () => this.#write(ids));
    } catch (error) {
      this.#principals = principals;
      throw error;
    }
    for (const [name, id] of ids) this.#remember(name, id);
    this.#sums.clear();
    this.#moved.clear();
    this.#ended.clear();
    this.#closed.clear();
    for (const open of this.#open.values()) open.saved = true;
    // All of them are in the file now; the map only spares the question.
    if (this.#open.size >= LIMITS.open) this.#open.clear();
  }

  /** Forgets all that was not committed: it is to be read again. */
  abandon(): void {
    this.#sums.clear();
    this.#open.clear();
    this.#closed.clear();
    this.#moved.clear();
    this.#positions.clear();
    this.#readPositions();
  }

  /** Removes hours before this time, and what nobody asks for any more. */
  forget(beforeMs: number, nowMs: number): void {
    inOneTransaction(this.#database, () => {
      this.#run("DELETE FROM usage WHERE hour < ?", Math.floor(beforeMs / 1000));
      this.#run("DELETE FROM open WHERE since < ?", nowMs - LIMITS.openMs);
      this.#run("DELETE FROM told WHERE start < ?", beforeMs);
      this.#run(`DELETE FROM principals
        WHERE NOT EXISTS (SELECT 1 FROM usage WHERE usage.principal = principals.id)`);
    });
    this.#ids.clear();
    this.#principals = count(this.#database, "SELECT count(*) AS n FROM principals");
  }

  /** Forgets how far files are counted that are not there any more. */
  forgetSegments(exists: (segment: string) => boolean): void {
    const rows = this.#database.prepare("SELECT name FROM segments WHERE ended = 1").all();
    const gone = rows.map(({ name }) => String(name)).filter((name) => !exists(name));
    inOneTransaction(this.#database, () => {
      for (const name of gone) this.#run("DELETE FROM segments WHERE name = ?", name);
    });
    for (const name of gone) this.#positions.delete(name);
  }

  /** Whether it was not said before of this principal and period; notes that it is now. */
  tell(event: string, { principal, period, start }: Told): boolean {
    return Number(this.#statements.tell.run(event, principal, period, start).changes) > 0;
  }

  isTold(event: string, { principal, period, start }: Told): boolean {
    return this.#statements.told.get(event, principal, period, start) !== undefined;
  }

  close(): void {
    try {
      this.commit();
    } finally {
      this.#database.close();
    }
  }

  #readPositions(): void {
    for (const row of this.#database.prepare("SELECT name, position FROM segments").all()) {
      this.#positions.set(String(row["name"]), Number(row["position"]));
    }
  }

  #add(sum: Sum, step: Used): void {
    sum.requests += step.requests;
    sum.denied += step.denied;
    sum.bytesIn += step.bytesIn;
    sum.bytesOut += step.bytesOut;
    sum.cost += step.cost;
    this.#options.counted?.(sum, step);
  }

  /** Records come in the order of their time, nearly: the hour is nearly always that of the one before. */
  #hourOf(time: string): number {
    const text = time.slice(0, 13);
    if (text !== this.#hourText) {
      const timeMs = Date.parse(time);
      if (Number.isNaN(timeMs)) throw new TypeError("a record without a time");
      this.#hourMs = Math.floor(timeMs / HOUR_MS) * HOUR_MS;
      this.#hourText = text;
    }
    return this.#hourMs;
  }

  #found(decisionId: string): UsageKey | undefined {
    if (this.#closed.has(decisionId)) return undefined;
    const row = this.#statements.opened.get(decisionId);
    if (row === undefined) return undefined;
    const text = (name: string): string => String(row[name]);
    return {
      principal: text("principal"),
      plan: text("plan"),
      service: text("service"),
      route: text("route"),
      operation: text("operation"),
    };
  }

  #write(ids: Map<string, number>): void {
    const { add, open, close, move, end } = this.#statements;
    for (const sum of this.#sums.all()) {
      const { plan, service, route, operation } = sum.key;
      const id = this.#id(sum.key.principal, ids);
      const { requests, denied, bytesIn, bytesOut, cost } = sum;
      const hour = sum.hourMs / 1000;
      add.run(hour, id, plan, service, route, operation, requests, denied, bytesIn, bytesOut, cost);
    }
    for (const decision of this.#closed) close.run(decision);
    for (const [decision, { key, hourMs, saved }] of this.#open) {
      if (saved) continue;
      const { principal, plan, service, route, operation } = key;
      open.run(decision, hourMs, principal, plan, service, route, operation);
    }
    for (const segment of this.#moved) move.run(segment, this.position(segment));
    for (const segment of this.#ended) end.run(segment, this.position(segment));
  }

  #id(principal: string, fresh: Map<string, number>): number {
    const name = shortened(principal);
    const known = this.#ids.get(name) ?? fresh.get(name) ?? this.#idInFile(name);
    if (known !== undefined) {
      fresh.set(name, known);
      return known;
    }
    if (this.#principals >= LIMITS.principals && name !== OTHERS) {
      return this.#id(OTHERS, fresh);
    }
    const id = Number(this.#statements.name.run(name).lastInsertRowid);
    this.#principals += 1;
    fresh.set(name, id);
    return id;
  }

  #idInFile(name: string): number | undefined {
    const row = this.#statements.id.get(name);
    return row === undefined ? undefined : Number(row["id"]);
  }

  #remember(name: string, id: number): void {
    if (this.#ids.has(name)) return;
    if (this.#ids.size >= LIMITS.ids) this.#ids.clear();
    this.#ids.set(name, id);
  }

  #run(text: string, ...values: (string | number)[]): void {
    this.#database.prepare(text).run(...values);
  }
}

export interface Told {
  readonly principal: string;
  readonly period: string;
  /** Milliseconds since the epoch. */
  readonly start: number;
}

const STRANGERS: UsageKey = {
  principal: UNIDENTIFIED,
  plan: "",
  service: "",
  route: "",
  operation: "",
};

/** A subject may be as long as a token; its two ends tell it from others. */
function shortened(name: string): string {
  if (name.length <= LIMITS.name) return name;
  return `${name.slice(0, LIMITS.name / 2)}…${name.slice(-LIMITS.name / 2)}`;
}

interface Statements {
  readonly add: StatementSync;
  readonly name: StatementSync;
  readonly id: StatementSync;
  readonly open: StatementSync;
  readonly opened: StatementSync;
  readonly close: StatementSync;
  readonly move: StatementSync;
  readonly end: StatementSync;
  readonly tell: StatementSync;
  readonly told: StatementSync;
}

function prepare(database: DatabaseSync): Statements {
  return {
    add: database.prepare(`INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET requests = requests + excluded.requests,
        denied = denied + excluded.denied, bytes_in = bytes_in + excluded.bytes_in,
        bytes_out = bytes_out + excluded.bytes_out, cost = cost + excluded.cost`),
    name: database.prepare("INSERT INTO principals (name) VALUES (?)"),
    id: database.prepare("SELECT id FROM principals WHERE name = ?"),
    open: database.prepare("INSERT INTO open VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"),
    opened: database.prepare("SELECT * FROM open WHERE decision = ?"),
    close: database.prepare("DELETE FROM open WHERE decision = ?"),
    move: database.prepare(`INSERT INTO segments VALUES (?, ?, 0)
      ON CONFLICT DO UPDATE SET position = excluded.position`),
    end: database.prepare(`INSERT INTO segments VALUES (?, ?, 1)
      ON CONFLICT DO UPDATE SET ended = 1`),
    tell: database.prepare("INSERT INTO told VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"),
    told: database.prepare(
      "SELECT 1 FROM told WHERE event = ? AND principal = ? AND period = ? AND start = ?",
    ),
  };
}

function count(database: DatabaseSync, text: string): number {
  return Number(database.prepare(text).get()?.["n"]);
}
