/** A template that nothing fills, and that therefore decides nothing. */
import type { FindingRule } from "./finding-rule.ts";

export const templateUnlinked: FindingRule = {
  id: "template-unlinked",
  severity: "warning",
  title: "no link fills a template",
  proves: "No data file has a link of the template: it makes no policy, and decides nothing.",
  silence: "That the links that there are say what is meant.",
  remedy: "link it under links: of a data file, or remove it",
  *find({ unlinked }) {
    for (const { id, place } of unlinked) {
      yield {
        of: id,
        place,
        message: `no link fills the template '${id}', so that it decides nothing`,
        policies: [id],
      };
    }
  },
};
