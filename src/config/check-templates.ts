/** What a template names has to be there: parameters in the route's path, attributes of its callers. */
import { pathParams } from "../gate/router.ts";
import { placeholders } from "../gate/template.ts";
import { templatesOf } from "../gate/transform-options.ts";
import { authenticatorWords } from "../identity/authenticator-options.ts";
import type { Draft } from "./draft.ts";
import type { PathProblem } from "../wire/document/issues.ts";
import { suggest } from "../model/suggest.ts";

export function checkTemplates(draft: Draft): PathProblem[] {
  const authenticators = new Map(draft.authenticators.map((part) => [part.name, part.options]));
  return draft.routes.flatMap((route) => {
    const params = pathParams(route.options.path).map(({ name }) => name);
    const attributes = route.options.authenticate.flatMap((name) => {
      const options = authenticators.get(name);
      return options === undefined ? [] : Object.keys(authenticatorWords(options).attributes);
    });
    return templatesOf(route.options).flatMap(({ path, template }) =>
      placeholders(template).flatMap((one) => {
        const known =
          one.source === "params"
            ? params
            : one.source === "principal.attributes"
              ? attributes
              : undefined;
        if (known === undefined || !("name" in one) || known.includes(one.name)) return [];
        const what =
          one.source === "params"
            ? `the path has no parameter "${one.name}"`
            : `no authenticator of the route declares an attribute "${one.name}"`;
        return [{ path: [...route.path, ...path], message: what, remedy: remedy(one.name, known) }];
      }),
    );
  });
}

function remedy(name: string, known: readonly string[]): string {
  const close = suggest(name, known);
  if (close !== undefined) return `did you mean "${close}"?`;
  return known.length === 0 ? "declare it first" : `one of ${known.join(", ")}`;
}
