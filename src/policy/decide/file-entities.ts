/**
 * What data files say of principals, roles and groups, as decisions ask for it. Memberships are closed
 * already (data/close-memberships.ts): here is only the lookup, and what a policy sees of an entity that
 * is not the caller.
 */
import { EMPTY_RECORD } from "../cedar/values.ts";
import type { Entity } from "../cedar/environment.ts";
import type { FileEntity } from "../data/file-entity.ts";
import { attributesRecord } from "./attributes-record.ts";
import { ShardedMap } from "./sharded-map.ts";

const LIMITS = {
  /** Entities between looks at the clock: a look costs more than an entry of a map. */
  batch: 256,
} as const;

export interface FileEntities {
  readonly size: number;
  /** By `EntityUid.key`. */
  get(key: string): FileEntity | undefined;
  /** As policies see it: of one whom a policy names, who is not the caller. */
  entity(key: string): Entity | undefined;
}

/** `pause` is awaited between steps of the work; it decides whether it is time to. */
export async function createFileEntities(
  all: readonly FileEntity[],
  pause: () => Promise<void> | undefined,
): Promise<FileEntities> {
  const byKey = new ShardedMap<FileEntity>();
  for (const [index, one] of all.entries()) {
    byKey.set(one.key, one);
    if (index % LIMITS.batch === 0) await pause();
  }
  return fileEntities(byKey);
}

export const NO_FILE_ENTITIES: FileEntities = fileEntities(new ShardedMap());

function fileEntities(byKey: ShardedMap<FileEntity>): FileEntities {
  // Only those that policies name are ever asked for: no more than there are names in them.
  const seen = new Map<string, Entity>();
  const { size } = byKey;
  return {
    size,
    // Without data files nobody pays for them.
    get: size === 0 ? () => undefined : (key) => byKey.get(key),
    entity(key) {
      const known = seen.get(key);
      if (known !== undefined) return known;
      const one = byKey.get(key);
      if (one === undefined) return undefined;
      const { within, attributes } = one;
      const entity = {
        attributes: attributes === undefined ? EMPTY_RECORD : attributesRecord(attributes),
        tags: EMPTY_RECORD,
        ancestors: new Set(within),
      };
      seen.set(key, entity);
      return entity;
    },
  };
}
