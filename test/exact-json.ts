/**
 * For tests: JSON with integers beyond 2^53 kept exact, as bigint for our evaluator or as raw JSON for
 * the official engine, which stringifies what it is given.
 */
interface RawJson {
  rawJSON(text: string): unknown;
}

export function parseWithIntegers(text: string, form: "bigint" | "raw"): unknown {
  const reviver = (_name: string, value: unknown, source?: { source?: string }): unknown => {
    if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
    const digits = source?.source ?? "";
    return form === "bigint" ? BigInt(digits) : rawInteger(digits);
  };
  return JSON.parse(text, reviver) as unknown;
}

export function rawInteger(digits: string): unknown {
  return (JSON as unknown as RawJson).rawJSON(digits);
}
