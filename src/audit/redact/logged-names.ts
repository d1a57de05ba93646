/** Who principals are in a log that redacts their subjects, for who counts by what it says. */
import { SallyportError } from "../../model/errors.ts";
import type { Clock } from "../../model/ports.ts";
import type { AuditOptions } from "../audit-options.ts";
import { openAuditFolder } from "../folder.ts";
import { PersonKeys } from "./person-keys.ts";
import { isPseudonym, personOf, personPseudonym } from "./pseudonym.ts";
import { readRedacted } from "./redact-options.ts";

export interface LogNames {
  /** Of `<authenticator>/<subject>`; undefined where the log has no record of it, or its key cannot be read. */
  nameOf(id: string): string | undefined;
  isName(text: string): boolean;
}

/** Undefined where names are as they are. Throws SallyportError `audit-failed` where the folder cannot be opened. */
export async function openLogNames(
  { path, redact }: Pick<AuditOptions, "path" | "redact">,
  clock: Pick<Clock, "monotonic">,
): Promise<LogNames | undefined> {
  if (!readRedacted(redact).has("principal.subject")) return undefined;
  const folder = await openAuditFolder(path);
  const keys = new PersonKeys(folder.path, folder.key, clock);
  return {
    nameOf(id) {
      const person = personOf(id);
      if (person === undefined) return undefined;
      try {
        const key = keys.find(person);
        return key && personPseudonym(key, person);
      } catch (error) {
        // Its record cannot be written either, which refuses its request and says why.
        if (error instanceof SallyportError) return undefined;
        throw error;
      }
    },
    isName: (text) => isPseudonym(text.slice(text.indexOf("/") + 1)),
  };
}
