/** A test that says the same of each protocol runs over each, under the name with the protocol. */
import test from "node:test";
import { type Protocol, PROTOCOLS } from "./protocols.ts";
import type { Stage } from "./stage.ts";

/** What a test gets: the protocol of its callers, and the stage's attack over it. */
export interface Over {
  readonly over: Protocol;
  readonly attack: Stage["attack"];
}

export function testOverEach(
  stage: Pick<Stage, "attack">,
  name: string,
  run: (over: Over) => void | Promise<void>,
): void {
  for (const over of PROTOCOLS) {
    const attack: Stage["attack"] = (bytes, options = {}) =>
      stage.attack(bytes, { ...options, over });
    test(`${over}: ${name}`, async () => run({ over, attack }));
  }
}
