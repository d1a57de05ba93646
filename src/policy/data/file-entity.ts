/** What data files say of an entity, ready for decisions. */
import type { AttributeValue } from "../../model/principal.ts";

/** Plain data: it goes from thread to thread and to other processes. */
export interface FileEntity {
  /** `EntityUid.key` of a principal, role or group. */
  readonly key: string;
  /** Keys of all roles and groups that files put it in, transitively; those who are in the same share it. */
  readonly within: readonly string[];
  /** Left out where files say none. */
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}
