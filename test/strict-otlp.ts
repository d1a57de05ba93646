/**
 * OTLP's ExportLogsServiceRequest as JSON, read strictly: the fields of opentelemetry-proto 1.x by
 * their names, with the types that its JSON encoding gives them, and no others. A receiver may pass
 * over what it does not know; a test may not.
 */
import assert from "node:assert/strict";

type Check = (value: unknown, place: string) => void;

const text: Check = (value, place) => assert.equal(typeof value, "string", place);
const flag: Check = (value, place) => assert.equal(typeof value, "boolean", place);
const double: Check = (value, place) => assert.equal(typeof value, "number", place);

/** int64 is a text (protobuf's JSON mapping). */
const int64: Check = (value, place) => assert.match(String(value), /^-?\d{1,19}$/, place);
const long: Check = (value, place) => {
  text(value, place);
  int64(value, place);
};
/** Of nanoseconds: a time in this century is 19 digits. */
const nanos: Check = (value, place) => {
  text(value, place);
  assert.match(String(value), /^1\d{18}$/, place);
};
const uint32: Check = (value, place) => {
  assert.ok(
    Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32,
    place,
  );
};
const hex =
  (digits: number): Check =>
  (value, place) => {
    assert.match(String(value), new RegExp(`^[0-9a-f]{${digits}}$`), place);
    assert.doesNotMatch(String(value), /^0+$/, place);
  };

function list(check: Check): Check {
  return (value, place) => {
    assert.ok(Array.isArray(value), place);
    for (const [index, one] of value.entries()) check(one, `${place}[${index}]`);
  };
}

function message(fields: Readonly<Record<string, Check>>, needed: readonly string[] = []): Check {
  return (value, place) => {
    assert.ok(typeof value === "object" && value !== null && !Array.isArray(value), place);
    for (const [name, one] of Object.entries(value)) {
      const check = fields[name];
      assert.ok(check !== undefined, `${place}.${name} is no field`);
      check(one, `${place}.${name}`);
    }
    for (const name of needed) assert.ok(name in value, `${place}.${name} is missing`);
  };
}

const anyValue: Check = (value, place) => {
  message({
    stringValue: text,
    boolValue: flag,
    intValue: long,
    doubleValue: double,
    arrayValue: message({ values: list(anyValue) }, ["values"]),
    kvlistValue: message({ values: attributes }, ["values"]),
  })(value, place);
  // It is a oneof.
  assert.equal(Object.keys(value as object).length, 1, place);
};

const attributes: Check = (value, place) => {
  list(message({ key: text, value: anyValue }, ["key", "value"]))(value, place);
  const keys = (value as { key: string }[]).map(({ key }) => key);
  assert.equal(new Set(keys).size, keys.length, `${place}: keys are unique`);
  assert.ok(
    keys.every((key) => key !== ""),
    `${place}: keys are not empty`,
  );
};

const severity: Check = (value, place) => {
  uint32(value, place);
  assert.ok((value as number) >= 1 && (value as number) <= 24, place);
};

const logRecord = message(
  {
    timeUnixNano: nanos,
    observedTimeUnixNano: nanos,
    severityNumber: severity,
    severityText: text,
    body: anyValue,
    attributes,
    droppedAttributesCount: uint32,
    flags: uint32,
    traceId: hex(32),
    spanId: hex(16),
    eventName: text,
  },
  ["timeUnixNano", "observedTimeUnixNano", "severityNumber", "body"],
);

const scope = message({ name: text, version: text, attributes, droppedAttributesCount: uint32 });
const resource = message({ attributes, droppedAttributesCount: uint32 }, ["attributes"]);

const request = message(
  {
    resourceLogs: list(
      message(
        {
          resource,
          scopeLogs: list(
            message({ scope, logRecords: list(logRecord), schemaUrl: text }, [
              "scope",
              "logRecords",
            ]),
          ),
          schemaUrl: text,
        },
        ["resource", "scopeLogs"],
      ),
    ),
  },
  ["resourceLogs"],
);

export interface OtlpLog {
  readonly severityNumber: number;
  readonly severityText: string;
  readonly eventName: string;
  readonly timeUnixNano: string;
  readonly traceId?: string;
  readonly body: { readonly stringValue: string };
  /** By key, the value without its type. */
  readonly attributes: Readonly<Record<string, unknown>>;
}

export interface OtlpLogs {
  readonly resource: Readonly<Record<string, unknown>>;
  readonly records: readonly OtlpLog[];
}

/** Throws where it is not what OTLP says. */
export function readOtlpLogs(body: string): OtlpLogs {
  const value = JSON.parse(body) as {
    resourceLogs: {
      resource: { attributes: Pair[] };
      scopeLogs: { logRecords: (Omit<OtlpLog, "attributes"> & { attributes: Pair[] })[] }[];
    }[];
  };
  request(value, "request");
  const [first = assert.fail("no resource")] = value.resourceLogs;
  assert.ok("service.name" in plain(first.resource.attributes));
  return {
    resource: plain(first.resource.attributes),
    records: value.resourceLogs
      .flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords))
      .map((record) => ({ ...record, attributes: plain(record.attributes) })),
  };
}

interface Pair {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

function plain(pairs: readonly Pair[]): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]]));
}
