/** An option that gives up protection, as its name says. */
import type { FindingRule } from "./finding-rule.ts";

export const insecureOption: FindingRule = {
  id: "insecure-option",
  severity: "warning",
  title: "an authenticator gives up protection",
  proves: "An option whose name begins with `insecure` is on. `run` warns of it at each start.",
  silence: "That everything else is set up well.",
  remedy: "take it out; for a development set-up, accept it with a reason",
  *find({ written }) {
    for (const { name, insecure } of written.authenticators) {
      for (const { option, message, remedy, place } of insecure) {
        yield { of: `${name}.${option}`, place, message, remedy };
      }
    }
  },
};
