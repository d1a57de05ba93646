/** What people are called in a log that has their subjects redacted. */
import type { Clock } from "../../model/ports.ts";
import { readValueKey } from "../folder.ts";
import { PersonKeys } from "./person-keys.ts";
import { personOf, personPseudonym } from "./pseudonym.ts";

/** `principals`: as records name them, `corp/alice`. None of those whose key is not there. Throws SallyportError `audit-failed`. */
export async function pseudonymsOf(
  principals: readonly string[],
  folder: string,
  clock: Pick<Clock, "monotonic">,
): Promise<readonly string[]> {
  const valuesKey = principals.length === 0 ? undefined : await readValueKey(folder);
  if (valuesKey === undefined) return [];
  const keys = new PersonKeys(folder, valuesKey, clock);
  return principals.flatMap((id) => {
    const person = personOf(id);
    const key = person && keys.find(person);
    return person === undefined || key === undefined ? [] : [personPseudonym(key, person)];
  });
}
