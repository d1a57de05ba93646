/** Commands about keys that callers are known by. */
import type * as apiKeysCommands from "../api-keys.ts";
import type { CreateOptions } from "../api-keys.ts";
import {
  type Asking,
  type Exit,
  adminContext,
  askingIn,
  several,
  Argument,
  type Command,
} from "./common.ts";

export function addApiKeyCommands(apiKeys: Command, exit: Exit): void {
  const command = askingIn(apiKeys);
  const id = new Argument("<id>", "as list prints it; no part of the key");

  const create = command("create", "make a key: printed once")
    .argument("<owner>", "whose it is: the subject in policies")
    .requiredOption("--authenticator <name>", "the authenticator of type api-key that it is for")
    .option("--label <text>", "what tells it from other keys of its owner")
    .option("--lifetime <duration>", "such as 30d; 90 days when left out");
  several(create, "--scope <scope>", "what it may");
  several(create, "--role <role>", "roles of its owner");
  several(create, "--group <group>", "groups of its owner");
  several(create, "--attribute <name=value>", "such as tenant=acme");
  several(create, "--service <name>", "only these services; all that take it when left out");
  create.action(async (owner: string, options: Asking & CreateOptions) => {
    const { createApiKey } = await import("../api-keys.ts");
    exit(await createApiKey(owner, options, adminContext(options)));
  });
  command("list", "the keys that there are, without their texts")
    .option("--authenticator <name>", "only those for this one")
    .option("--owner <owner>", "only those of this one")
    .option(
      "--unused-for <duration>",
      "only those that are good and let nobody in for so long, such as 90d",
    )
    .action(async (options: Asking & Parameters<typeof apiKeysCommands.listApiKeys>[0]) => {
      const { listApiKeys } = await import("../api-keys.ts");
      exit(await listApiKeys(options, adminContext(options)));
    });
  command("show", "all that is known of one, without its text")
    .addArgument(id)
    .action(async (given: string, options: Asking) => {
      const { showApiKey } = await import("../api-keys.ts");
      exit(await showApiKey(given, adminContext(options)));
    });
  command("rotate", "a new key that may the same: printed once")
    .addArgument(id)
    .option("--overlap <duration>", "how long the one before is good for; a day when left out")
    .option("--lifetime <duration>", "of the new one; as long as the one before was made for")
    .action(
      async (
        given: string,
        options: Asking & Parameters<typeof apiKeysCommands.rotateApiKey>[1],
      ) => {
        const { rotateApiKey } = await import("../api-keys.ts");
        exit(await rotateApiKey(given, options, adminContext(options)));
      },
    );
  command("revoke", "end a key for good, everywhere, at once")
    .addArgument(id)
    .option("--reason <text>", "for operators")
    .action(async (given: string, options: Asking & { readonly reason?: string }) => {
      const { revokeApiKey } = await import("../api-keys.ts");
      exit(await revokeApiKey(given, options, adminContext(options)));
    });
  command("remove", "forget a key: whoever has it is told that it is not known")
    .addArgument(id)
    .action(async (given: string, options: Asking) => {
      const { removeApiKey } = await import("../api-keys.ts");
      exit(await removeApiKey(given, adminContext(options)));
    });
}
