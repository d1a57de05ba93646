/**
 * `/v1/config`: the configuration in force, as it is written, and reading it again. Expanded values are
 * never in it (`${env:…}` stands as it is written), and secrets that were written out are masked.
 */
import { z } from "zod";
import { type Operation, operation } from "./operation.ts";
import { configOf } from "./status.ts";

const configSchema = z
  .strictObject({
    hash: z.string().describe("Of the configuration in force and its policies."),
    since: z.iso.datetime().describe("When it was put in force."),
    failingTests: z
      .int()
      .optional()
      .describe("Tests that its policies fail, and that it ignores; absent: none."),
    notReloaded: z
      .strictObject({ at: z.iso.datetime(), why: z.array(z.string()), problems: z.int() })
      .optional()
      .describe("The last reload, where it failed."),
    written: z
      .record(z.string(), z.unknown())
      .describe("As it is written, without what expressions stand for; secrets are `***`."),
  })
  .meta({ id: "Config", description: "The configuration in force." });

export const configOperations: readonly Operation[] = [
  operation(
    {
      operation: "getConfig",
      method: "get",
      path: "/v1/config",
      tag: "process",
      summary: "The configuration in force",
      answers: { status: 200, description: "The configuration.", schema: configSchema },
    },
    async (_call, { config }) => {
      const running = await config.running();
      return { body: { ...configOf(running), written: running.written } };
    },
  ),
  operation(
    {
      operation: "reloadConfig",
      method: "post",
      path: "/v1/config/reload",
      tag: "process",
      summary: "Reads the configuration again and puts it in force",
      description:
        "What does not validate changes nothing, and is answered with every problem. May be repeated without harm.",
      answers: {
        status: 200,
        description: "It is in force.",
        schema: z.strictObject({ hash: z.string(), since: z.iso.datetime() }).meta({
          id: "Reloaded",
        }),
      },
      problems: [422],
    },
    async (_call, { process, config }) => {
      await process.reload();
      const { hash, since } = configOf(await config.running());
      return { body: { hash, since } };
    },
  ),
  operation(
    {
      operation: "drain",
      method: "post",
      path: "/v1/drain",
      tag: "process",
      summary: "Ends the process in order",
      description:
        "As SIGTERM does: not ready at once, no new connections after `shutdown.delay`, what is in flight may end within `shutdown.grace`. May be repeated without harm.",
      answers: { status: 202, description: "It has begun." },
    },
    (_call, { process }) => {
      process.drain();
      return {};
    },
  ),
];
