/** A service that nobody had in mind when the policies were written. */
import { NAMESPACE } from "../cedar-names.ts";
import type { ExpressionJson } from "../cedar/policy-json.ts";
import type { FindingRule } from "./finding-rule.ts";
import { expressionsIn, type PolicyFacts } from "./policy-facts.ts";
import type { FindingSubject } from "./subject.ts";

export const serviceWithoutPolicy: FindingRule = {
  id: "service-without-policy",
  severity: "note",
  title: "no policy mentions a service",
  proves:
    "No policy names the service, one of its routes or one of its operations, and none looks at an attribute that the service or its routes have. Policies for everything may apply to it nevertheless.",
  silence: "That a policy that mentions the service says what is right for it.",
  remedy: "write a policy for it, or accept it where those for everything are meant for it too",
  *find(subject) {
    const mentioned = mentionedNames(subject.policies);
    const { services, routes } = subject.vocabulary;
    const facts = new Map(subject.written.services.map((one) => [one.name, one]));
    for (const service of services) {
      const own = facts.get(service.name);
      if (own === undefined) continue;
      const ofService = routes.filter((route) => route.service === service.name);
      const attributes = [service, ...ofService].flatMap((one) => Object.keys(one.attributes));
      const names = [
        `Service ${service.name}`,
        `operation ${service.name}`,
        ...ofService.map(({ name }) => `Route ${name}`),
        ...attributes.map((name) => `attribute ${name}`),
      ];
      // Without a route nobody reaches it, whatever policies say.
      if (ofService.length === 0 || names.some((name) => mentioned.has(name))) continue;
      yield {
        of: service.name,
        place: own.place,
        message: `no policy mentions service "${service.name}"`,
        service: service.name,
      };
    }
  },
};

function mentionedNames(policies: FindingSubject["policies"]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const policy of policies) {
    for (const { type, id } of policy.named) {
      const kind = type.slice(NAMESPACE.length + 2);
      if (kind === "Action") names.add(`operation ${operationOwner(id)}`);
      else names.add(`${kind} ${id}`);
    }
    for (const name of resourceAttributes(policy)) names.add(`attribute ${name}`);
  }
  return names;
}

/** `billing:getInvoice` → `billing`; of other actions nothing that a service is called. */
function operationOwner(id: string): string {
  const at = id.indexOf(":");
  return at < 0 ? "" : id.slice(0, at);
}

/** `public` in `resource.public` and `resource has public`. */
function* resourceAttributes({ json }: PolicyFacts): Generator<string> {
  for (const expression of expressionsIn(json.conditions)) {
    for (const operator of [".", "has"]) {
      const operands = expression[operator] as ExpressionJson | undefined;
      const left = operands?.["left"] as ExpressionJson | undefined;
      if (left?.["Var"] === "resource") yield* [operands?.["attr"] as string | string[]].flat();
    }
  }
}
