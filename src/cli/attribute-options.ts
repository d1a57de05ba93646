/** Options that several commands take: attributes, durations. What is written wrongly names its option. */
import { ConfigError } from "../model/errors.ts";
import type { duration } from "../model/options.ts";

export type AttributeValues = Record<string, string | boolean | number | string[]>;

/** `tier=3` is a number, `tenant=acme` a text, `external=true` a boolean, `regions=["eu"]` a set. */
export function attributesOf(texts: readonly string[]): AttributeValues {
  const attributes: AttributeValues = {};
  for (const text of texts) {
    const at = text.indexOf("=");
    if (at < 1) {
      throw wrongOption("--attribute", "not an attribute", "name=value, such as tenant=acme");
    }
    attributes[text.slice(0, at)] = valueOf(text.slice(at + 1));
  }
  return attributes;
}

function valueOf(text: string): string | boolean | number | string[] {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "boolean" || typeof value === "string") return value;
    if (Number.isSafeInteger(value)) return value as number;
    if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value;
  } catch {
    // Text that is no JSON stands for itself.
  }
  return text;
}

/** Milliseconds. Throws ConfigError. */
export function durationOption(
  text: string,
  option: string,
  schema: ReturnType<typeof duration>,
): number {
  const { data, error } = schema.safeParse(text);
  if (error !== undefined) throw wrongOption(option, "not a duration", error.issues[0]?.message);
  return data;
}

export function wrongOption(
  file: string,
  message: string,
  remedy: string | undefined,
): ConfigError {
  return new ConfigError([{ file, message, ...(remedy !== undefined && { remedy }) }]);
}
