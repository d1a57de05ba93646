/**
 * Who got to which service in a time, and who was refused there and why: counted from the columns of the
 * index, without reading a record. What somebody only asked about is not among it.
 */
import { readColumn } from "./block.ts";
import { at, type Column } from "./columns.ts";
import { type ColumnName, KINDS } from "./entry.ts";
import { EVERYTHING } from "./filter.ts";
import { blocksOf } from "./find-rows.ts";
import type { IndexFile } from "./index-file.ts";

export interface AccessQuery {
  readonly fromMs: number | undefined;
  readonly toMs: number | undefined;
  /** Undefined: all of them. */
  readonly service: string | undefined;
}

export interface Figures {
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

/** Undefined: nobody who was known. */
export interface PrincipalFigures extends Figures {
  readonly principal: string | undefined;
}

export interface DeniedFigures extends PrincipalFigures {
  readonly reason: string;
}

export interface ServiceAccess {
  /** Undefined: the request was for no service. */
  readonly service: string | undefined;
  readonly permitted: readonly PrincipalFigures[];
  readonly denied: readonly DeniedFigures[];
}

export interface AccessFigures {
  readonly services: readonly ServiceAccess[];
  /** Hashes of the policies that decided, in the order in which they did first. */
  readonly bundles: readonly (Figures & { readonly bundle: string })[];
}

export function accessFigures(file: IndexFile, query: AccessQuery): AccessFigures {
  const counting = new Counting(file, query);
  for (const block of blocksOf(file, { filter: { ...EVERYTHING, ...query } })) counting.add(block);
  return counting.result();
}

interface Counted {
  count: number;
  firstMs: number;
  lastMs: number;
}

/** By the numbers of principal and reason; the reason of a permit is not asked. */
interface CountedService {
  readonly permitted: Map<number, Counted>;
  readonly denied: Map<number, Map<number, Counted>>;
}

class Counting {
  readonly #file: IndexFile;
  readonly #fromMs: number;
  readonly #toMs: number;
  /** Number of the only service that is wanted; 0 is none. */
  readonly #service: number | undefined;
  readonly #services = new Map<number, CountedService>();
  readonly #bundles = new Map<number, Counted>();

  constructor(file: IndexFile, { fromMs, toMs, service }: AccessQuery) {
    this.#file = file;
    this.#fromMs = fromMs ?? 0;
    this.#toMs = toMs ?? Infinity;
    this.#service = service === undefined ? undefined : (file.findText("service", service) ?? -1);
  }

  add({ number, records, minMs }: ReturnType<typeof blocksOf>[number]): void {
    const column = (name: ColumnName): Column => readColumn(this.#file, number, name, records);
    const [kinds, times, services] = [column("kind"), column("time"), column("service")];
    const [principals, reasons, bundles] = [
      column("principal"),
      column("reason"),
      column("bundle"),
    ];
    for (let row = 0; row < records; row++) {
      const kind = at(kinds, row);
      if (kind !== KINDS.permit && kind !== KINDS.deny) continue;
      const timeMs = minMs + at(times, row);
      const service = at(services, row);
      if (timeMs < this.#fromMs || timeMs >= this.#toMs) continue;
      if (this.#service !== undefined && service !== this.#service) continue;
      count(this.#bundles, at(bundles, row), timeMs);
      const { permitted, denied } = this.#of(service);
      const principal = at(principals, row);
      if (kind === KINDS.permit) count(permitted, principal, timeMs);
      else {
        let byReason = denied.get(principal);
        if (byReason === undefined) denied.set(principal, (byReason = new Map()));
        count(byReason, at(reasons, row), timeMs);
      }
    }
  }

  result(): AccessFigures {
    const text = (number: number): string | undefined => this.#file.textOf(number);
    const services = [...this.#services].map(([number, { permitted, denied }]) => ({
      service: text(number),
      permitted: [...permitted]
        .map(([who, figures]) => ({ principal: text(who), ...figures }))
        .toSorted(byPrincipal),
      denied: [...denied]
        .flatMap(([who, reasons]) =>
          [...reasons].map(([why, figures]) => ({
            principal: text(who),
            reason: text(why) ?? "",
            ...figures,
          })),
        )
        .toSorted((a, b) => byPrincipal(a, b) || b.count - a.count),
    }));
    const bundles = [...this.#bundles]
      .map(([number, figures]) => ({ bundle: text(number) ?? "", ...figures }))
      .toSorted((a, b) => a.firstMs - b.firstMs);
    return {
      services: services.toSorted((a, b) => compare(a.service ?? "", b.service ?? "")),
      bundles,
    };
  }

  #of(service: number): CountedService {
    const known = this.#services.get(service);
    if (known !== undefined) return known;
    const made: CountedService = { permitted: new Map(), denied: new Map() };
    this.#services.set(service, made);
    return made;
  }
}

function count(counted: Map<number, Counted>, key: number, timeMs: number): void {
  const known = counted.get(key);
  if (known === undefined) {
    counted.set(key, { count: 1, firstMs: timeMs, lastMs: timeMs });
    return;
  }
  known.count += 1;
  if (timeMs < known.firstMs) known.firstMs = timeMs;
  if (timeMs > known.lastMs) known.lastMs = timeMs;
}

function byPrincipal(a: PrincipalFigures, b: PrincipalFigures): number {
  return compare(a.principal ?? "", b.principal ?? "");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
