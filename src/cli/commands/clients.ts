/** Commands about clients of the token endpoint, and their keys. */
import type * as clientsCommands from "../clients.ts";
import type { CreateClientOptions } from "../clients.ts";
import type { ProofOptions } from "../client-proof.ts";
import {
  type Asking,
  type Exit,
  adminContext,
  askingIn,
  several,
  Argument,
  type Command,
} from "./common.ts";

export function addClientCommands(clients: Command, exit: Exit): void {
  const command = askingIn(clients);
  const id = new Argument("<id>", "client_id");
  const proving = (made: Command): Command =>
    made
      .option("--generate-key <file>", "make a key pair here; the private key goes into this file")
      .option("--key <file>", "its public key: PEM, a JWK, or a JWK Set of one key")
      .option("--certificate <file>", "its certificate in PEM, or the thumbprint in base64url")
      .option("--insecure-secret", "have a client secret made: printed once", false);

  const create = proving(command("create", "register a client"))
    .addArgument(id)
    .option("--label <text>", "for operators");
  several(create, "--role <role>", "roles in policies");
  several(create, "--group <group>", "groups in policies");
  several(create, "--attribute <name=value>", "such as tenant=acme");
  create.action(async (given: string, options: Asking & CreateClientOptions) => {
    const { createClient } = await import("../clients.ts");
    exit(await createClient(given, options, adminContext(options)));
  });
  command("list", "the clients that there are, declared and registered")
    .option("--unused-for <duration>", "only those that got no key for so long, such as 90d")
    .action(async (options: Asking & Parameters<typeof clientsCommands.listClients>[0]) => {
      const { listClients } = await import("../clients.ts");
      exit(await listClients(options, adminContext(options)));
    });
  command("show", "all that is known of one")
    .addArgument(id)
    .action(async (given: string, options: Asking) => {
      const { showClient } = await import("../clients.ts");
      exit(await showClient(given, adminContext(options)));
    });
  proving(command("add-key", "a further way to prove who it is; those that it has stay good"))
    .addArgument(id)
    .action(async (given: string, options: Asking & ProofOptions) => {
      const { addClientKey } = await import("../clients.ts");
      exit(await addClientKey(given, options, adminContext(options)));
    });
  command("remove-key", "take one of them away")
    .addArgument(id)
    .argument("<key>", "its id, as show prints it")
    .action(async (given: string, key: string, options: Asking) => {
      const { removeClientKey } = await import("../clients.ts");
      exit(await removeClientKey(given, key, adminContext(options)));
    });
  command("disable", "it gets no key, and those that it has are good for nothing")
    .addArgument(id)
    .option("--reason <text>", "for operators")
    .action(async (given: string, options: Asking & { readonly reason?: string }) => {
      const { disableClient } = await import("../clients.ts");
      exit(await disableClient(given, options, adminContext(options)));
    });
  command("enable", "it may get keys again; those that it had stay dead")
    .addArgument(id)
    .action(async (given: string, options: Asking) => {
      const { enableClient } = await import("../clients.ts");
      exit(await enableClient(given, adminContext(options)));
    });
  command("remove", "forget it: what it got until now is dead")
    .addArgument(id)
    .action(async (given: string, options: Asking) => {
      const { removeClient } = await import("../clients.ts");
      exit(await removeClient(given, adminContext(options)));
    });
}
