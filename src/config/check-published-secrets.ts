/**
 * What is published goes to every proxy of its group, and lies on their disks. Expressions stay
 * expressions there; a secret that is written in clear goes as it stands, so it is pointed out.
 */
import { SECRET_NAMES } from "../audit/query-mask.ts";
import { isKeeper } from "../authority/authority-options.ts";
import { placeholders, type Template } from "../gate/template.ts";
import { templatesOf } from "../gate/transform-options.ts";
import type { Draft } from "./draft.ts";
import type { Expansion } from "./expand.ts";
import { pathKey } from "../wire/document/place.ts";
import type { PathProblem } from "../wire/document/issues.ts";

const REMEDY = "${env:NAME} or ${file:path}: what they stand for stays with each proxy";

export function checkPublishedSecrets(draft: Draft, expansion: Expansion): PathProblem[] {
  const { authority } = draft;
  if (!isKeeper(authority) || authority.serve === undefined) return [];
  return [...secretsOfRoutes(draft, expansion), ...secretsOfClients(draft, expansion)];
}

/** Of authenticators that are clients of their provider. */
function secretsOfClients({ authenticators }: Draft, { written }: Expansion): PathProblem[] {
  return authenticators.flatMap(({ name, path, options }) => {
    const at = [...path, "client", "secret"];
    const secret = "client" in options ? options.client.secret : undefined;
    if (secret === undefined || written.has(pathKey(at))) return [];
    const message = `the client's secret of "${name}" is written in clear and published to every proxy`;
    return [{ path: at, message, remedy: REMEDY }];
  });
}

function secretsOfRoutes({ routes }: Draft, { written }: Expansion): PathProblem[] {
  return routes.flatMap((route) =>
    templatesOf(route.options).flatMap(({ path, template }) => {
      const at = [...route.path, ...path];
      const name = path.at(-1) ?? "";
      if (!isSecretName(name) || !isFixed(template) || written.has(pathKey(at))) return [];
      const message = `"${name}" is written in clear and published to every proxy of "${route.name}"`;
      return [{ path: at, message, remedy: REMEDY }];
    }),
  );
}

function isSecretName(name: string): boolean {
  const plain = name.toLowerCase().replace(/^x-/, "");
  return plain === "cookie" || SECRET_NAMES.has(plain) || SECRET_NAMES.has(`x-${plain}`);
}

function isFixed(template: Template): boolean {
  return template.length > 0 && placeholders(template).length === 0;
}
