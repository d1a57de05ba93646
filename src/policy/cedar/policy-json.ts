/**
 * The shape of a policy as the official engine gives it (Cedar's JSON policy format), with one
 * addition: an integer that JSON would round stands as `{ __long: "digits" }` (see big-integers.ts).
 */
import { EntityUid } from "./values.ts";

export interface PolicyJson {
  readonly effect: "permit" | "forbid";
  readonly principal: ScopeJson;
  readonly action: ScopeJson;
  readonly resource: ScopeJson;
  readonly conditions: readonly {
    readonly kind: "when" | "unless";
    readonly body: ExpressionJson;
  }[];
  readonly annotations?: Readonly<Record<string, string | null>>;
}

export interface UidJson {
  readonly type: string;
  readonly id: string;
}

/** A uid in either of the two spellings that Cedar's JSON has. */
export type EntityUidJson = UidJson | { readonly __entity: UidJson };

/** `?principal` or `?resource`, to be filled by a template link. */
export type SlotName = "?principal" | "?resource";

/** One of the three constraints of a policy's scope. */
export type ScopeJson =
  | { readonly op: "All" }
  | {
      readonly op: "==" | "in";
      readonly entity?: EntityUidJson;
      readonly entities?: readonly EntityUidJson[];
      readonly slot?: SlotName;
    }
  | {
      readonly op: "is";
      readonly entity_type: string;
      readonly in?: {
        readonly entity?: EntityUidJson;
        readonly slot?: SlotName;
      };
    };

/** An object with exactly one key: the operator. */
export type ExpressionJson = Readonly<Record<string, unknown>>;

export type LiteralJson =
  | boolean
  | string
  | number
  | { readonly __entity: UidJson }
  | { readonly __long: string };

export function uidFromJson(json: EntityUidJson): EntityUid {
  const { __entity: wrapped } = json as { readonly __entity?: UidJson };
  const { type, id } = wrapped ?? (json as UidJson);
  return new EntityUid(type, id);
}
