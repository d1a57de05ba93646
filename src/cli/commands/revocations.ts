/** Commands that take access away, and give it back. */
import type { ConnectOptions } from "../admin-connect.ts";
import type { RevokeOptions } from "../revocations.ts";
import { type Asking, type Exit, asking, type Command, Option } from "./common.ts";

export function addRevocationCommands(revocations: Command, exit: Exit): void {
  for (const [mode, description] of [
    ["revoke", "what was issued until now is dead, what is issued later is good"],
    ["block", "nothing is good until it is lifted"],
  ] as const) {
    const command = asking(revocations.command(mode))
      .description(description)
      .option("--service <name>", "everything that is presented to a service")
      .option("--authenticator <name>", "everything that an authenticator vouches for, or …")
      .option("--subject <text>", "… of it only this subject")
      .option("--id <jti>", "… of it only this credential")
      .option("--reason <text>", "for operators");
    if (mode === "block") command.option("--until <time>", "when it ends, 2026-12-24T18:00:00Z");
    else command.option("--expires <time>", "when it can be forgotten, such as the token's exp");
    command.option("--unchecked", "even where the configuration has nothing of that name", false);
    command.action(async (options: ConnectOptions & RevokeOptions) => {
      const { addRevocation } = await import("../revocations.ts");
      exit(await addRevocation(mode, options));
    });
  }
  asking(revocations.command("lift"))
    .description("give access back")
    .argument("<id>", "as list prints it")
    .addOption(new Option("--mode <mode>", "only this of the two").choices(["revoke", "block"]))
    .action(
      async (id: string, options: ConnectOptions & { readonly mode?: "revoke" | "block" }) => {
        const { liftRevocation } = await import("../revocations.ts");
        exit(await liftRevocation(id, options));
      },
    );
  asking(revocations.command("list"))
    .description("what is taken away now")
    .option("--json", "one object a line", false)
    .action(async (options: Asking) => {
      const { listRevocations } = await import("../revocations.ts");
      exit(await listRevocations(options));
    });
}
