/**
 * A strict reader of OpenMetrics 1.0 text, for tests: what the specification says MUST be so, and nothing
 * that is merely usual. Throws Error with the line that breaks a rule.
 */

export interface ReadFamily {
  readonly name: string;
  readonly type: string;
  readonly unit: string | undefined;
  readonly help: string | undefined;
  readonly samples: readonly ReadSample[];
}

export interface ReadSample {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
  readonly exemplar: ReadExemplar | undefined;
}

export interface ReadExemplar {
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: ["_total", "_created"],
  gauge: [""],
  histogram: ["_bucket", "_sum", "_count", "_created"],
};

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const NUMBER = String.raw`(?:[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[-+]Inf|NaN)`;
const LABELS = String.raw`\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*"(?:,(?!\})|(?=\})))*\}`;
const SAMPLE = new RegExp(
  `^(?<name>[a-zA-Z_:][\\w:]*)(?<labels>${LABELS})? (?<value>${NUMBER})(?: # (?<shown>${LABELS}) (?<amount>${NUMBER}))?$`,
);

export function readOpenMetrics(text: string): readonly ReadFamily[] {
  if (!text.endsWith("# EOF\n")) throw new Error("the last line has to be # EOF");
  const lines = text.slice(0, -"# EOF\n".length).split("\n");
  if (lines.pop() !== "") throw new Error("a line without its end");
  const families = new Map<string, Mutable>();
  let current: Mutable | undefined;
  for (const line of lines) {
    const fail = (why: string): never => {
      throw new Error(`${why}: ${line}`);
    };
    const meta = /^# (TYPE|UNIT|HELP) (\S+) (.*)$/.exec(line);
    if (meta !== null) {
      const [, kind, name = "", rest = ""] = meta;
      if (current?.name !== name) {
        if (families.has(name) || !NAME.test(name))
          fail("a family that comes again or has no name");
        current = { name, type: "unknown", unit: undefined, help: undefined, samples: [] };
        families.set(name, current);
      }
      if (current.samples.length > 0) fail("metadata after samples");
      if (kind === "TYPE") current.type = SUFFIXES[rest] === undefined ? fail("no type") : rest;
      if (kind === "UNIT") current.unit = name.endsWith(`_${rest}`) ? rest : fail("not its unit");
      if (kind === "HELP") {
        if (/(?:^|[^\\])(?:\\\\)*(?:\\[^\\n"]|")/.test(rest)) fail("not escaped");
        current.help = rest;
      }
      continue;
    }
    if (current === undefined) return fail("a sample of no family");
    current.samples.push(readSample(line, current));
  }
  for (const family of families.values()) checkFamily(family);
  return [...families.values()];
}

interface Mutable {
  readonly name: string;
  type: string;
  unit: string | undefined;
  help: string | undefined;
  samples: ReadSample[];
}

function readSample(line: string, { name: family, type }: Mutable): ReadSample {
  const groups = SAMPLE.exec(line)?.groups;
  if (groups === undefined) throw new Error(`no sample: ${line}`);
  const { name = "", labels, value = "", shown, amount } = groups;
  const suffix = name.startsWith(family) ? name.slice(family.length) : undefined;
  if (suffix === undefined || SUFFIXES[type]?.includes(suffix) !== true) {
    throw new Error(`not of ${family}, a ${type}: ${line}`);
  }
  if (shown !== undefined && suffix !== "_bucket" && suffix !== "_total") {
    throw new Error(`an exemplar where none may be: ${line}`);
  }
  const exemplar =
    shown === undefined
      ? undefined
      : { labels: readLabels(shown, line), value: readNumber(amount ?? "") };
  const characters = [...(exemplar?.labels ?? [])].flat().join("").length;
  if (characters > 128) throw new Error(`an exemplar of more than 128 characters: ${line}`);
  return { name, labels: readLabels(labels ?? "{}", line), value: readNumber(value), exemplar };
}

function readLabels(text: string, line: string): ReadonlyMap<string, string> {
  const labels = new Map<string, string>();
  for (const [, name = "", value = ""] of text.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)) {
    if (labels.has(name)) throw new Error(`a label twice: ${line}`);
    labels.set(
      name,
      value.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped)),
    );
  }
  return labels;
}

function readNumber(text: string): number {
  return Number(text.replace("Inf", "Infinity"));
}

/** No series twice, and of histograms: buckets that rise, the last of which counts all. */
function checkFamily({ name, type, samples }: Mutable): void {
  const seen = new Set<string>();
  const groups = new Map<string, ReadSample[]>();
  for (const sample of samples) {
    const key = JSON.stringify([
      sample.name,
      ...[...sample.labels].map((pair) => pair.join("\0")).toSorted(),
    ]);
    if (seen.has(key)) throw new Error(`a series twice: ${key}`);
    seen.add(key);
    if (type === "counter" && !(sample.value >= 0)) throw new Error(`a counter below 0: ${key}`);
    const others = JSON.stringify([...sample.labels].filter(([label]) => label !== "le"));
    groups.set(others, [...(groups.get(others) ?? []), sample]);
  }
  if (type !== "histogram") return;
  for (const group of groups.values()) checkHistogram(name, group);
}

function checkHistogram(name: string, group: readonly ReadSample[]): void {
  const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
  const count = group.find((sample) => sample.name === `${name}_count`)?.value;
  let before = { bound: Number.NEGATIVE_INFINITY, value: 0 };
  for (const { labels, value, exemplar } of buckets) {
    const bound = readNumber(labels.get("le") ?? "");
    if (!(bound > before.bound) || value < before.value) throw new Error(`buckets of ${name}`);
    if (exemplar !== undefined && !(exemplar.value <= bound && exemplar.value > before.bound)) {
      throw new Error(`an exemplar of ${name} outside of its bucket`);
    }
    before = { bound, value };
  }
  if (before.bound !== Number.POSITIVE_INFINITY || before.value !== count) {
    throw new Error(`${name} has no last bucket that counts all`);
  }
}
