/**
 * The words that OTLP's logs and traces share, in the JSON form of OTLP 1.x (opentelemetry-proto,
 * "JSON Protobuf Encoding"): 64-bit numbers are texts, trace and span ids are hexadecimal, names are
 * in lowerCamelCase.
 */

/** What an attribute can be here. */
export type OtlpInput = string | number | boolean | readonly string[];

export type OtlpValue =
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  | { readonly intValue: string }
  | { readonly doubleValue: number }
  | { readonly arrayValue: { readonly values: readonly OtlpValue[] } };

export interface OtlpAttribute {
  readonly key: string;
  readonly value: OtlpValue;
}

/** In the order in which they are given; what is undefined is left out. */
export function otlpAttributes(
  values: Readonly<Record<string, OtlpInput | undefined>>,
): OtlpAttribute[] {
  const attributes: OtlpAttribute[] = [];
  for (const [key, value] of Object.entries(values)) {
    if (value !== undefined) attributes.push({ key, value: otlpValue(value) });
  }
  return attributes;
}

function otlpValue(value: OtlpInput): OtlpValue {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number") return otlpNumber(value);
  return { arrayValue: { values: value.map((text) => ({ stringValue: text })) } };
}

function otlpNumber(value: number): OtlpValue {
  if (Number.isSafeInteger(value)) return { intValue: String(value) };
  // JSON has no way to write the others, and proto3's texts for them are refused by some receivers.
  return Number.isFinite(value) ? { doubleValue: value } : { stringValue: String(value) };
}

/** Milliseconds since the epoch, with their fraction, as a fixed64 of nanoseconds. */
export function unixNano(ms: number): string {
  const whole = Math.floor(ms);
  const rest = Math.round((ms - whole) * 1e6);
  return rest >= 1e6 ? `${whole + 1}000000` : `${whole}${String(rest).padStart(6, "0")}`;
}

/** Who speaks: the resource of everything that this process exports. */
export interface OtlpProcess {
  readonly version: string;
  /** Tells processes of one service apart. */
  readonly instance: string;
  /** What the configuration adds or sets, such as `deployment.environment.name`. */
  readonly attributes?: Readonly<Record<string, string>> | undefined;
}

/** Names of the semantic conventions (resource: service). */
export function otlpResource({ version, instance, attributes }: OtlpProcess): {
  readonly attributes: readonly OtlpAttribute[];
} {
  return {
    attributes: otlpAttributes({
      "service.name": "sallyport",
      "service.version": version,
      "service.instance.id": instance,
      ...attributes,
    }),
  };
}
