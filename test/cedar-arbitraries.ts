/**
 * Generated Cedar: policies as text, entities and requests, over a small world in which most things
 * meet. Mostly well typed, with a dose of everything else, because errors have to agree too.
 */
import * as fc from "fast-check";

export interface GeneratedCase {
  /** `permit … ;` and `forbid … ;`, by id. */
  readonly policies: Readonly<Record<string, string>>;
  readonly templates: Readonly<Record<string, string>>;
  readonly links: readonly GeneratedLink[];
  readonly entities: readonly GeneratedEntity[];
  readonly requests: readonly GeneratedRequest[];
}

export interface GeneratedLink {
  readonly templateId: string;
  readonly newId: string;
  readonly values: Readonly<Record<string, GeneratedUid>>;
}

export interface GeneratedUid {
  readonly type: string;
  readonly id: string;
}

/** Integers are bigint throughout. */
export type GeneratedJson =
  | boolean
  | string
  | bigint
  | readonly GeneratedJson[]
  | { readonly [name: string]: GeneratedJson };

export interface GeneratedEntity {
  readonly uid: GeneratedUid;
  readonly attrs: Readonly<Record<string, GeneratedJson>>;
  readonly tags: Readonly<Record<string, GeneratedJson>>;
  readonly parents: readonly GeneratedUid[];
}

export interface GeneratedRequest {
  readonly principal: GeneratedUid;
  readonly action: GeneratedUid;
  readonly resource: GeneratedUid;
  readonly context: Readonly<Record<string, GeneratedJson>>;
}

type Kind =
  | "bool"
  | "long"
  | "string"
  | "set"
  | "record"
  | "entity"
  | "ip"
  | "decimal"
  | "datetime"
  | "duration";

const KINDS: readonly Kind[] = [
  "bool",
  "long",
  "string",
  "set",
  "record",
  "entity",
  "ip",
  "decimal",
  "datetime",
  "duration",
];
const NAMES = ["a", "b", "c d", "__proto__", "constructor"] as const;
const TYPES = ["User", "Group", "N::Doc"] as const;
const IDS = ["x", "y", 'q"\\', "é\u{1f600}"] as const;
const STRINGS = ["", "x", "abc", "a*c", "aXbXc", "é\u{1f600}z", "1.2.3.4", "\n\0", "a\\"] as const;
const LONGS = [0n, 1n, -1n, 2n, 7n, 86_400_000n, 2n ** 53n, -(2n ** 53n) - 1n, 2n ** 62n];
const EDGES = [2n ** 63n - 1n, -(2n ** 63n)];

const longValue = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...LONGS) },
  { weight: 1, arbitrary: fc.constantFrom(...EDGES) },
);
const uid: fc.Arbitrary<GeneratedUid> = fc.record({
  type: fc.constantFrom(...TYPES),
  id: fc.constantFrom(...IDS),
});
const action: fc.Arbitrary<GeneratedUid> = fc
  .constantFrom("read", "GET", "POST")
  .map((id) => ({ type: "Action", id }));

/** Texts for the constructors of extension values: valid ones, edges, and near misses. */
export const extensionText: Readonly<Record<string, fc.Arbitrary<string>>> = {
  ip: mutated([
    "1.2.3.4",
    "1.2.0.0/16",
    "1.2.3.4/32",
    "0.0.0.0/0",
    "127.0.0.1",
    "127.255.0.0/7",
    "224.0.0.1/4",
    "255.255.255.255/31",
    "::1",
    "::/0",
    "::",
    "ff00::/8",
    "fe80::1/64",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7::",
    "::ffff:1.2.3.4",
    "ABCD:ef01::/128",
    "0000:0000:0000:0000:0000:0000:0000:0001/128",
  ]),
  decimal: mutated([
    "0.0",
    "1.0",
    "-0.5",
    "12.3456",
    "1.23450",
    "922337203685477.5807",
    "-922337203685477.5808",
    "922337203685477.5808",
    "-0.0001",
    "00.1",
  ]),
  datetime: mutated([
    "1970-01-01",
    "2024-02-29",
    "2023-02-29",
    "2024-10-15T11:35:00Z",
    "2024-10-15T11:35:00.123Z",
    "2024-10-15T11:35:00+0130",
    "2024-10-15T11:35:00.999-2359",
    "2024-12-31T23:59:60Z",
    "0000-01-01",
    "0099-12-31T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
    "1969-12-31T23:59:59.999Z",
    "2024-10-15T11:35:00+2400",
    "2024-10-15T11:35Z",
  ]),
  duration: mutated([
    "0ms",
    "1d2h3m4s5ms",
    "-1d",
    "36h",
    "90m",
    "1500ms",
    "-1ms",
    "1h1d",
    "9223372036854775807ms",
    "-9223372036854775808ms",
    "9223372036854775808ms",
    "106751991167d",
    "106751991168d",
    "-106751991167d25976s808ms",
    "-",
    "",
  ]),
};

/** One of the texts, now and then with a character taken out, doubled or replaced. */
function mutated(texts: readonly string[]): fc.Arbitrary<string> {
  const alphabet = fc.constantFrom(...Array.from("0123456789.:/-+TZdhmsabfgF é "));
  const change = fc
    .tuple(fc.constantFrom(...texts), fc.nat(40), alphabet, fc.constantFrom(0, 1, 2))
    .map(([text, place, character, how]) => {
      const at = place % (text.length + 1);
      const [head, tail] = [text.slice(0, at), text.slice(at)];
      if (how === 0) return head + tail.slice(1);
      return head + character + (how === 1 ? tail : tail.slice(1));
    });
  return fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...texts) },
    { weight: 1, arbitrary: change },
  );
}

/** A string literal of Cedar. */
export function quoted(text: string): string {
  const escaped = Array.from(text).map((character) => {
    if (character === "\\" || character === '"') return `\\${character}`;
    const code = character.codePointAt(0) ?? 0;
    return code < 32 ? `\\u{${code.toString(16)}}` : character;
  });
  return `"${escaped.join("")}"`;
}

function uidText({ type, id }: GeneratedUid): string {
  return `${type}::${quoted(id)}`;
}

const expressions = new Map<string, fc.Arbitrary<string>>();

/** An expression that is mostly of the wanted kind. Made once: they are built of one another. */
function expression(kind: Kind, depth: number): fc.Arbitrary<string> {
  const key = `${kind} ${String(depth)}`;
  const known = expressions.get(key) ?? makeExpression(kind, depth);
  expressions.set(key, known);
  return known;
}

function makeExpression(kind: Kind, depth: number): fc.Arbitrary<string> {
  const leaf = fc.oneof(
    { weight: 3, arbitrary: literal(kind) },
    { weight: 2, arbitrary: fc.constantFrom(...variables(kind)) },
    { weight: 2, arbitrary: attribute(kind) },
  );
  if (depth <= 0) return leaf;
  const of = (other: Kind): fc.Arbitrary<string> => expression(other, depth - 1);
  const any = fc.constantFrom(...KINDS).chain(of);
  const operators = compound(kind, of, any);
  return fc.oneof(
    { weight: 2, arbitrary: leaf },
    { weight: 8, arbitrary: fc.oneof(...operators) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(of("bool"), of(kind), of(kind))
        .map(([condition, then, otherwise]) => `(if ${condition} then ${then} else ${otherwise})`),
    },
    { weight: 1, arbitrary: any },
  );
}

function variables(kind: Kind): string[] {
  if (kind === "entity") return ["principal", "action", "resource"];
  if (kind === "record") return ["context"];
  return ["context.b", "principal.a"];
}

/** Attributes are named after the kind that they mostly have. */
function attribute(kind: Kind): fc.Arbitrary<string> {
  const holder = fc.constantFrom("principal", "resource", "context", "context.record");
  const name = fc.oneof(
    { weight: 4, arbitrary: fc.constant(kind as string) },
    { weight: 1, arbitrary: fc.constantFrom(...NAMES) },
  );
  return fc
    .tuple(holder, name, fc.boolean())
    .map(([base, attr, plain]) =>
      plain && /^[a-z]+$/.test(attr) ? `${base}.${attr}` : `${base}[${quoted(attr)}]`,
    );
}

function literal(kind: Kind): fc.Arbitrary<string> {
  switch (kind) {
    case "bool":
      return fc.constantFrom("true", "false");
    case "long":
      return longValue.map(String);
    case "string":
      return fc.constantFrom(...STRINGS).map(quoted);
    case "entity":
      return fc.oneof(uid, action).map(uidText);
    case "set":
      return fc.constantFrom(
        "[]",
        "[1, 2, 1]",
        '["x", "abc"]',
        '[User::"x", Group::"y"]',
        "[[], [1]]",
      );
    case "record":
      return fc.constantFrom("{}", "{a: 1}", '{"c d": {b: [1]}, a: "x"}', '{"__proto__": 2}');
    case "ip":
    case "decimal":
    case "datetime":
    case "duration":
      return (extensionText[kind] ?? fc.constant("")).map((text) => `${kind}(${quoted(text)})`);
    default:
      return kind;
  }
}

type Of = (kind: Kind) => fc.Arbitrary<string>;

function compound(kind: Kind, of: Of, any: fc.Arbitrary<string>): fc.Arbitrary<string>[] {
  const call = (base: Kind, method: string, ...args: Kind[]): fc.Arbitrary<string> =>
    fc
      .tuple(of(base), ...args.map(of))
      .map(([receiver, ...given]) => `(${receiver ?? ""}).${method}(${given.join(", ")})`);
  const infix = (left: Kind, operator: string, right: Kind = left): fc.Arbitrary<string> =>
    fc.tuple(of(left), of(right)).map(([a, b]) => `((${a}) ${operator} (${b}))`);
  switch (kind) {
    case "bool":
      return [...booleans(call, infix, any), ...entityTests(of, call)];
    case "long":
      return [
        ...["+", "-", "*"].map((operator) => infix("long", operator)),
        of("long").map((argument) => `(-(${argument}))`),
        ...["toMilliseconds", "toSeconds", "toMinutes", "toHours", "toDays"].map((method) =>
          call("duration", method),
        ),
      ];
    case "set":
      return [
        fc.array(any, { maxLength: 3 }).map((elements) => `[${elements.join(", ")}]`),
        call("entity", "getTag", "string"),
      ];
    case "record":
      return [
        fc
          .uniqueArray(fc.constantFrom(...NAMES), { maxLength: 3 })
          .chain((names) => fc.tuple(fc.constant(names), fc.tuple(...names.map(() => any))))
          .map(([names, values]) => {
            const fields = names.map((name, index) => `${quoted(name)}: ${values[index] ?? ""}`);
            return `{${fields.join(", ")}}`;
          }),
      ];
    case "datetime":
      return [call("datetime", "offset", "duration"), call("datetime", "toDate")];
    case "duration":
      return [call("datetime", "durationSince", "datetime"), call("datetime", "toTime")];
    case "string":
    case "entity":
    case "ip":
    case "decimal":
      return [attribute(kind), literal(kind), call("entity", "getTag", "string")];
    default:
      return kind;
  }
}

function booleans(
  call: (base: Kind, method: string, ...args: Kind[]) => fc.Arbitrary<string>,
  infix: (left: Kind, operator: string, right?: Kind) => fc.Arbitrary<string>,
  any: fc.Arbitrary<string>,
): fc.Arbitrary<string>[] {
  const compared = fc.constantFrom<Kind>("long", "datetime", "duration");
  return [
    infix("bool", "&&"),
    infix("bool", "||"),
    call("set", "isEmpty"),
    infix("bool", "==").map((text) => `(!${text})`),
    ...KINDS.map((kind) => infix(kind, "==")),
    ...["<", "<=", ">", ">="].map((operator) => compared.chain((kind) => infix(kind, operator))),
    fc.tuple(any, any).map(([a, b]) => `((${a}) != (${b}))`),
    fc.tuple(any, any).map(([a, b]) => `[${a}, 1].contains(${b})`),
    call("set", "containsAll", "set"),
    call("set", "containsAny", "set"),
    ...["isIpv4", "isIpv6", "isLoopback", "isMulticast"].map((method) => call("ip", method)),
    call("ip", "isInRange", "ip"),
    ...["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"].map((method) =>
      call("decimal", method, "decimal"),
    ),
  ];
}

function entityTests(
  of: Of,
  call: (base: Kind, method: string, ...args: Kind[]) => fc.Arbitrary<string>,
): fc.Arbitrary<string>[] {
  const holder = fc.constantFrom<Kind>("record", "entity").chain(of);
  const type = fc.constantFrom(...TYPES, "Action");
  const pattern = fc
    .array(fc.constantFrom("*", "a", "X", "c", "\\*", "é", "\u{1f600}"), { maxLength: 5 })
    .map((parts) => `"${parts.join("")}"`);
  return [
    fc.tuple(of("entity"), of("entity")).map(([a, b]) => `((${a}) in (${b}))`),
    fc
      .tuple(of("entity"), fc.array(of("entity"), { maxLength: 3 }))
      .map(([a, list]) => `((${a}) in [${list.join(", ")}])`),
    fc.tuple(of("entity"), type).map(([a, name]) => `((${a}) is ${name})`),
    fc
      .tuple(of("entity"), type, of("entity"))
      .map(([a, name, b]) => `((${a}) is ${name} in (${b}))`),
    fc
      .tuple(holder, fc.constantFrom(...NAMES, ...KINDS))
      .map(([a, b]) => `((${a}) has ${quoted(b)})`),
    fc
      .tuple(
        fc.constantFrom("principal", "context", "resource"),
        fc.array(fc.constantFrom("a", "b", ...KINDS), { minLength: 2, maxLength: 3 }),
      )
      .map(([a, path]) => `(${a} has ${path.join(".")})`),
    fc.tuple(of("string"), pattern).map(([a, b]) => `((${a}) like ${b})`),
    call("entity", "hasTag", "string"),
  ];
}

/** Data for attributes, tags and contexts. */
function json(kind: Kind, depth: number): fc.Arbitrary<GeneratedJson> {
  switch (kind) {
    case "bool":
      return fc.boolean();
    case "long":
      return longValue;
    case "string":
      return fc.constantFrom(...STRINGS);
    case "entity":
      return fc.oneof(uid, action).map((__entity) => ({ __entity: { ...__entity } }));
    case "set":
      return fc.array(depth > 0 ? anyJson(depth - 1) : fc.constant(1n), { maxLength: 3 });
    case "record":
      return depth > 0 ? attributes(depth - 1) : fc.constant({});
    case "ip":
    case "decimal":
    case "datetime":
    case "duration":
      return validText[kind].map((arg) => ({ __extn: { fn: kind, arg } }));
    default:
      return kind;
  }
}

/** What does not parse would be refused before anything is evaluated. */
const validText = {
  ip: fc.constantFrom("1.2.3.4", "1.2.0.0/16", "::1", "ff00::/8", "127.0.0.1"),
  decimal: fc.constantFrom("0.0", "-0.5", "12.3456", "922337203685477.5807"),
  datetime: fc.constantFrom("1970-01-01", "2024-10-15T11:35:00.123Z", "1969-12-31T23:59:59.999Z"),
  duration: fc.constantFrom("0ms", "1d2h3m4s5ms", "-1d", "9223372036854775807ms"),
};

function anyJson(depth: number): fc.Arbitrary<GeneratedJson> {
  return fc.constantFrom(...KINDS).chain((kind) => json(kind, depth));
}

function attributes(depth: number): fc.Arbitrary<Readonly<Record<string, GeneratedJson>>> {
  const named = fc
    .constantFrom(...KINDS)
    .chain((kind) => json(kind, depth).map((value) => [kind, value] as const));
  const other = fc.tuple(fc.constantFrom(...NAMES), anyJson(depth));
  return fc
    .array(fc.oneof({ weight: 4, arbitrary: named }, { weight: 1, arbitrary: other }), {
      maxLength: 8,
    })
    .map((entries) => Object.fromEntries(entries));
}

/** Parents come later in the list only, so there is no circle. */
const entities: fc.Arbitrary<GeneratedEntity[]> = fc
  .uniqueArray(fc.oneof(uid, action), { maxLength: 8, selector: uidText })
  .chain((uids) =>
    fc.tuple(
      ...uids.map((own, index) =>
        fc.record({
          uid: fc.constant(own),
          attrs: attributes(2),
          tags: fc.dictionary(fc.constantFrom(...STRINGS), anyJson(1), { maxKeys: 3 }),
          parents: parentsOf(own, uids.slice(index + 1)),
        }),
      ),
    ),
  );

/** An action's parents are actions. */
function parentsOf(
  own: GeneratedUid,
  later: readonly GeneratedUid[],
): fc.Arbitrary<GeneratedUid[]> {
  const allowed = later.filter(({ type }) => (type === "Action") === (own.type === "Action"));
  const unlisted = { type: own.type === "Action" ? "Action" : "Group", id: "unlisted" };
  return fc.subarray([...allowed, unlisted]);
}

const request: fc.Arbitrary<GeneratedRequest> = fc.record({
  principal: uid,
  action,
  resource: uid,
  context: attributes(2),
});

function scope(variable: "principal" | "resource", slot?: string): fc.Arbitrary<string> {
  const target = slot === undefined ? uid.map(uidText) : fc.constant(slot);
  const type = fc.constantFrom(...TYPES);
  const constrained = [
    target.map((text) => `${variable} == ${text}`),
    target.map((text) => `${variable} in ${text}`),
    fc.tuple(type, target).map(([name, text]) => `${variable} is ${name} in ${text}`),
  ];
  if (slot !== undefined) return fc.oneof(...constrained);
  return fc.oneof(
    fc.constant(variable),
    type.map((name) => `${variable} is ${name}`),
    ...constrained,
  );
}

const actionScope = fc.oneof(
  fc.constant("action"),
  action.map((one) => `action == ${uidText(one)}`),
  action.map((one) => `action in ${uidText(one)}`),
  fc.array(action, { maxLength: 3 }).map((list) => `action in [${list.map(uidText).join(", ")}]`),
);

function policy(principalSlot?: string, resourceSlot?: string): fc.Arbitrary<string> {
  const clause = fc
    .tuple(fc.constantFrom("when", "unless"), expression("bool", 3))
    .map(([keyword, body]) => `${keyword} { ${body} }`);
  return fc
    .tuple(
      fc.constantFrom("permit", "forbid"),
      scope("principal", principalSlot),
      actionScope,
      scope("resource", resourceSlot),
      fc.array(clause, { maxLength: 2 }),
    )
    .map(
      ([effect, principal, actions, resource, clauses]) =>
        `${effect} (${principal}, ${actions}, ${resource}) ${clauses.join(" ")};`,
    );
}

const template = fc.constantFrom("both", "principal", "resource").chain((slots) => {
  const principal = slots === "resource" ? undefined : "?principal";
  const resource = slots === "principal" ? undefined : "?resource";
  return fc.record({
    text: policy(principal, resource),
    values: fc.record({
      ...(principal === undefined ? {} : { "?principal": uid }),
      ...(resource === undefined ? {} : { "?resource": uid }),
    }),
  });
});

export const generatedCase: fc.Arbitrary<GeneratedCase> = fc
  .record({
    policies: fc.array(policy(), { minLength: 1, maxLength: 6 }),
    linked: fc.array(template, { maxLength: 2 }),
    entities,
    requests: fc.array(request, { minLength: 1, maxLength: 3 }),
  })
  .map(({ policies, linked, ...rest }) => ({
    ...rest,
    policies: Object.fromEntries(policies.map((text, index) => [`p${String(index)}`, text])),
    templates: Object.fromEntries(linked.map(({ text }, index) => [`t${String(index)}`, text])),
    links: linked.map(({ values }, index) => ({
      templateId: `t${String(index)}`,
      newId: `l${String(index)}`,
      values: values as GeneratedLink["values"],
    })),
  }));
