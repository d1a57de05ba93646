/** A forbid whose evaluation can fail: it then denies, whether it was meant to or not. */
import { NAMESPACE } from "../cedar-names.ts";
import { failuresOf } from "./failures.ts";
import type { FindingRule } from "./finding-rule.ts";

export const forbidCanErr: FindingRule = {
  id: "forbid-can-err",
  severity: "warning",
  title: "the evaluation of a forbid can fail",
  proves:
    "An expression in it can fail for some values that its attributes may have: a number or a time can leave 64 bits, or the entity whose attribute it reads may not be there. Sallyport then denies with `policy-error`; Cedar by itself would skip the forbid.",
  silence:
    "That it never fails. A query that cannot be read, and a caller whose address is none, fail where `context.query` and `context.ip` are read.",
  remedy: "bound the value first (x < 1000 && x + 1 > …), or ask the other way round",
  *find(subject) {
    const there = new Set([
      ...subject.targets.map(({ uid }) => uid.key),
      ...subject.entities.keys(),
    ]);
    for (const { service } of subject.targets) {
      if (service !== undefined) there.add(`${NAMESPACE}::Service::"${service}`);
    }
    for (const { id, effect, json, place } of subject.policies) {
      if (effect !== "forbid") continue;
      const failures = json.conditions.flatMap(({ body }) =>
        failuresOf(body, (uid) => there.has(`${uid.type}::"${uid.id}`)),
      );
      for (const failure of new Set(failures)) {
        const message = `forbid '${id}' can fail: ${failure}`;
        yield { of: id, place, message, policies: [id] };
      }
    }
  },
};
